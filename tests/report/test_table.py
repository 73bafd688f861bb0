import csv
import io
import math

import pytest

from pkdn_basicsr.report.table import comparison_csv, comparison_markdown, cost_text, markdown_table, number_text, rank


def rows_of(text):
    """Cells of the Markdown tables, one list a table."""
    tables = [[]]
    for line in text.splitlines():
        if line.startswith('|'):
            tables[-1].append([cell.strip() for cell in line.split('|')[1:-1]])
        elif tables[-1]:
            tables.append([])
    return [table for table in tables if table]


def test_every_line_of_a_markdown_table_is_as_wide():
    lines = markdown_table(['method', 'x'], [['a', '1.0'], ['long name', '10.25']]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines == ['| method    |     x |', '|-----------|------:|', '| a         |   1.0 |', '| long name | 10.25 |']


def test_costs_and_means_with_the_best_marked(comparison):
    means, _ = rows_of(comparison_markdown(comparison))
    assert means[0] == ['method', 'params M', 'MACs G', 'ms', 'psnr ↑', 'distance ↓']
    assert means[2:] == [
        ['bicubic', '0.00', '0.00', '1.0', '21.00', '0.6000'],
        ['alone', '1.50', '2.00', '12.5', '_24.50_', '_0.2000_'],
        ['taught', '1.50', '2.00', '12.5', '**24.75**', '**0.1500**'],
        ['teacher *', '1.50', '2.00', '12.5', '28.00', '0.1000'],  # the best, but it sees the truth
    ]


@pytest.mark.parametrize(('cost', 'text'), [(0, '0.00'), (.004643, '0.0046'), (.0757, '0.076'), (.1, '0.10'),
                                            (22.407, '22.41')])
def test_small_networks_cost_something(cost, text):
    assert cost_text(cost) == text


def test_differences_to_the_reference_with_their_intervals(comparison):
    _, differences = rows_of(comparison_markdown(comparison))
    assert differences[0] == ['method', 'psnr', 'distance']
    assert differences[2:][1] == ['taught', '+3.750 [+3.250, +4.250]', '-0.4500 [-0.6000, -0.3000]']
    assert [row[0] for row in differences[2:]] == ['alone', 'taught', 'teacher *']


def test_another_reference(comparison):
    from dataclasses import replace
    text = comparison_markdown(replace(comparison, reference='taught'))
    assert 'Difference to taught, mean [95 % interval]' in text
    assert [row[0] for row in rows_of(text)[1][2:]] == ['bicubic', 'alone', 'teacher *']


def test_one_method_has_no_differences(make_comparison, make_result):
    text = comparison_markdown(make_comparison({'a': make_result(psnr=[1., 2.])}))
    assert len(rows_of(text)) == 1
    assert 'Difference' not in text


def test_a_metric_that_could_not_be_computed_reads_na(make_comparison, make_result):
    means, *_ = rows_of(comparison_markdown(make_comparison(
        {'a': make_result(psnr=[1., 2.]), 'b': make_result(psnr=[math.nan] * 2)}, missing={'lpips': 'no weights'})))
    assert [row[-1] for row in means] == ['lpips', '------:', 'n/a', 'n/a']
    assert means[3][-2] == 'n/a'


def test_ties_share_a_rank(make_comparison, make_result):
    comparison = make_comparison({'a': make_result(psnr=[20.001]), 'b': make_result(psnr=[20.]),
                                  'c': make_result(psnr=[19.]), 'd': make_result(psnr=[18.])})
    assert rank(comparison, 'psnr') == {'a': 1, 'b': 1, 'c': 2}


@pytest.mark.parametrize(('value', 'size', 'sign', 'text'), [
    (25.287, 25., '', '25.29'), (.76543, .7, '', '0.7654'), (.0684, 25., '+', '+0.068'), (-.00123, .7, '+', '-0.0012'),
    (math.nan, 25., '', 'n/a')])
def test_numbers(value, size, sign, text):
    assert number_text(value, size, sign) == text


def test_csv_has_every_number_in_full(comparison):
    rows = {row['method']: row for row in csv.DictReader(io.StringIO(comparison_csv(comparison)))}
    assert float(rows['taught']['psnr_difference']) == 3.75
    assert float(rows['taught']['distance_ci_low']) == comparison.statistics['taught']['distance'].ci95[0]
    assert rows['bicubic']['psnr_ci_low'] == ''
    assert (rows['teacher']['sees_truth'], rows['alone']['parameters'], rows['alone']['macs']) == (
        'True', '1500000', '2000000000')


def test_names_do_not_break_the_table(make_comparison, make_result):
    text = comparison_markdown(make_comparison({'a|b *c*': make_result(psnr=[1.])}))
    assert r'| a\|b \*c\* |' in text
