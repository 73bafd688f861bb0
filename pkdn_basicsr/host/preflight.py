"""What is looked at before BasicSR makes folders, and archives those of an earlier run.

A class of ours that can tell early whether its options are right offers `check(opt)`, which raises UsageError. Nothing
here may use BasicSR's logger: its first use decides on the log file, and that is named later.
"""

import copy
import difflib
import inspect
import os

import torch
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, MODEL_REGISTRY, Registry

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.network_limits import check_windows

_NEEDED = ('name', 'model_type', 'num_gpu', 'datasets', 'network_g', 'path')
_NEEDED_IN_TRAINING = ('scale', 'train', 'logger')
_STEP_OPTIONS = ('amp', 'channels_last', 'compile', 'grad_clip', 'accumulate', 'activation_checkpointing')


def check_frame(opt: dict, file: str, is_train: bool) -> None:
    """Check that an option file has the sections that BasicSR reads without asking.

    Raises:
        UsageError: A section is missing or is no section.
    """
    for key in _NEEDED + (_NEEDED_IN_TRAINING if is_train else ()):
        if key not in opt:
            raise UsageError(f'{file}: the key {key} is missing')
    if not isinstance(opt['name'], str):
        raise UsageError(f"{file}: name must be a word, found {opt['name']!r}; put it in quotes")
    for key in ('datasets', 'path', *(('train', 'logger') if is_train else ())):
        if not isinstance(opt[key], dict):
            raise UsageError(f'{file}: {key} must hold keys and values, found {opt[key]!r}')
    for phase, dataset_opt in opt['datasets'].items():
        for key in ('name', 'type'):
            if not isinstance(dataset_opt, dict) or key not in dataset_opt:
                raise UsageError(f'{file}: datasets.{phase} has no {key}')


def check_run(opt: dict) -> None:
    """Check schedule, checkpoints, data sets, model and networks of parsed options.

    Raises:
        UsageError: Something that would end the run after its folders were made.
    """
    if opt['is_train']:
        _check_schedule(opt['train'])
    for phase, dataset_opt in opt['datasets'].items():
        _ask(_registered(DATASET_REGISTRY, dataset_opt['type'], f'datasets.{phase}.type'), dataset_opt)
    model = _registered(MODEL_REGISTRY, opt['model_type'], 'model_type')
    if opt['is_train']:
        _check_step_options(opt['train'], model)
    _ask(model, opt)
    for key in ('network_g', 'network_t'):
        if key in opt:
            check_windows(opt, key)
            _check_network(opt, key)
    _check_checkpoints(opt)


def _registered(registry: Registry, name: str, where: str) -> type:
    if name in registry or f'{name}_basicsr' in registry:
        return registry.get(name)
    nearest = difflib.get_close_matches(str(name), registry.keys(), n=1, cutoff=0.)[0]
    raise UsageError(f"{where}: '{name}' is not registered; did you mean '{nearest}'? "
                     f'Known: {", ".join(sorted(registry.keys()))}')


def _ask(cls: type, opt: dict) -> None:
    if hasattr(cls, 'check'):
        cls.check(copy.deepcopy(opt))


def _check_schedule(train_opt: dict) -> None:
    """BasicSR's cosine schedule fails in the first iteration after its last period."""
    scheduler = train_opt.get('scheduler') or {}
    total = int(train_opt.get('total_iter') or 0)
    if scheduler.get('type') == 'CosineAnnealingRestartLR' and sum(scheduler.get('periods') or [total]) < total:
        raise UsageError(f"train.scheduler.periods {scheduler['periods']} end before total_iter {total}; make them at "
                         'least as long')


def _check_step_options(train_opt: dict, model: type) -> None:
    """BasicSR's own models would pass over the options of our training step without a word."""
    unknown = [f'train.{key}' for key in _STEP_OPTIONS if train_opt.get(key)]
    if unknown and model.__module__.startswith('basicsr.'):
        raise UsageError(f'model_type: {model.__name__} does not know {", ".join(unknown)}; FaceSRModel, which trains '
                         'as SRModel does, knows them')


def _check_network(opt: dict, key: str) -> None:
    """Build our own networks without memory (meta device) and send one face of each data set through them."""
    network_opt = dict(opt[key])
    cls = ARCH_REGISTRY.get(network_opt.pop('type'))
    if not cls.__module__.startswith('pkdn_basicsr.'):
        return  # other people's constructors may not take it
    sizes = {dataset_opt['gt_size'] for dataset_opt in opt['datasets'].values() if dataset_opt.get('gt_size')}
    try:
        with torch.device('meta'), torch.no_grad():
            net = cls(**network_opt).eval()  # BatchNorm of a pooled face takes no batch of one in training
            for size in sizes if 'scale' in opt else ():
                inputs = [torch.zeros(1, 3, size // opt['scale'], size // opt['scale'])]
                if 'parsing' in inspect.signature(net.forward).parameters:
                    inputs.append(torch.zeros(1, net.num_classes, size, size))
                net(*inputs)
    except ValueError as error:
        raise UsageError(f'{key}: {error}') from None


def _check_checkpoints(opt: dict) -> None:
    resuming = opt['auto_resume'] or opt['path'].get('resume_state')  # then the host looks elsewhere
    for key, path in opt['path'].items():
        if key.startswith('pretrain_network_') and path and not resuming and not os.path.isfile(path):
            raise UsageError(f'path.{key}: no such file: {os.path.abspath(path)}')
    if not opt['is_train'] and not opt['path'].get('pretrain_network_g'):
        network_opt = dict(opt['network_g'])
        net = ARCH_REGISTRY.get(network_opt.pop('type'))(**network_opt)
        if any(True for _ in net.parameters()):
            raise UsageError(f'path.pretrain_network_g is not set: testing {type(net).__name__} needs the weights that '
                             'training has left in experiments/<name>/models/')
