"""Starting BasicSR's own pipelines from our command."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch.distributed as dist

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.plugins import import_plugins


def run_pipeline(pipeline: Callable[[str], None], verb: str, arguments: list[str]) -> int:
    """Run `train_pipeline` or `test_pipeline` with results under the working directory.

    Args:
        pipeline: The host's function; it takes the folder under which it makes `experiments/`, `results/` and
            `tb_logger/`, and reads its options from `sys.argv`.
        verb: For the program name in messages.
        arguments: What follows the verb on the command line.

    Returns:
        0.

    Raises:
        UsageError: The option file does not exist or a plugin cannot be imported.
    """
    _check_option_file(arguments)
    import_plugins()
    sys.argv = [f'basicsr {verb}', *arguments]
    try:
        pipeline(os.getcwd())
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return 0


def _check_option_file(arguments: list[str]) -> None:
    """Check what `-opt` names; argparse itself says when it is missing."""
    if '-opt' in arguments[:-1]:
        path = Path(arguments[arguments.index('-opt') + 1])
        if not path.is_file():
            raise UsageError(f'-opt: no such option file: {path.absolute()}')
