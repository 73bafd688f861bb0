"""The metrics of an option file, checked before a run."""

import inspect
from collections.abc import Callable, Mapping

from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import MissingError, UsageError
from pkdn_basicsr.host.option_check.frame import registered
from pkdn_basicsr.host.option_check.problems import Problems, suggest
from pkdn_basicsr.integrations.pyiqa_metric import PREFIX, offer_pyiqa_metric

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
        OptionFileError: Unknown metrics or options, wrong values, or missing files or packages that may not be skipped.
    """
    problems = Problems()
    missing = look_at_metrics(metrics, problems)
    problems.refuse()
    for name in missing:
        del metrics[name]
    return missing


def look_at_metrics(metrics: Mapping[str, dict], problems: Problems) -> dict[str, str]:
    """Check metrics, note what is wrong and fill in `better`; return the names of those to be left out and why."""
    missing = {}
    for name, opt in metrics.items():
        function = _metric(name, opt, problems)
        if function is None:
            continue
        _look_at_keys(name, opt, function, problems)
        _fill_in_better(name, opt, function, problems)
        if hasattr(function, 'check') and not problems.has_errors(f'val.metrics.{name}'):
            reason = _ask(name, opt, function, problems)
            if reason:
                missing[name] = reason
    return missing


def _ask(name: str, opt: dict, function: Callable, problems: Problems) -> str | None:
    """Ask the metric itself; return why it is to be left out."""
    key = f'val.metrics.{name}'
    try:
        function.check(**{str(option): value for option, value in opt.items() if option != 'type'})
    except MissingError as error:
        if opt.get('on_missing') == 'skip':
            return str(error)
        problems.error(key, f'{error}; or set on_missing: skip')
    except UsageError as error:
        problems.error(key, str(error))
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:  # a value of a kind not thought of
        problems.error(key, f'{opt["type"]} does not take these values: {" ".join(str(error).split())}')
    return None


def _look_at_keys(name: str, opt: dict, function: Callable, problems: Problems) -> None:
    """Refuse options that would vanish in `**kwargs` without a word; other people's functions may look in there."""
    where = f'val.metrics.{name}'
    if opt.get('on_missing', 'skip') != 'skip':
        problems.error(f'{where}.on_missing', f"expected skip, found {opt['on_missing']!r}")
    parameters = {key: parameter for key, parameter in inspect.signature(function).parameters.items()
                  if key not in ('img', 'img2') and parameter.kind is not parameter.VAR_KEYWORD}
    known = ['type', 'better', 'on_missing', *parameters]
    for key in opt if function.__module__.startswith(('pkdn_basicsr.', 'basicsr.')) else ():
        if key not in known:
            problems.error(f'{where}.{key}', f"{opt['type']} has no such option; {suggest(key, known)}")
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in opt:
            problems.error(f'{where}.{key}', f'is missing; {opt["type"]} needs the option {key}')


def _fill_in_better(name: str, opt: dict, function: Callable, problems: Problems) -> None:
    better = getattr(function, 'better', _BETTER_OF_HOST.get(opt['type']))
    if better and opt.setdefault('better', better) != better:
        problems.error(f'val.metrics.{name}.better', f"found better: {opt['better']}, but {better} is better for "
                                                     f'{opt["type"]}; correct it or leave it out')


def _metric(name: str, opt: dict, problems: Problems) -> Callable | None:
    where = f'val.metrics.{name}'
    if not isinstance(opt, Mapping):
        problems.error(where, f'expected a type and its options, found {opt!r}')
        return None
    if str(opt.get('type')).startswith(PREFIX):
        try:
            offer_pyiqa_metric(opt['type'])
        except UsageError as error:
            problems.error(f'{where}.type', str(error))
            return None
    return registered(METRIC_REGISTRY, opt.get('type'), f'{where}.type', problems)
