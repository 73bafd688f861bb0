"""What data sets, models and networks say themselves about their options.

A class that can tell early whether its options are right offers `check(opt)`, which raises UsageError. Nothing here may
use BasicSR's logger: its first use decides on the log file, and that is named later.
"""

import copy
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, MODEL_REGISTRY

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.failure.bad_files import check_on_bad_file
from pkdn_basicsr.host.option_check.frame import find, registered
from pkdn_basicsr.host.option_check.network_limits import check_windows
from pkdn_basicsr.host.option_check.problems import Problems, section


def ask_model(opt: Mapping, problems: Problems) -> None:
    """Ask the model's class."""
    if 'model_type' in opt:
        _ask(registered(MODEL_REGISTRY, opt['model_type'], 'model_type', problems), opt, 'model_type', opt, problems)


def ask_datasets(opt: Mapping, problems: Problems) -> None:
    """Ask the classes of those data sets in which nothing else is wrong: they name one mistake at a time."""
    for phase, dataset_opt in section(opt, 'datasets').items():
        where = f'datasets.{phase}'
        if not problems.has_errors(where) and isinstance(dataset_opt, Mapping):
            cls = registered(DATASET_REGISTRY, dataset_opt['type'], f'{where}.type', problems)
            with problems.caught(where, opt):
                check_on_bad_file(dataset_opt)
            _ask(cls, dataset_opt, where, opt, problems)


def try_networks(opt: Mapping, problems: Problems) -> None:
    """Build our own networks without memory (meta device) and send one face of each data set through them."""
    for key in ('network_g', 'network_t'):
        if not section(opt, key) or problems.has_errors(key) or problems.has_errors('scale'):
            continue
        with problems.caught(key, opt), _in_one_line(key, problems):
            check_windows(opt, key)
            _try_network(opt, key)


def _ask(cls: type | None, own_opt: Mapping, where: str, opt: Mapping, problems: Problems) -> None:
    if not hasattr(cls, 'check'):
        return
    with problems.caught(where, opt), _in_one_line(f'{where}: {cls.__name__}', problems):
        cls.check(copy.deepcopy(own_opt))


@contextmanager
def _in_one_line(where: str, problems: Problems) -> Iterator[None]:
    """Make a UsageError of whatever a value that nobody has thought of makes a class raise.

    Where other mistakes are known already it probably follows from them, and is left out.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        if not problems.has_errors():
            raise UsageError(f'{where}: {type(error).__name__}: {" ".join(str(error).split())}') from None


def _try_network(opt: Mapping, key: str) -> None:
    network_opt = dict(opt[key])
    cls = find(ARCH_REGISTRY, network_opt.pop('type'))
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
