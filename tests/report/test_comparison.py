import math

import pytest

from pkdn_basicsr.report.bootstrap import intervals


def test_means_and_differences(comparison):
    found = comparison.statistics['taught']['psnr']
    assert (found.mean, found.difference, found.unknown) == (24.75, 3.75, 0)
    values, reference = (comparison.methods[name].values['psnr'] for name in ('taught', 'bicubic'))
    assert found.ci95 == pytest.approx(intervals((values - reference)[:, None])[0])
    assert found.mean_ci95 == pytest.approx(intervals(values[:, None])[0])


def test_the_reference_has_no_difference(comparison):
    found = comparison.statistics['bicubic']['psnr']
    assert (found.mean, found.difference, found.ci95) == (21., None, None)


def test_differences_are_over_the_faces_that_both_have(make_comparison, make_result):
    nan = math.nan
    comparison = make_comparison({'a': make_result(psnr=[1., nan, 3., 4.]), 'b': make_result(psnr=[2., 5., nan, 8.])})
    found = comparison.statistics['b']['psnr']
    assert (found.mean, found.difference, found.unknown) == (5., 2.5, 1)
    assert found.ci95 == (1., 4.)


def test_a_metric_that_no_face_has_is_unknown(make_comparison, make_result):
    comparison = make_comparison({'a': make_result(psnr=[math.nan] * 2), 'b': make_result(psnr=[1., 2.])})
    assert math.isnan(comparison.statistics['a']['psnr'].mean)
    assert math.isnan(comparison.statistics['b']['psnr'].ci95[0])


def test_a_perfect_result_does_not_swallow_the_others(make_comparison, make_result):
    comparison = make_comparison({'a': make_result(psnr=[math.inf, 20., 22.]), 'b': make_result(psnr=[30., 21., 23.])})
    found = comparison.statistics['a']['psnr'], comparison.statistics['b']['psnr']
    assert (found[0].mean, found[0].unknown) == (21., 1)
    assert (found[1].difference, found[1].ci95) == (1., (1., 1.))
