"""A comparison as a LaTeX table."""

import re

from pkdn_basicsr.report.comparison import Comparison, Statistics
from pkdn_basicsr.report.notes import notes
from pkdn_basicsr.report.table import cost_cells, difference_text, higher_is_better, number_text, rank

_MARKS = {1: r'\textbf{%s}', 2: r'\underline{%s}'}
_ESCAPES = {'\\': r'\textbackslash{}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
            '[': '{[}', ']': '{]}',  # a line break before takes a bare bracket as its argument
            **{letter: f'\\{letter}' for letter in '&%$#_{}'}}


def comparison_latex(comparison: Comparison) -> str:
    r"""Return a `tabular` that needs `\usepackage{booktabs}` and nothing else.

    Best bold, second underlined; below each mean the difference to the reference and its 95 % interval.
    """
    arrows = {True: r'$\uparrow$', False: r'$\downarrow$'}
    metrics = [f'{_escape(metric)} {arrows[higher_is_better(comparison, metric)]}' for metric in comparison.metrics]
    header = ['method', 'params (M)', 'MACs (G)', 'ms', *metrics, *map(_escape, comparison.missing)]
    return '\n'.join([
        r'% \usepackage{booktabs}', *(f'% {note}' for note in notes(comparison)),
        f'% Below a mean: difference to {comparison.reference} and its 95 % interval.',
        rf'\begin{{tabular}}{{l{"r" * (len(header) - 1)}}}',
        r'\toprule', _row(header), r'\midrule',
        '\n\\addlinespace\n'.join(_row(_cells(comparison, name)) for name in comparison.methods),
        r'\bottomrule', r'\end{tabular}', ''])


def _cells(comparison: Comparison, name: str) -> list[str]:
    result = comparison.methods[name]
    metrics = []
    for metric, found in comparison.statistics[name].items():
        mean = _MARKS.get(rank(comparison, metric).get(name), '%s') % number_text(found.mean, found.mean)
        metrics.append(_stack(mean, found))
    label = _escape(name) + '$^{*}$' * result.sees_truth
    return [label, *cost_cells(result), *metrics, *('n/a' for _ in comparison.missing)]


def _stack(mean: str, found: Statistics) -> str:
    """Return mean, difference and interval below each other, so that many metrics fit on a page."""
    if found.ci95 is None:
        return mean
    difference, interval = re.sub(r'([+-])([\d.]+)', r'$\1$\2', difference_text(found)).split(' ', 1)
    small = rf'{{\scriptsize {difference}}}\\[-2pt]{{\scriptsize {interval}}}'
    return rf'\begin{{tabular}}[t]{{@{{}}r@{{}}}}{mean}\\{small}\end{{tabular}}'


def _row(cells: list[str]) -> str:
    return ' & '.join(cells) + r' \\'


def _escape(text: str) -> str:
    return ''.join(_ESCAPES.get(letter, letter) for letter in text)
