"""Where a run that has to stop can be taken up again."""

import shlex
import sys
from pathlib import Path

from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.saving import damaged_file, record_path
from pkdn_basicsr.host.forced_options import take_out

_RESUME = 'path:resume_state='


def newest_complete(folder: Path, up_to: int | None = None) -> int | None:
    """Return the newest iteration whose files are all there and as they were saved, or None.

    Args:
        folder: The experiment's `training_states`.
        up_to: The last iteration that counts; None: all do.
    """
    iterations = (int(path.stem) for path in folder.glob('*.state') if path.stem.isdigit())
    whole = (iteration for iteration in sorted(iterations, reverse=True)
             if (up_to is None or iteration <= up_to)
             and record_path(folder, iteration).exists() and damaged_file(folder, iteration) is None)
    return next(whole, None)


def how_to_go_on(opt: dict) -> str:
    """Return the end of a message: the last good checkpoint of the training run and the command that goes on from it.

    Args:
        opt: The run's options.
    """
    iteration = newest_complete(Path(opt['path']['training_states']), run.current.saved_iter)
    if iteration is None:
        return f'there is no checkpoint yet; begin again with: {_command(opt, _arguments())}'
    return f'the last good checkpoint is iteration {iteration}; go on with: {command_from(opt, iteration)}'


def command_from(opt: dict, iteration: int) -> str:
    """Return the command that goes on from a checkpoint of the training run.

    `--auto_resume` takes the highest iteration. Where the run itself began at an older state, that may be one of the
    run that it left behind: then the state is named.

    Args:
        opt: The run's options.
        iteration: That of the checkpoint.
    """
    folder = Path(opt['path']['training_states'])
    if newest_complete(folder) == iteration:
        return f'{_command(opt, _arguments())} --auto_resume'
    entries, others = take_out(_arguments())
    entries = [entry for entry in entries if not entry.startswith(_RESUME)]
    forced = shlex.join(['--force_yml', *entries, f'{_RESUME}{folder / f"{iteration}.state"}'])
    return f'{_command(opt, others)} {forced}'


def _arguments() -> list[str]:
    return [argument for argument in sys.argv[1:] if argument != '--auto_resume']


def _command(opt: dict, arguments: list[str]) -> str:
    return 'the same command' if opt['dist'] else f'basicsr train {shlex.join(arguments)}'
