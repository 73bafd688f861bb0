"""A measured value and how far it varies."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median and quartiles; unlike mean and deviation they are not moved by the rounds in which somebody else ran.

    Attributes:
        median: Half of the values are smaller.
        low: A quarter of the values is smaller.
        high: A quarter of the values is larger.
        count: Number of values.
    """

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> 'Spread':
        """Return the spread of values, of which there must be one at least."""
        values = list(values)
        low, median, high = np.quantile(values, [.25, .5, .75]).tolist()
        return cls(median, low, high, len(values))

    @classmethod
    def of_ratios(cls, values: Iterable[float], others: Iterable[float]) -> 'Spread':
        """Return the spread of ratios of neighbours: a machine that slows down slows both alike."""
        return cls.of(value / other for value, other in zip(values, others, strict=True))

    def text(self, digits: int, factor: float = 1) -> str:
        """Return `median (low to high)`.

        Args:
            digits: After the point.
            factor: What is shown is this many times the value.
        """
        return f'{factor * self.median:.{digits}f} ({factor * self.low:.{digits}f} to {factor * self.high:.{digits}f})'
