"""NaN and Inf in losses and weights: the run stops before they reach the disk."""

import math
import os
from collections.abc import Mapping, Sequence

import torch
from basicsr.models.base_model import BaseModel
from torch import nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.last_checkpoint import how_to_go_on


def stop_at_values_that_are_not_finite() -> None:
    """Wrap `BaseModel.reduce_loss_dict`, by which the host's models fetch the losses of every iteration, and saving.

    BasicSR 1.4.2 trains on with NaN and saves it, of which `nan` in the log is the only sign; no issue known. Models of
    ours fetch their losses more rarely, and ask `LossWatch` first.
    """
    fetch, save = BaseModel.reduce_loss_dict, BaseModel.save_network

    def reduce_loss_dict(self: BaseModel, loss_dict: Mapping) -> dict[str, float]:
        log = fetch(self, loss_dict)
        bad = {name: value for name, value in log.items() if name.startswith('l_') and not math.isfinite(value)}
        if bad and self.opt['rank'] == 0:  # the sum over the processes is nowhere else
            raise UsageError(describe(run.current.iteration, bad, self.get_current_learning_rate(), run.current.files)
                             + consequence(self.opt))
        return log

    def save_network(self: BaseModel, net, net_label: str, *args, **kwargs) -> None:
        nets = net if isinstance(net, list) else [net]
        _refuse_bad_weights([self.get_bare_model(network) for network in nets], net_label, self.opt)
        save(self, net, net_label, *args, **kwargs)

    BaseModel.reduce_loss_dict = reduce_loss_dict
    BaseModel.save_network = save_network


def describe(iteration: int, bad: Mapping[str, float], rates: Sequence[float], files: Sequence[str]) -> str:
    """Return the beginning of a message.

    Args:
        iteration: The one under way.
        bad: Losses that are not finite, by name.
        rates: Learning rates of the parameter groups.
        files: The batch.
    """
    losses = ', '.join(f'{name} = {value}' for name, value in bad.items())
    rate = ', '.join(f'{rate:.3g}' for rate in dict.fromkeys(map(float, rates)))
    return f'iteration {iteration}: {losses}, at learning rate {rate}{_batch(files)}'


def consequence(opt: dict) -> str:
    """Return the end of that message."""
    return ('; the run stops, nothing of this is saved; a resumed run comes to the same batch: look at its files, set '
            f'train.grad_clip, or begin anew with a lower learning rate; {how_to_go_on(opt)}')


def _refuse_bad_weights(nets: Sequence[nn.Module], label: str, opt: dict) -> None:
    """Look at what is about to be saved: a gradient can spoil the weights although the loss was finite."""
    parameters = [entry for net in nets for entry in net.named_parameters()]
    if not parameters or torch.stack([value.isfinite().all() for _, value in parameters]).all():
        return
    bad = [name for name, value in parameters if not value.isfinite().all()]
    raise UsageError(f'{label}: {len(bad)} of {len(parameters)} parameters are NaN or Inf, the first is {bad[0]}; the '
                     'run stops and does not save them: set train.grad_clip, or begin anew with a lower learning rate; '
                     f'{how_to_go_on(opt)}')


def _batch(files: Sequence[str]) -> str:
    if not files:
        return ''
    folder = os.path.commonpath([os.path.dirname(file) for file in files])
    names = ', '.join(os.path.relpath(file, folder) if folder else file for file in files)
    return f', with the batch {names}' + (f' of {folder}' if folder else '')
