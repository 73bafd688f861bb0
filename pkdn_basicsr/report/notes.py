"""What a reader must know to believe a table."""

from collections.abc import Mapping

from pkdn_basicsr.report.comparison import Comparison


def notes(comparison: Comparison) -> list[str]:
    """Return one line a note: faces, metrics, priors, how costs were measured."""
    return [f'{comparison.dataset}: {len(comparison.images)} faces, x{comparison.scale}, {comparison.lq_size[1]}x'
            f'{comparison.lq_size[0]} in. Intervals: paired bootstrap over the faces.',
            *_about_metrics(comparison), *_about_priors(comparison), *_about_costs(comparison)]


def _about_metrics(comparison: Comparison) -> list[str]:
    lines = [f'{metric}: {_describe(options)}.' for metric, options in comparison.metrics.items()]
    lines += [f'{metric}: n/a: {reason}' for metric, reason in comparison.missing.items()]
    for metric in comparison.metrics:
        unknown = {name: statistics[metric].unknown for name, statistics in comparison.statistics.items()}
        if any(unknown.values()):
            counts = ', '.join(f'{name} {count}' for name, count in unknown.items() if count)
            lines.append(f'{metric}: faces without a finite value, left out of its means: {counts}.')
    return lines


def _describe(options: Mapping) -> str:
    """Return the options that give a number its meaning; files are told in summary.json."""
    told = [f'{key} {value}' for key, value in options.items()
            if key not in ('type', 'better', 'on_missing') and not isinstance(value, dict)]
    return ', '.join([options['type'], *told, *([f"{options['better']} is better"] if 'better' in options else [])])


def _about_priors(comparison: Comparison) -> list[str]:
    results = comparison.methods
    lines = [f'{name}: sees {result.prior}; making the map is not in its cost.'
             for name, result in results.items() if result.prior]
    if any(result.sees_truth for result in results.values()):
        lines.append('\\* sees what is not there in use, and takes no part in the ranking.')
    return lines


def _about_costs(comparison: Comparison) -> list[str]:
    results, latency = list(comparison.methods.values()), comparison.latency
    skipped = sorted({operator for result in results for operator in result.cost.skipped})
    counters = sorted({result.run.versions.get('mmengine', '?') for result in results})
    devices = sorted({f'{result.run.device}, {result.run.threads} threads' for result in results})
    several = any(result.run != results[0].run for result in results)
    return [f'params: values that receive a gradient. MACs: mmengine {", ".join(counters)}, one face; not counted: '
            f'{", ".join(skipped) or "nothing"}.',
            f'ms: median of {latency.repeats} passes after {latency.warmup}, batch {latency.batch}, '
            f'{" and ".join(devices)}{"; taken in several runs, so that times do not compare" if several else ""}.']
