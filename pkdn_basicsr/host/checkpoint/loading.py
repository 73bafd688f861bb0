"""Checkpoints read as plain tensors, and what a user is told when they do not fit a network."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import basicsr.test
import basicsr.train
from basicsr.models.base_model import BaseModel
from basicsr.utils import get_root_logger
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.checkpoint.weights_file import read_weights
from pkdn_basicsr.host.checkpoint.weights_mismatch import explain_mismatch


def say_which_weights_do_not_fit() -> None:
    """Replace `BaseModel.load_network`, and wrap `make_exp_dirs`.

    BasicSR 1.4.2 (`models/base_model.py:277-304`) reads a checkpoint by `torch.load` with its default, which before
    torch 2.6 runs code that the file brings along; takes no `.safetensors`; logs every key that does not fit and then
    ends in torch's list of them, or in a bare KeyError or UnpicklingError; no issue known.
    When it gets there, it has made folders and renamed those of an earlier run, so that one looks before, too.
    """
    BaseModel.load_network = load_network
    for module in (basicsr.train, basicsr.test):
        module.make_exp_dirs = _check_first(module.make_exp_dirs)


def load_network(self: BaseModel, net: nn.Module, load_path: str, strict: bool = True,
                 param_key: str | None = 'params') -> None:
    """Load weights into a network.

    Args:
        self: The model.
        net: Network, bare or wrapped.
        load_path: File of the weights, see `read_weights`.
        strict: Whether every weight must be there and fit; otherwise those of another size are left out, and the log
            says which.
        param_key: Where the weights lie in the file, see `read_weights`.

    Raises:
        UsageError: The file cannot be read or does not fit; the message names the file and the network.
    """
    net = self.get_bare_model(net)
    with _naming(load_path, net):
        weights, found = read_weights(load_path, param_key)
        get_root_logger().info(f'Loading {type(net).__name__} model from {load_path}, with param key: [{found}].')
        if not strict:
            self._print_different_keys_loading(net, weights, strict)  # renames what has another size
        _load(net, weights, strict)


def _check_first(make_exp_dirs: Callable[[dict], None]) -> Callable[[dict], None]:
    def check_and_make(opt: dict) -> None:
        for network, network_opt in opt.items():
            path = opt['path'].get(f'pretrain_{network}') if network.startswith('network_') else None
            if path:
                _check(network_opt, path, **_how_loaded(opt['path'], network.removeprefix('network_')))
        make_exp_dirs(opt)

    return check_and_make


def _how_loaded(path_opt: dict, label: str) -> dict:
    """Return the arguments with which the host's models call `load_network`."""
    return {'strict': path_opt.get(f'strict_load_{label}', True),
            'param_key': path_opt.get(f'param_key_{label}', 'params')}


def _check(network_opt: dict, path: str, strict: bool, param_key: str | None) -> None:
    """Find out whether a network can take its weights; nothing here may use the host's logger."""
    arguments = dict(network_opt)
    net = ARCH_REGISTRY.get(arguments.pop('type'))(**arguments)
    with _naming(path, net):
        weights, _ = read_weights(path, param_key)
        if strict:
            _load(net, weights, strict)


@contextmanager
def _naming(path: str, net: nn.Module) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise UsageError(f'{os.path.abspath(path)} does not fit {type(net).__name__}: {error}') from error.__cause__


def _load(net: nn.Module, weights: dict, strict: bool) -> None:
    try:
        net.load_state_dict(weights, strict=strict)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:  # RuntimeError unless the file is damaged
        raise UsageError(f'{explain_mismatch(net, weights, error)}; write the network as in the option file of the run '
                         'that trained it') from error
