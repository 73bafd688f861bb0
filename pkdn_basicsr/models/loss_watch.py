"""Losses that are not finite, found without waiting for the device in every iteration."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from pkdn_basicsr.host import run
from pkdn_basicsr.host.failure import finite
from pkdn_basicsr.host.failure.together import raise_in_all

_AT_MOST = 1000  # iterations that are kept unseen


@dataclass(frozen=True)
class _Step:
    iteration: int
    losses: Mapping[str, Tensor]
    rates: Sequence[float]
    files: Sequence[str]


class LossWatch:
    """Keeps the losses of the last iterations on the device until somebody looks at them.

    Args:
        opt: The run's options.
        device: Where losses are.
    """

    def __init__(self, opt: dict, device: torch.device) -> None:
        self.opt = opt
        self.device = device
        self._unseen: list[_Step] = []

    def keep(self, iteration: int, losses: Mapping[str, Tensor], rates: Sequence[float]) -> None:
        """Remember an iteration; every process must do so.

        Args:
            iteration: From 1.
            losses: Scalars without a graph.
            rates: Learning rates of the parameter groups.
        """
        self._unseen.append(_Step(iteration, losses, rates, run.current.files))
        if len(self._unseen) == _AT_MOST:
            self.check()

    def check(self) -> None:
        """Look at all iterations since the last time; every process must do so.

        Raises:
            UsageError: In one of them a loss was NaN or Inf, in this process or another one.
        """
        steps, self._unseen = self._unseen, []
        if not steps:
            return
        step = self._first_bad(steps)
        if step is not None:
            raise_in_all(self._message(step))

    def _first_bad(self, steps: Sequence[_Step]) -> _Step | None:
        """Return the first step with a bad loss in any process, as this process knows it."""
        finite_steps = torch.stack([_are_finite(step.losses) for step in steps]).int()
        if self.opt['dist']:
            dist.all_reduce(finite_steps, dist.ReduceOp.MIN)
        return next((step for step, is_finite in zip(steps, finite_steps.tolist(), strict=True) if not is_finite), None)

    def _message(self, step: _Step) -> str | None:
        """Return what this process has to say about it."""
        bad = {name: value for name, loss in step.losses.items() if not math.isfinite(value := loss.mean().item())}
        if not bad:
            return None
        return finite.describe(step.iteration, bad, step.rates, step.files) + finite.consequence(self.opt)


def _are_finite(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([loss.float().mean() for loss in losses.values()]).isfinite().all()
