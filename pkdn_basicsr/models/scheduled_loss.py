"""A loss of the option file that fades out or ends."""

from collections.abc import Mapping

import torch
from basicsr.losses import build_loss
from torch import nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.losses import LossSchedule


class ScheduledLoss:
    """A registered loss and its factor over the iterations.

    Args:
        loss: The loss.
        schedule: Iteration (from 1) -> factor in [0, 1].
    """

    def __init__(self, loss: nn.Module, schedule: LossSchedule) -> None:
        self.loss = loss
        self.schedule = schedule

    @classmethod
    def from_options(cls, train_opt: dict, key: str, device: torch.device | str = 'cpu') -> 'ScheduledLoss | None':
        """Build the loss `train_opt[key]`: its `type` and arguments, with an optional `schedule`.

        Args:
            train_opt: The `train` part of the option file.
            key: The loss's key in it.
            device: Where the loss is to work.

        Returns:
            None where the option file has no such loss.

        Raises:
            UsageError: A schedule with unknown or contradicting arguments.
        """
        if not train_opt.get(key):
            return None
        opt = {name: value for name, value in train_opt[key].items() if name not in ('levels', 'schedule')}
        return cls(build_loss(opt).to(device), read_schedule(train_opt, key))


def read_schedule(train_opt: dict, key: str) -> LossSchedule:
    """Read `train_opt[key]['schedule']`; a loss without one is constant.

    Raises:
        UsageError: Unknown or contradicting arguments.
    """
    where, opt = f'train.{key}.schedule', (train_opt.get(key) or {}).get('schedule') or {}
    if not isinstance(opt, Mapping):
        raise UsageError(f'{where}: expected its arguments, like {{type: linear, end_iter: 5000}}, found {opt!r}')
    try:
        return LossSchedule(**opt)
    except (TypeError, ValueError) as error:
        raise UsageError(f'{where}: {error}') from None


def check_gives_one_value(where: str, loss: object) -> None:
    """Refuse the loss of the host that gives two values, the perceptual and the style loss.

    Raises:
        UsageError: `loss`, the name of a type, is that one.
    """
    if loss == 'PerceptualLoss':
        raise UsageError(f'{where}: expected a loss of one value, found {loss}, which gives two; it is for '
                         'train.perceptual_opt')
