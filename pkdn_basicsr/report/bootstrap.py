"""How certain a mean, and the difference between two methods, is."""

import warnings

import numpy as np

LEVEL = 0.95
RESAMPLES = 10_000
_CHUNK = 500  # resamples at a time, so that memory does not grow with their number


def intervals(values: np.ndarray, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return percentile bootstrap intervals of means over faces (Efron and Tibshirani 1993, chapter 13).

    All columns see the same resampled faces. A face without a value (NaN) is left out of its column's means.

    Args:
        values: One row a face, one column a quantity, (N, M). The difference of two methods on the same faces gives a
            paired interval: what makes a face hard for both cancels out.
        level: Share of the resampled means inside the interval.
        resamples: How often N faces are drawn with replacement.
        seed: The same seed gives the same intervals.

    Returns:
        Lower and upper end for each column, (M, 2); NaN for a column without values.

    Raises:
        ValueError: There is no face.
    """
    if values.ndim != 2 or not len(values):
        raise ValueError(f'expected a table with a row for each face, found shape {values.shape}')
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.)
    rng = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, _CHUNK):
        draws = _count_draws(rng, len(values), min(_CHUNK, resamples - start))
        with np.errstate(invalid='ignore'):  # 0 / 0 where no face that was drawn has a value
            means.append(draws @ filled / (draws @ known))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # numpy's words for a column without values
        return np.nanquantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2], axis=0).T


def _count_draws(rng: np.random.Generator, faces: int, resamples: int) -> np.ndarray:
    """Return how often each face is drawn in each resample, (resamples, faces)."""
    drawn = rng.integers(0, faces, (resamples, faces)) + faces * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * faces).reshape(resamples, faces).astype(np.float64)
