"""pyiqa (Chen et al., "IQA-PyTorch"): each of its metrics of single pictures as `type: pyiqa_<name>`.

They are registered one by one, when an option file names them, so that pyiqa is imported by nobody else.
"""

import difflib
import functools
import textwrap
from collections.abc import Callable

import numpy as np
import torch
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import MissingError, UsageError

PREFIX = 'pyiqa_'
_OF_FOLDERS = ('fid', 'fid_dinov2', 'inception_score', 'sfid')


def offer_pyiqa_metric(metric: str) -> None:
    """Register a metric of pyiqa in METRIC_REGISTRY, as `f(img[, img2], crop_border=0)` on uint8 BGR pictures.

    Its direction and whether it takes the true picture are what pyiqa says. Its `check` makes it, for which pyiqa
    fetches weights that are not there yet.

    Args:
        metric: `pyiqa_` and a name of `pyiqa.list_models()`. One that is registered already is left as it is.

    Raises:
        UsageError: pyiqa has no such metric, or one that does not judge single pictures. Where pyiqa itself is missing,
            `check` says so.
    """
    if metric in METRIC_REGISTRY:
        return
    name = metric.removeprefix(PREFIX)
    settings = _settings(name)

    if settings.get('metric_mode') == 'FR':
        def calculate(img: np.ndarray, img2: np.ndarray, crop_border: int = 0, **kwargs) -> float:
            return _score(name, crop_border, img, img2)
    else:
        def calculate(img: np.ndarray, crop_border: int = 0, **kwargs) -> float:
            return _score(name, crop_border, img)

    calculate.__name__ = metric
    calculate.check = _checker(name)
    if settings:
        calculate.better = 'lower' if settings.get('lower_better') else 'higher'
    METRIC_REGISTRY.register(calculate)


def _settings(name: str) -> dict:
    """Return what pyiqa says of a metric; nothing where there is no pyiqa."""
    try:
        from pyiqa.default_model_configs import DEFAULT_CONFIGS
    except ImportError:
        return {}
    if name in _OF_FOLDERS:
        raise UsageError(f'{PREFIX}{name} compares folders, not pictures; compute it by pyiqa itself, from the results '
                         'of a run')
    if name not in DEFAULT_CONFIGS:
        nearest = difflib.get_close_matches(name, DEFAULT_CONFIGS, n=1, cutoff=0.)[0]
        raise UsageError(f"{PREFIX}{name}: pyiqa has no metric '{name}'; did you mean {PREFIX}{nearest}? "
                         'pyiqa.list_models() has them all')
    return DEFAULT_CONFIGS[name]


def _checker(name: str) -> Callable[..., None]:
    def check(**kwargs) -> None:
        _make(name, 'cpu')  # before a run nobody knows yet which GPU is whose
    return check


@functools.lru_cache(maxsize=8)
def _make(name: str, device: str) -> torch.nn.Module:
    try:
        import pyiqa
        return pyiqa.create_metric(name, device=torch.device(device))
    except (ImportError, KeyError) as error:  # where an import of its own fails, pyiqa finds no network in its registry
        raise MissingError(f"{PREFIX}{name} needs a package that is not installed ({error.args[0]}): "
                           "add that one, or pip install 'pkdn_basicsr[pyiqa]'") from error
    except Exception as error:  # its networks come from many libraries
        details = textwrap.shorten(f'{type(error).__name__}: {error}', 150)
        raise MissingError(f'pyiqa cannot make {name} ({details}): it fetches weights at the first use; run python -c '
                           f'"import pyiqa; pyiqa.create_metric(\'{name}\')" where there is a network, and bring its '
                           f'files from {torch.hub.get_dir()} and the cache of Hugging Face') from error


def _score(name: str, crop_border: int, *pictures: np.ndarray) -> float:
    metric = _make(name, 'cuda' if torch.cuda.is_available() else 'cpu')
    try:
        return float(metric(*(_tensor(picture, crop_border) for picture in pictures)))
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        shapes = ' and '.join(str(picture.shape) for picture in pictures)
        raise UsageError(f'{PREFIX}{name} has no value for shapes {shapes} with crop_border: {crop_border}: '
                         f'{textwrap.shorten(str(error), 200)}') from error


def _tensor(picture: np.ndarray, crop_border: int) -> torch.Tensor:
    """Turn uint8 (H, W, 3) BGR into (1, 3, h, w) RGB in [0, 1]."""
    border = slice(crop_border, -crop_border or None)
    rgb = np.ascontiguousarray(picture[border, border, ::-1].transpose(2, 0, 1))
    return torch.from_numpy(rgb)[None].float() / 255
