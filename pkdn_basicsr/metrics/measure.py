"""All metrics of one result."""

import inspect
import math
from collections.abc import Mapping, Sequence

import numpy as np
from basicsr.metrics import calculate_metric
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import UsageError

DECIMALS = 6
"""Decimals that are kept of a value; what is written to a file is then what everything else was computed from."""


def measure(metrics: Mapping[str, dict], result: np.ndarray, truth: np.ndarray | None, image: str) -> dict[str, float]:
    """Compute every metric of one picture.

    Args:
        metrics: `val.metrics` of an option file: free name -> `{type, ...}`.
        result: uint8 (H, W, 3), BGR.
        truth: The same of the true picture; None where there is none.
        image: The picture's name, for errors.

    Returns:
        Metric name -> value, rounded to `DECIMALS`; NaN where the metric says that the picture has none.

    Raises:
        UsageError: A metric cannot be computed; the message names metric and picture.
    """
    pictures = {'img': result} if truth is None else {'img': result, 'img2': truth}
    values = {}
    for name, opt in metrics.items():
        if truth is None and _needs_truth(opt['type']):
            raise UsageError(f'val.metrics.{name}: {opt["type"]} compares with the true picture, but the data set has '
                             f'none for {image}; give dataroot_gt or leave the metric out')
        try:
            values[name] = round(float(calculate_metric(pictures, opt)), DECIMALS)
        except Exception as error:  # a metric may be anybody's, and the host's assert
            words = ' '.join(str(error).split()) or 'it gives no reason'
            kind = '' if isinstance(error, UsageError | AssertionError) else f'{type(error).__name__}: '
            raise UsageError(f'val.metrics.{name}: {image}: {opt["type"]} cannot be computed: {kind}{words}') from error
    return values


def mean_known(values: Sequence[float] | np.ndarray) -> float:
    """Return the mean over the pictures that have a finite value; NaN where none has.

    A result equal to the truth has a PSNR of infinity, which would swallow all others.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else math.nan


def _needs_truth(metric: str) -> bool:
    parameter = inspect.signature(METRIC_REGISTRY.get(metric)).parameters.get('img2')
    return parameter is not None and parameter.default is parameter.empty
