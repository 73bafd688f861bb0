"""The metrics of an option file, checked before a run."""

import difflib
import inspect
from collections.abc import Callable

from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import MissingError, UsageError

_BETTER_OF_HOST = {'calculate_psnr': 'higher', 'calculate_ssim': 'higher', 'calculate_niqe': 'lower'}


def drop_missing_metrics(metrics: dict) -> dict[str, str]:
    """Check every metric, and take out those that cannot be computed here and say `on_missing: skip`.

    A metric function may offer `check`, which takes the metric's options and raises UsageError (MissingError for a file
    or package that may be skipped), and `better`, `higher`
    or `lower`: BasicSR 1.4.2 takes `higher` where an option file says nothing (`models/base_model.py:62`), and so would
    count the worst NIQE as the best.

    Args:
        metrics: `val.metrics`: free name -> `{type, ...}`. Changed in place: `better` is filled in.

    Returns:
        The metrics that were taken out: name -> reason.

    Raises:
        UsageError: An unknown metric or option, a wrong value, or a missing file or package that may not be skipped.
    """
    missing = {}
    for name, opt in metrics.items():
        function = _metric(name, opt)
        _check_keys(name, opt, function)
        _fill_in_better(name, opt, function)
        try:
            if hasattr(function, 'check'):
                function.check(**{key: value for key, value in opt.items() if key != 'type'})
        except MissingError as error:
            if opt.get('on_missing') != 'skip':
                raise UsageError(f'val.metrics.{name}: {error}; or set on_missing: skip') from None
            missing[name] = str(error)
        except UsageError as error:
            raise UsageError(f'val.metrics.{name}: {error}') from None
    for name in missing:
        del metrics[name]
    return missing


def _check_keys(name: str, opt: dict, function: Callable) -> None:
    """Refuse options that would vanish in `**kwargs` without a word; other people's functions may look in there."""
    if opt.get('on_missing', 'skip') != 'skip':
        raise UsageError(f"val.metrics.{name}.on_missing: expected skip, found {opt['on_missing']!r}")
    parameters = {key: parameter for key, parameter in inspect.signature(function).parameters.items()
                  if key not in ('img', 'img2') and parameter.kind is not parameter.VAR_KEYWORD}
    known = ['type', 'better', 'on_missing', *parameters]
    for key in opt if function.__module__.startswith(('pkdn_basicsr.', 'basicsr.')) else ():
        if key not in known:
            nearest = difflib.get_close_matches(str(key), known, n=1, cutoff=0.)[0]
            raise UsageError(f"val.metrics.{name}.{key}: {opt['type']} has no such option; did you mean '{nearest}'? "
                             f'It has {", ".join(known)}')
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in opt:
            raise UsageError(f'val.metrics.{name}: {opt["type"]} needs the option {key}')


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
