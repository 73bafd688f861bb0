"""How much a loss counts at an iteration."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

ScheduleType = Literal['constant', 'linear', 'cosine']


@dataclass(frozen=True)
class LossSchedule:
    r"""A factor in [0, 1] that depends on the iteration only, so that a resumed run goes on where it stopped.

    The factor is 0 before `start_iter` and after `end_iter`. Between them, with
    :math:`p = (i - \text{start}) / (\text{end} - \text{start})`, it is 1 (`constant`), :math:`1 - p` (`linear`) or
    :math:`(1 + \cos \pi p) / 2` (`cosine`).

    KDFSRNet (Wang et al., TCSVT 2022, and its code) trains with a feature weight of 10 that falls linearly to 0 over
    ten epochs, and a constant weight on the teacher's output that is dropped at the same time: `linear` and `constant`
    with the same `end_iter`. It steps once an epoch; a step an iteration is our choice, as BasicSR counts iterations.

    Args:
        type: The course between the ends.
        start_iter: First iteration that counts; 0 = from the start of training.
        end_iter: Last iteration that counts, later than `start_iter`; None = never ends (`constant` only).

    Example:
        >>> falling = LossSchedule('linear', end_iter=100)
        >>> falling(25), falling(50), falling(101)
        (0.75, 0.5, 0.0)
    """

    type: ScheduleType = 'constant'
    start_iter: int = 0
    end_iter: int | None = None

    def __post_init__(self) -> None:
        if self.type not in get_args(ScheduleType):
            raise ValueError(f'type must be one of {", ".join(get_args(ScheduleType))}, but is {self.type!r}')
        for name, value in (('start_iter', self.start_iter), ('end_iter', self.end_iter or 0)):
            if not isinstance(value, int):
                raise ValueError(f'{name} must be a whole number, but is {value!r}')
        if self.end_iter is None and self.type != 'constant':
            raise ValueError(f'a {self.type} schedule falls to 0 at end_iter, but end_iter is not given')
        if self.end_iter is not None and self.end_iter <= self.start_iter:
            raise ValueError(f'end_iter must be later than start_iter {self.start_iter}, but is {self.end_iter}')

    def __call__(self, iteration: int) -> float:
        """The factor, in [0, 1], at an iteration (1-based, as BasicSR counts)."""
        if iteration < self.start_iter or (self.end_iter is not None and iteration > self.end_iter):
            return 0.0
        if self.type == 'constant':
            return 1.0
        progress = (iteration - self.start_iter) / (self.end_iter - self.start_iter)
        if self.type == 'linear':
            return 1.0 - progress
        return (1.0 + math.cos(math.pi * progress)) / 2.0
