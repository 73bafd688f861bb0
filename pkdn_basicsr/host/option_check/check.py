"""All checks of an option file, in their order."""

import copy
import os
from collections.abc import Mapping

import torch

from pkdn_basicsr.host.option_check.classes import ask_datasets, ask_model, try_networks
from pkdn_basicsr.host.option_check.components import look_at_components
from pkdn_basicsr.host.option_check.files import check_data_files, check_network_files
from pkdn_basicsr.host.option_check.frame import check_frame
from pkdn_basicsr.host.option_check.keys import check_keys
from pkdn_basicsr.host.option_check.kinds import check_kinds
from pkdn_basicsr.host.option_check.machine import check_gpus
from pkdn_basicsr.host.option_check.metrics import look_at_metrics
from pkdn_basicsr.host.option_check.problems import Problems, section
from pkdn_basicsr.host.option_check.surprises import check_surprises
from pkdn_basicsr.host.option_check.training import check_training
from pkdn_basicsr.weights.shipped import shipped_or_path


def find_problems(opt: Mapping, problems: Problems) -> None:
    """Look at everything that can be looked at before a run.

    Args:
        opt: Options as `prepared` returns them.
        problems: Where to note what is wrong.
    """
    check_frame(opt, problems)
    check_keys(opt, problems)
    check_kinds(opt, problems)
    look_at_components(opt, problems)
    if opt['is_train']:
        check_training(opt, problems)
    look_at_metrics(copy.deepcopy(section(opt, 'val', 'metrics')), problems)
    check_data_files(opt, problems)
    ask_datasets(opt, problems)
    ask_model(opt, problems)
    check_network_files(opt, problems)
    try_networks(opt, problems)
    check_gpus(opt, problems)
    check_surprises(opt, problems)


def prepared(opt: Mapping, is_train: bool, auto_resume: bool = False, dist: bool = False, debug: bool = False) -> dict:
    """Return options with what BasicSR's `parse_options` and `host/options.py` add, as far as it can be told before.

    Args:
        opt: What the option file says; may be wrong in any way.
        is_train: Whether they are for training.
        auto_resume: Whether the command line says `--auto_resume`.
        dist: Whether there are several processes.
        debug: Whether the command line says `--debug`.
    """
    opt = copy.deepcopy(dict(opt))
    opt.update(is_train=is_train, auto_resume=auto_resume, dist=dist, debug=debug)
    if opt.get('num_gpu') == 'auto':
        opt['num_gpu'] = torch.cuda.device_count()
    for phase, dataset_opt in section(opt, 'datasets').items():
        if isinstance(dataset_opt, dict):
            dataset_opt['phase'] = str(phase).split('_')[0]
            if 'scale' in opt:
                dataset_opt['scale'] = opt['scale']
            for root in ('dataroot_gt', 'dataroot_lq'):
                if isinstance(dataset_opt.get(root), str):
                    dataset_opt[root] = os.path.expanduser(dataset_opt[root])
    if isinstance(opt.get('path'), dict):
        find_shipped_weights(opt['path'])
    return opt


def find_shipped_weights(path_opt: dict) -> None:
    """Let `pretrain_network_*` name weights of this package, wherever it is installed."""
    for key, weights in path_opt.items():
        if str(key).startswith('pretrain_network_') and isinstance(weights, str):
            path_opt[key] = shipped_or_path(weights)
