"""A loss of the option file that fades out or ends."""

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
    try:
        return LossSchedule(**((train_opt.get(key) or {}).get('schedule') or {}))
    except (TypeError, ValueError) as error:
        raise UsageError(f'train.{key}.schedule: {error}') from None
