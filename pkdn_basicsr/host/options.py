"""What happens to an option file before BasicSR's pipelines see it."""

import argparse
import os
import sys
from argparse import Namespace

import basicsr.test
import basicsr.train
import torch.distributed as dist
from basicsr.utils import options as host_options
from basicsr.utils import set_random_seed

from pkdn_basicsr.host.forced_options import forcing_without_the_host
from pkdn_basicsr.host.option_check.check import find_problems, find_shipped_weights, prepared
from pkdn_basicsr.host.option_check.classes import ask_datasets
from pkdn_basicsr.host.option_check.metrics import drop_missing_metrics
from pkdn_basicsr.host.option_check.problems import Problems
from pkdn_basicsr.host.option_file import OptionFile

_SUBFOLDERS = {'models': 'models', 'training_states': 'training_states', 'log': '', 'visualization': 'visualization'}


def read_option_file(path: str) -> dict:
    """Read an option file as BasicSR does.

    Raises:
        UsageError: No such file, not YAML with keys at its top level, or anything that `OptionLoader` refuses.
    """
    file = OptionFile(path)
    file.refuse_faults()
    return file.opt


def extend_parse_options() -> None:
    """Wrap `parse_options` where the pipelines call it.

    Additions: everything is checked that can be checked before a folder is made or archived, and all that is wrong is
    told at once; `path.experiments_root` and `path.results_root` are honoured as in BasicSR's master
    (https://github.com/XPixelGroup/BasicSR/pull/595; the PyPI release overwrites them); `manual_seed` is one for all
    processes, also where the option file has none, and every dataset learns it; `--force_yml` runs nothing (see
    `forcing_without_the_host`).
    """
    parse = host_options.parse_options

    def parse_options(root_path: str, is_train: bool = True) -> tuple[dict, Namespace]:
        args = _read_arguments()
        if args.help or args.opt is None:
            return parse(root_path, is_train)  # the host says how it is called
        file = _checked_file(args, is_train)
        with forcing_without_the_host() as entries:
            opt, args = parse(root_path, is_train)
        args.force_yml = entries or None  # as the host leaves it
        used, unused = ('experiments_root', 'results_root') if is_train else ('results_root', 'experiments_root')
        _honour_root(opt, file.opt['path'].get(used), used)
        opt['path'].pop(unused, None)  # the host would make a folder of it
        find_shipped_weights(opt['path'])
        if opt['dist']:
            _check_again(opt, file)
        _report_missing(drop_missing_metrics((opt.get('val') or {}).get('metrics') or {}), opt['rank'])
        _agree_on_seed(opt)
        for dataset_opt in opt['datasets'].values():
            dataset_opt['manual_seed'] = opt['manual_seed']
        return opt, args

    for module in (basicsr.train, basicsr.test, host_options):
        module.parse_options = parse_options


def check_option_file(file: OptionFile, is_train: bool, **flags: bool) -> Problems:
    """Find all that is wrong in an option file.

    Args:
        file: The file, with what is forced.
        is_train: Whether it is for training.
        **flags: What else the command line says; see `prepared`.
    """
    problems = Problems(file)
    find_problems(prepared(file.opt, is_train, **flags), problems)
    return problems


def is_first_on_machine() -> bool:
    """Whether this process speaks for those of its machine; every one reads the same options and files."""
    return os.environ.get('LOCAL_RANK', os.environ.get('SLURM_LOCALID', '0')) == '0'


def _read_arguments() -> Namespace:
    """Read what the checks need of the command line, which the host reads again."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('-h', '--help', action='store_true')
    parser.add_argument('-opt', nargs='?')
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--auto_resume', action='store_true')
    parser.add_argument('--debug', action='store_true')
    parser.add_argument('--force_yml', nargs='*', default=[])
    return parser.parse_known_args(sys.argv[1:])[0]


def _checked_file(args: Namespace, is_train: bool) -> OptionFile:
    """Read and check the option file of the command line."""
    file = OptionFile(args.opt)
    new = file.force(args.force_yml)
    problems = check_option_file(file, is_train, auto_resume=args.auto_resume, dist=args.launcher != 'none',
                                 debug=args.debug)
    if is_first_on_machine():
        for path in new:
            print(f'--force_yml: {path} is new, the option file does not have it', flush=True)
        for line in problems.warning_lines():
            print(f'warning: {line}', flush=True)  # the host's logger does not exist yet
    problems.refuse()
    return file


def _check_again(opt: dict, file: OptionFile) -> None:
    """Ask the data sets once more, now that they can know how many processes share them."""
    problems = Problems(file)
    ask_datasets(opt, problems)
    problems.refuse()


def _report_missing(missing: dict[str, str], rank: int) -> None:
    for name, reason in missing.items() if rank == 0 else ():
        print(f'val.metrics.{name}: n/a: {reason}', flush=True)


def _agree_on_seed(opt: dict) -> None:
    seed = [opt['manual_seed']]
    if opt['dist']:
        dist.broadcast_object_list(seed)
    opt['manual_seed'] = seed[0]
    set_random_seed(seed[0] + opt['rank'])  # again: the host has let every process draw its own


def _honour_root(opt: dict, root: str | None, key: str) -> None:
    """Put the run under `root`, the file's or forced `path.<key>`, which the host has overwritten."""
    if root is None:
        return
    folder = os.path.join(os.path.abspath(os.path.expanduser(str(root))), opt['name'])
    opt['path'][key] = folder
    for name, subfolder in _SUBFOLDERS.items():
        if name in opt['path']:
            opt['path'][name] = os.path.join(folder, subfolder) if subfolder else folder
