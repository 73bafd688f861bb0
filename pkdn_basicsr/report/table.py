"""A comparison as a table: Markdown and comma-separated."""

import math
import re
from collections.abc import Sequence

from pkdn_basicsr.files import csv_text
from pkdn_basicsr.report.comparison import Comparison, MethodResult, Statistics
from pkdn_basicsr.report.notes import notes

PRIOR_MARK = ' *'


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table whose columns also align as plain text; all but the first are right-aligned."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return '| ' + ' | '.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + ' |'

    rule = '|' + '|'.join(['-' * (widths[0] + 2), *('-' * (width + 1) + ':' for width in widths[1:])]) + '|'
    return '\n'.join([line(header), rule, *(line(row) for row in rows)]) + '\n'


def _escape(text: str) -> str:
    return re.sub(r'([\\|*_`<])', r'\\\1', text)


def comparison_markdown(comparison: Comparison) -> str:
    """Return costs and means (best bold, second in italics), differences with their intervals, and notes."""
    marks = {1: '**{}**', 2: '_{}_'}
    ranks = {metric: rank(comparison, metric) for metric in comparison.metrics}
    means, differences = [], []
    for name, statistics in comparison.statistics.items():
        label = _escape(name) + PRIOR_MARK * comparison.methods[name].sees_truth
        metrics = [marks.get(ranks[metric].get(name), '{}').format(number_text(found.mean, found.mean))
                   for metric, found in statistics.items()]
        means.append([label, *cost_cells(comparison.methods[name]), *metrics, *('n/a' for _ in comparison.missing)])
        if name != comparison.reference:
            differences.append([label, *map(difference_text, statistics.values())])
    arrows = {True: '↑', False: '↓'}
    header = [f'{_escape(metric)} {arrows[higher_is_better(comparison, metric)]}' for metric in comparison.metrics]
    parts = [markdown_table(['method', 'params M', 'MACs G', 'ms', *header, *map(_escape, comparison.missing)], means)]
    if differences:
        parts += [f'Difference to {comparison.reference}, mean [95 % interval]:\n',
                  markdown_table(['method', *map(_escape, comparison.metrics)], differences)]
    return '\n'.join([*parts, *(f'{note}\n' for note in notes(comparison))])


def comparison_csv(comparison: Comparison) -> str:
    """Return one line a method, every number in full."""
    header = ['method', 'sees_truth', 'parameters', 'macs', 'latency_ms']
    for metric in comparison.metrics:
        header += [metric, f'{metric}_difference', f'{metric}_ci_low', f'{metric}_ci_high']
    return csv_text(header, (_numbers(comparison, name) for name in comparison.methods))


def _numbers(comparison: Comparison, name: str) -> list:
    result = comparison.methods[name]
    row = [name, result.sees_truth, result.cost.parameters, result.cost.macs, 1e3 * result.cost.latency]
    for found in comparison.statistics[name].values():
        row += [found.mean, found.difference, *(found.ci95 or (None, None))]
    return row


def rank(comparison: Comparison, metric: str) -> dict[str, int]:
    """Return the methods of rank 1 and 2 in a metric, as far as the digits shown tell them apart.

    Methods that see the truth take no part.
    """
    shown = {name: number_text(statistics[metric].mean, statistics[metric].mean)
             for name, statistics in comparison.statistics.items() if not comparison.methods[name].sees_truth}
    numbers = {name: float(text) for name, text in shown.items() if text != 'n/a'}
    order = sorted(set(numbers.values()), reverse=higher_is_better(comparison, metric))
    return {name: order.index(number) + 1 for name, number in numbers.items() if number in order[:2]}


def higher_is_better(comparison: Comparison, metric: str) -> bool:
    """Return a metric's direction; `higher` where its options say nothing, as in BasicSR."""
    return comparison.metrics[metric].get('better', 'higher') == 'higher'


def cost_cells(result: MethodResult) -> list[str]:
    """Return millions of parameters, billions of MACs, milliseconds."""
    cost = result.cost
    return [cost_text(cost.parameters / 1e6), cost_text(cost.macs / 1e9), f'{1e3 * cost.latency:.1f}']


def cost_text(cost: float) -> str:
    """Show millions of parameters or billions of MACs: two decimals, or two digits of the smallest networks."""
    return f'{cost:.2g}' if 0 < cost < .1 else f'{cost:.2f}'


def number_text(value: float, size: float, sign: str = '') -> str:
    """Show a metric of about `size`: ratios with four decimals, decibels with two, their differences with three."""
    if math.isnan(value):
        return 'n/a'
    decimals = 4 if abs(size) < 10 else 3 if sign else 2
    return f'{value:{sign}.{decimals}f}'


def difference_text(found: Statistics) -> str:
    """Show the difference to the reference with its interval."""
    difference, low, high = (number_text(number, found.mean, '+') for number in (found.difference, *found.ci95))
    return f'{difference} [{low}, {high}]'
