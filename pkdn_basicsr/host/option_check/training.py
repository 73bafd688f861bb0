"""Optimizers and schedules of an option file, tried on a parameter of one number."""

import copy
from collections.abc import Mapping

import torch
from basicsr.models import lr_scheduler
from torch import nn

from pkdn_basicsr.host.optimizers import torch_optimizers
from pkdn_basicsr.host.option_check.components import look_at_arguments
from pkdn_basicsr.host.option_check.problems import Problems, section, suggest

_SCHEDULERS = {'MultiStepLR': lr_scheduler.MultiStepRestartLR, 'MultiStepRestartLR': lr_scheduler.MultiStepRestartLR,
               'CosineAnnealingRestartLR': lr_scheduler.CosineAnnealingRestartLR}
_REFUSALS = (ArithmeticError, AssertionError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)


def check_training(opt: Mapping, problems: Problems) -> None:
    """Check `train.optim_*` and `train.scheduler`.

    Args:
        opt: Options of a run.
        problems: Where to note unknown types and arguments, and values that are refused.
    """
    train_opt = section(opt, 'train')
    for key in train_opt:
        if str(key).startswith('optim_') and isinstance(train_opt[key], Mapping):
            _check_optimizer(f'train.{key}', train_opt[key], problems)
    if section(train_opt, 'scheduler'):
        _check_scheduler(train_opt['scheduler'], problems)
        _check_periods(train_opt, problems)


def _check_optimizer(where: str, optim_opt: Mapping, problems: Problems) -> None:
    arguments = _arguments(where, optim_opt, torch_optimizers(), ('params',), problems)
    if arguments is None:
        return
    if 'lr' not in arguments:
        problems.error(f'{where}.lr', 'is missing; expected the learning rate, a number')
        return
    _try(where, optim_opt['type'], lambda: torch_optimizers()[optim_opt['type']](_parameter(), **arguments), problems)


def _check_scheduler(scheduler_opt: Mapping, problems: Problems) -> None:
    where = 'train.scheduler'
    arguments = _arguments(where, scheduler_opt, _SCHEDULERS, ('optimizer',), problems)
    if arguments is not None:
        optimizer = torch.optim.SGD(_parameter(), lr=1.)
        _try(where, scheduler_opt['type'], lambda: _SCHEDULERS[scheduler_opt['type']](optimizer, **arguments), problems)


def _check_periods(train_opt: Mapping, problems: Problems) -> None:
    """BasicSR's cosine schedule fails in the first iteration after its last period."""
    scheduler, total = train_opt['scheduler'], train_opt.get('total_iter')
    if scheduler.get('type') != 'CosineAnnealingRestartLR' or problems.has_errors('train.scheduler') \
            or problems.has_errors('train.total_iter') or total is None:
        return
    if sum(scheduler['periods']) < int(total):
        problems.error('train.scheduler.periods', f"{scheduler['periods']} end before total_iter {int(total)}; make "
                                                  'them at least as long')


def _arguments(where: str, component: Mapping, known: Mapping[str, type], given: tuple[str, ...],
               problems: Problems) -> dict | None:
    """Return the arguments, or None where they are noted as wrong."""
    name = component.get('type')
    if not isinstance(name, str) or name not in known:
        problems.error(f'{where}.type', f"'{name}' is unknown; {suggest(name, known)}")
        return None
    arguments = {str(key): copy.deepcopy(value) for key, value in component.items() if key != 'type'}
    look_at_arguments(where, name, arguments, known[name], problems, given)
    return None if problems.has_errors(where) else arguments


def _try(where: str, name: str, build, problems: Problems) -> None:
    try:
        build()
    except _REFUSALS as error:
        problems.error(where, f'{name} does not take these values: {" ".join(str(error).split())}')


def _parameter() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(1))]
