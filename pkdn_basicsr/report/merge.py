"""Putting earlier comparisons together without running anything again."""

from collections.abc import Mapping
from dataclasses import replace

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.comparison import Comparison, MethodResult


def merge(comparisons: Mapping[str, Comparison], reference: str | None) -> Comparison:
    """Return one comparison with all methods, and with the metrics that all of them have.

    Args:
        comparisons: By the file that each was read from, at least one.
        reference: The method that differences are to; None = that of the first file.

    Raises:
        UsageError: Other faces, another meaning of a metric, one name for two methods, or an unknown reference.
    """
    (first_file, first), *others = comparisons.items()
    methods, missing = dict(first.methods), dict(first.missing)
    metrics = dict(first.metrics)
    for file, other in others:
        if (other.faces_sha256, other.scale) != (first.faces_sha256, first.scale):
            raise UsageError(f'{file} is about other faces ({other.dataset}, {len(other.images)}, x{other.scale}) than '
                             f'{first_file} ({first.dataset}, {len(first.images)}, x{first.scale})')
        for name, result in other.methods.items():
            if name in methods and _differ(methods[name], result):
                raise UsageError(f"{file} and an earlier file have different methods named '{name}'; rename one in its "
                                 'option file and run that again')
            methods.setdefault(name, result)
        for name in [name for name in metrics if name not in other.metrics]:
            missing[name] = f'not in {file}'
            del metrics[name]
        for name in metrics:
            meanings = [_meaning(comparison.metrics[name]) for comparison in (first, other)]
            for key in sorted(meanings[0].keys() | meanings[1].keys()):
                if meanings[0].get(key) != meanings[1].get(key):
                    raise UsageError(f"{file}: metric '{name}' has {key}: {other.metrics[name].get(key)}, but "
                                     f'{first.metrics[name].get(key)} in {first_file}')
        if other.latency != first.latency:
            raise UsageError(f'{file}: latency was measured by {other.latency}, but by {first.latency} in {first_file}')
        missing.update({name: f'not in {first_file}' for name in other.metrics if name not in first.metrics})
    if not metrics:
        raise UsageError(f'{", ".join(comparisons)}: no metric is in all of them')
    reference = reference or first.reference
    if reference not in methods:
        raise UsageError(f"--reference: there is no method '{reference}'; the files have {', '.join(methods)}")
    return replace(first, metrics=metrics, missing=missing, methods=methods, reference=reference)


def _differ(one: MethodResult, other: MethodResult) -> bool:
    keys = {one.param_key, other.param_key} - {None}  # earlier versions have not written it down
    return len(keys) > 1 or _identity(one) != _identity(other)


def _identity(result: MethodResult) -> tuple:
    return result.network, result.checkpoint and result.checkpoint.sha256, result.prior, _meaning(result.maps or {})


def _meaning(options: Mapping) -> dict:
    """Return options without where files lay and what does not touch the number."""
    return {key: value['sha256'] if isinstance(value, Mapping) and 'sha256' in value else value
            for key, value in options.items() if key != 'on_missing'}
