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
from pkdn_basicsr.host.metric_check import drop_missing_metrics
from pkdn_basicsr.host.preflight import check_run

_SUBFOLDERS = {'models': 'models', 'training_states': 'training_states', 'log': '', 'visualization': 'visualization'}


def read_option_file(path: str) -> dict:
    """Read an option file as BasicSR does.

    Raises:
        UsageError: No such file, or not YAML with keys at its top level.
    """
    if not os.path.isfile(path):
        raise UsageError(f'no such option file: {os.path.abspath(path)}')
    with open(path, encoding='utf-8') as file:
        try:
            opt = yaml.load(file, Loader=host_options.ordered_yaml()[0])
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f'{path}: not valid YAML: {" ".join(str(error).split())}') from None
    if not isinstance(opt, dict):
        raise UsageError(f'{path}: expected keys and values (name: ..., scale: ...), found {type(opt).__name__}')
    return opt


def extend_parse_options() -> None:
    """Wrap `parse_options` where the pipelines call it.

    Additions: `path.experiments_root` and `path.results_root` are honoured as in BasicSR's master
    (https://github.com/XPixelGroup/BasicSR/pull/595; the PyPI release overwrites them); `manual_seed` is one for all
    processes, also where the option file has none, counts when `--force_yml` sets it, and every dataset learns it;
    everything is checked that can be checked before a folder is made or archived.
    """
    parse = host_options.parse_options

    def parse_options(root_path: str, is_train: bool = True) -> tuple[dict, Namespace]:
        opt, args = parse(root_path, is_train)
        used, unused = ('experiments_root', 'results_root') if is_train else ('results_root', 'experiments_root')
        _honour_root(opt, args, used)
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


def _report_missing(missing: dict[str, str], rank: int) -> None:
    for name, reason in missing.items() if rank == 0 else ():
        print(f'val.metrics.{name}: n/a: {reason}', flush=True)  # the host's logger does not exist yet


def _agree_on_seed(opt: dict) -> None:
    seed = [opt['manual_seed']]
    if opt['dist']:
        dist.broadcast_object_list(seed)
    opt['manual_seed'] = seed[0]
    set_random_seed(seed[0] + opt['rank'])  # again: the host seeds before it reads --force_yml


def _honour_root(opt: dict, args: Namespace, key: str) -> None:
    root = _wished_root(args, key)
    if root is None:
        return
    folder = os.path.join(os.path.abspath(os.path.expanduser(root)), opt['name'])
    opt['path'][key] = folder
    for name, subfolder in _SUBFOLDERS.items():
        if name in opt['path']:
            opt['path'][name] = os.path.join(folder, subfolder) if subfolder else folder


def _wished_root(args: Namespace, key: str) -> str | None:
    """Read `path.<key>` again, because the host has overwritten it; `--force_yml` wins over the file."""
    for entry in reversed(args.force_yml or []):
        name, _, value = entry.partition('=')
        if name.strip() == f'path:{key}':
            return None if value.strip() == '~' else value.strip()
    return (read_option_file(args.opt).get('path') or {}).get(key)
