"""The metrics of an option file, checked before a run."""

import difflib
from collections.abc import Callable

from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import UsageError

_BETTER_OF_HOST = {'calculate_psnr': 'higher', 'calculate_ssim': 'higher', 'calculate_niqe': 'lower'}


def drop_missing_metrics(metrics: dict) -> dict[str, str]:
    """Check every metric, and take out those that cannot be computed here and say `on_missing: skip`.

    A metric function may offer `check`, which takes the metric's options and raises UsageError, and `better`, `higher`
    or `lower`: BasicSR 1.4.2 takes `higher` where an option file says nothing (`models/base_model.py:62`), and so would
    count the worst NIQE as the best.

    Args:
        metrics: `val.metrics`: free name -> `{type, ...}`. Changed in place: `better` is filled in.

    Returns:
        The metrics that were taken out: name -> reason.

    Raises:
        UsageError: An unknown metric, or one that cannot be computed and may not be skipped.
    """
    missing = {}
    for name, opt in metrics.items():
        function = _metric(name, opt)
        _fill_in_better(name, opt, function)
        try:
            if hasattr(function, 'check'):
                function.check(**{key: value for key, value in opt.items() if key != 'type'})
        except UsageError as error:
            if opt.get('on_missing') != 'skip':
                raise UsageError(f'val.metrics.{name}: {error}; or set on_missing: skip') from None
            missing[name] = str(error)
    for name in missing:
        del metrics[name]
    return missing


def _fill_in_better(name: str, opt: dict, function: Callable) -> None:
    better = getattr(function, 'better', _BETTER_OF_HOST.get(opt['type']))
    if better and opt.setdefault('better', better) != better:
        raise UsageError(f"val.metrics.{name}: found better: {opt['better']}, but {better} is better for "
                         f'{opt["type"]}; correct it or leave it out')


def _metric(name: str, opt: dict) -> Callable:
    if not isinstance(opt, dict):
        raise UsageError(f'val.metrics.{name}: expected a type and its options, found {opt!r}')
    known = list(METRIC_REGISTRY.keys())
    if opt.get('type') not in known:
        nearest = difflib.get_close_matches(str(opt.get('type')), known, n=1, cutoff=0.)[0]
        raise UsageError(f"val.metrics.{name}.type: '{opt.get('type')}' is no metric; did you mean '{nearest}'? Known: "
                         f"{', '.join(sorted(known))}")
    return METRIC_REGISTRY.get(opt['type'])
