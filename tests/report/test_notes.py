import math
from dataclasses import replace

from pkdn_basicsr.report.notes import notes


def test_faces_metrics_priors_and_costs_are_told(comparison):
    text = '\n'.join(notes(replace(comparison, missing={'niqe': 'too small'})))
    for words in ('faces: 2 faces, x8, 16x16 in', 'psnr: calculate_protocol_psnr, protocol dic, higher is better.',
                  'niqe: n/a: too small', 'teacher: sees the true parsing map', 'takes no part in the ranking',
                  'mmengine 1, one face; not counted: aten::add', 'median of 11 passes after 3, batch 1, a processor'):
        assert words in text
    assert 'several runs' not in text


def test_what_is_not_there_is_not_told(make_comparison, make_result):
    text = '\n'.join(notes(make_comparison({'a': make_result(psnr=[1.])})))
    assert 'sees' not in text
    assert 'without a value' not in text


def test_faces_without_a_value_are_counted(make_comparison, make_result):
    text = '\n'.join(notes(make_comparison({'a': make_result(psnr=[1., 2.]), 'b': make_result(psnr=[math.nan, 2.])})))
    assert 'psnr: faces without a finite value, left out of its means: b 1.' in text


def test_times_of_several_runs_do_not_compare(comparison, make_result):
    other = replace(comparison.methods['alone'].run, date='2026-02-02T00:00:00+00:00')
    methods = {**comparison.methods, 'later': replace(comparison.methods['alone'], run=other)}
    assert 'taken in several runs' in '\n'.join(notes(replace(comparison, methods=methods)))
