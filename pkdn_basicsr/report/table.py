"""Comparison tables as text."""

import csv
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from pkdn_basicsr.report.bootstrap import paired_interval
from pkdn_basicsr.report.evaluate import Evaluation

PRIOR_MARK = ' *'
PRIOR_NOTE = '\\* sees the true parsing map of the face.'


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table whose columns also align as plain text; all but the first are right-aligned."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return '| ' + ' | '.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + ' |'

    rule = '|' + '|'.join(['-' * (widths[0] + 2), *('-' * (width + 1) + ':' for width in widths[1:])]) + '|'
    return '\n'.join([line(header), rule, *(line(row) for row in rows)]) + '\n'


def comparison_table(evaluation: Evaluation, parameters: Mapping[str, int], uses_prior: Mapping[str, bool],
                     reference: str, missing: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return parameters and mean metrics of every method as Markdown; methods that see the true prior are marked.

    Args:
        evaluation: The values of every face.
        parameters: Method name -> parameters that receive a gradient.
        uses_prior: Method name -> whether it sees the true parsing map.
        reference: The method that the others' intervals are against.
        missing: Metrics that could not be computed: name -> reason. They read n/a, with the reason below.
    """
    values = evaluation.values
    metrics = list(values[reference])
    rows = [[name + (PRIOR_MARK if uses_prior[name] else ''), f'{parameters[name]:,}',
             *(_cell(values[name][metric], values[reference][metric], name == reference) for metric in metrics),
             *('n/a' for _ in missing)] for name in values]
    notes = [f'In parentheses: mean difference to {reference} and its 95 % interval (paired bootstrap over the faces).']
    notes += [PRIOR_NOTE] if any(uses_prior.values()) else []
    notes += [f'{name} n/a: {reason}' for name, reason in missing.items()]
    table = markdown_table(['method', 'parameters', *metrics, *missing], rows)
    return '\n'.join([table, *(f'{note}\n' for note in notes)])


def _cell(values: np.ndarray, reference: np.ndarray, is_reference: bool) -> str:
    """Return the mean and, but for the reference itself, the mean difference to it with its interval."""
    if is_reference:
        return f'{values.mean():.4f}'
    low, high = paired_interval(values, reference)
    difference = (values - reference).mean()
    return f'{values.mean():.4f} ({difference:+.4f} [{low:+.4f}, {high:+.4f}])'


def per_image_csv(evaluation: Evaluation) -> str:
    """Return one line per face and method: image, method, then every metric with six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['image', 'method', *next(iter(evaluation.values.values()))])
    for index, image in enumerate(evaluation.images):
        for method, per_metric in evaluation.values.items():
            writer.writerow([image, method, *(f'{values[index]:.6f}' for values in per_metric.values())])
    return text.getvalue()
