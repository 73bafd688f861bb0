"""Where a run that has to stop can be taken up again."""

import shlex
import sys
from pathlib import Path

from pkdn_basicsr.host.checkpoint.saving import damaged_file, record_path


def newest_complete(folder: Path) -> int | None:
    """Return the newest iteration whose files are all there and as they were saved, or None.

    Args:
        folder: The experiment's `training_states`.
    """
    iterations = (int(path.stem) for path in folder.glob('*.state') if path.stem.isdigit())
    whole = (iteration for iteration in sorted(iterations, reverse=True)
             if record_path(folder, iteration).exists() and damaged_file(folder, iteration) is None)
    return next(whole, None)


def how_to_go_on(opt: dict) -> str:
    """Return the end of a message: the last good checkpoint of a training run and the command that goes on from it.

    Args:
        opt: The run's options.
    """
    iteration = newest_complete(Path(opt['path']['training_states']))
    arguments = [argument for argument in sys.argv[1:] if argument != '--auto_resume']
    command = 'the same command' if opt['dist'] else f'basicsr train {shlex.join(arguments)}'
    if iteration is None:
        return f'there is no checkpoint yet; begin again with: {command}'
    return f'the last good checkpoint is iteration {iteration}; go on with: {command} --auto_resume'
