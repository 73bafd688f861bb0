"""What happens to an option file before BasicSR's pipelines see it."""

import os
from argparse import Namespace

import basicsr.test
import basicsr.train
import torch.distributed as dist
import yaml
from basicsr.utils import options as host_options
from basicsr.utils import set_random_seed

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.component_check import check_components
from pkdn_basicsr.host.forced_options import force, forcing_without_the_host
from pkdn_basicsr.host.metric_check import drop_missing_metrics
from pkdn_basicsr.host.preflight import check_run
from pkdn_basicsr.host.safe_yaml import OptionLoader

_SUBFOLDERS = {'models': 'models', 'training_states': 'training_states', 'log': '', 'visualization': 'visualization'}


def read_option_file(path: str) -> dict:
    """Read an option file as BasicSR does.

    Raises:
        UsageError: No such file, not YAML with keys at its top level, or anything that `OptionLoader` refuses.
    """
    if not os.path.isfile(path):
        raise UsageError(f'no such option file: {os.path.abspath(path)}')
    with open(path, encoding='utf-8') as file:
        try:
            opt = yaml.load(file, Loader=OptionLoader)
        except RecursionError:
            raise UsageError(f'{path}: expected options, found sections or lists too deep within each other') from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f'{path}: not valid YAML: {" ".join(str(error).split())}') from None
    if not isinstance(opt, dict):
        raise UsageError(f'{path}: expected keys and values (name: ..., scale: ...), found {type(opt).__name__}')
    return opt


def extend_parse_options() -> None:
    """Wrap `parse_options` where the pipelines call it.

    Additions: `path.experiments_root` and `path.results_root` are honoured as in BasicSR's master
    (https://github.com/XPixelGroup/BasicSR/pull/595; the PyPI release overwrites them); `manual_seed` is one for all
    processes, also where the option file has none, and every dataset learns it; `--force_yml` runs nothing (see
    `forcing_without_the_host`); everything is checked that can be checked before a folder is made or archived.
    """
    parse = host_options.parse_options

    def parse_options(root_path: str, is_train: bool = True) -> tuple[dict, Namespace]:
        with forcing_without_the_host() as entries:
            opt, args = parse(root_path, is_train)
        args.force_yml = entries or None  # as the host leaves it
        written = read_option_file(args.opt)
        _report_new(force(written, entries), opt['rank'])
        used, unused = ('experiments_root', 'results_root') if is_train else ('results_root', 'experiments_root')
        _honour_root(opt, written['path'].get(used), used)
        opt['path'].pop(unused, None)  # the host would make a folder of it
        check_components(opt)
        check_run(opt)
        _report_missing(drop_missing_metrics((opt.get('val') or {}).get('metrics') or {}), opt['rank'])
        _agree_on_seed(opt)
        for dataset_opt in opt['datasets'].values():
            dataset_opt['manual_seed'] = opt['manual_seed']
        return opt, args

    for module in (basicsr.train, basicsr.test, host_options):
        module.parse_options = parse_options


def _report_new(new: list[str], rank: int) -> None:
    for path in new if rank == 0 else ():
        print(f'--force_yml: {path} is new, the option file does not have it', flush=True)


def _report_missing(missing: dict[str, str], rank: int) -> None:
    for name, reason in missing.items() if rank == 0 else ():
        print(f'val.metrics.{name}: n/a: {reason}', flush=True)  # the host's logger does not exist yet


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
