"""The metrics of an option file, checked before a run."""

import difflib

from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import UsageError


def drop_missing_metrics(metrics: dict) -> dict[str, str]:
    """Check every metric, and take out those that cannot be computed here and say `on_missing: skip`.

    A metric function that needs files offers `check`, which takes the metric's options and raises UsageError.

    Args:
        metrics: `val.metrics`: free name -> `{type, ...}`. Changed in place.

    Returns:
        The metrics that were taken out: name -> reason.

    Raises:
        UsageError: An unknown metric, or one that cannot be computed and may not be skipped.
    """
    missing = {}
    for name, opt in metrics.items():
        function = _metric(name, opt)
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


def _metric(name: str, opt: dict):
    known = list(METRIC_REGISTRY.keys())
    if opt.get('type') not in known:
        nearest = difflib.get_close_matches(str(opt.get('type')), known, n=1, cutoff=0.)[0]
        raise UsageError(f"val.metrics.{name}.type: '{opt.get('type')}' is no metric; did you mean '{nearest}'? Known: "
                         f"{', '.join(sorted(known))}")
    return METRIC_REGISTRY.get(opt['type'])
