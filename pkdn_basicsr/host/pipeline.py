"""Starting BasicSR's own pipelines from our command."""

import argparse
import os
import sys
from collections.abc import Callable

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.distributed import leave_process_group


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
        UsageError: No option file is named, or something in it is wrong.
    """
    _check_arguments(arguments)
    sys.argv = [f'basicsr {verb}', *arguments]
    pipeline(os.getcwd())
    leave_process_group()  # not after an error: nccl may wait there for the other processes
    return 0


def _check_arguments(arguments: list[str]) -> None:
    """Check that `-opt` names a file; everything else on the command line is the host's."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('-opt', nargs='?')
    parser.add_argument('-h', '--help', action='store_true')
    args, _ = parser.parse_known_args(arguments)
    if args.help:
        return
    if args.opt is None:
        raise UsageError('-opt FILE is missing: the option file (YAML) of the run')
    if not os.path.isfile(args.opt):
        raise UsageError(f'no such option file: {os.path.abspath(args.opt)}')
