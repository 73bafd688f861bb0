"""How certain the difference between two methods is."""

import numpy as np

_CHUNK = 1000  # resamples at a time, so that memory does not grow with their number


def paired_interval(values: np.ndarray, reference: np.ndarray, level: float = 0.95, resamples: int = 10_000,
                    seed: int = 0) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean difference (Efron and Tibshirani 1993, chapter 13).

    Paired: the faces are drawn with replacement, and both methods are taken on the same faces, so that what makes a
    face hard for both cancels out.

    Args:
        values: A metric of one method on every face, (N,).
        reference: The same of the method compared with, on the same faces, (N,).
        level: Share of the resampled means inside the interval.
        resamples: How often the faces are drawn.
        seed: The same seed gives the same interval.

    Returns:
        Lower and upper end of the interval of mean(values - reference).

    Raises:
        ValueError: Unequal numbers of faces, or none.
    """
    if values.shape != reference.shape or values.ndim != 1 or not values.size:
        raise ValueError(f'expected two equally long lists of values, found shapes {values.shape} and '
                         f'{reference.shape}')
    differences = values - reference
    rng = np.random.default_rng(seed)
    means = np.concatenate([
        differences[rng.integers(0, differences.size, (min(_CHUNK, resamples - start), differences.size))].mean(1)
        for start in range(0, resamples, _CHUNK)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
