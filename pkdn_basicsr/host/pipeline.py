"""Starting BasicSR's own pipelines from our command."""

import argparse
import os
import sys
from collections.abc import Callable

import torch.distributed as dist

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.forced_options import force
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.host.plugins import import_plugins
from pkdn_basicsr.host.preflight import check_frame


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
        UsageError: No option file is named, it cannot be read, or a plugin cannot be imported.
    """
    _check_option_file(arguments, is_train=verb == 'train')
    import_plugins()
    sys.argv = [f'basicsr {verb}', *arguments]
    pipeline(os.getcwd())
    if dist.is_initialized():  # not after an error: nccl may wait there for the other processes
        dist.destroy_process_group()
    return 0


def _check_option_file(arguments: list[str], is_train: bool) -> None:
    """Check what `-opt` names before the host opens it; everything else on the command line is the host's."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('-opt', nargs='?')
    parser.add_argument('--force_yml', nargs='*', default=[])
    parser.add_argument('-h', '--help', action='store_true')
    args, _ = parser.parse_known_args(arguments)
    if args.help:
        return
    if args.opt is None:
        raise UsageError('-opt FILE is missing: the option file (YAML) of the run')
    opt = read_option_file(args.opt)
    force(opt, args.force_yml)
    check_frame(opt, args.opt, is_train)
