import math

import numpy as np
import pytest
from basicsr.metrics import calculate_psnr
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics.measure import mean_known, measure

RNG = np.random.default_rng(0)
RESULT, TRUTH = (RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(2))


def test_values_are_those_of_the_functions():
    values = measure({'a': {'type': 'calculate_psnr', 'crop_border': 0},
                      'b': {'type': 'calculate_protocol_psnr', 'protocol': 'rgb'}}, RESULT, TRUTH, 'x.png')
    expected = calculate_psnr(RESULT, TRUTH, crop_border=0)
    assert values == {'a': pytest.approx(expected, abs=1e-6), 'b': pytest.approx(expected, abs=1e-6)}
    assert values['a'] == round(values['a'], 6)


@pytest.mark.parametrize('metric', [
    {'type': 'calculate_psnr', 'crop_border': 0},  # the host asserts
    {'type': 'calculate_protocol_psnr', 'protocol': 'rgb'},
])
def test_unequal_sizes_name_metric_and_picture(metric, usage_error):
    with usage_error('val.metrics.psnr', 'x.png', '32'):
        measure({'psnr': metric}, RESULT, TRUTH[:16], 'x.png')


def test_a_picture_without_truth_cannot_be_compared(usage_error):
    with usage_error('val.metrics.psnr', 'x.png', 'dataroot_gt'):
        measure({'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}, RESULT, None, 'x.png')


def test_whatever_a_metric_raises_names_metric_and_picture(monkeypatch, usage_error):
    def fail(img, img2):
        raise KeyError('mouth')

    monkeypatch.setitem(METRIC_REGISTRY._obj_map, 'calculate_odd', fail)
    with usage_error('val.metrics.odd', 'x.png', 'calculate_odd', "KeyError: 'mouth'"):
        measure({'odd': {'type': 'calculate_odd'}}, RESULT, TRUTH, 'x.png')


@pytest.mark.parametrize(('error', 'words'), [
    (UsageError('no eyes\nfound'), 'cannot be computed: no eyes found'),
    (AssertionError(), 'cannot be computed: it gives no reason')])
def test_what_a_metric_says_itself_needs_no_name_of_an_error(monkeypatch, usage_error, error, words):
    def fail(img, img2):
        raise error

    monkeypatch.setitem(METRIC_REGISTRY._obj_map, 'calculate_odd', fail)
    with usage_error(words):
        measure({'odd': {'type': 'calculate_odd'}}, RESULT, TRUTH, 'x.png')


def test_a_metric_of_one_picture_needs_no_truth(monkeypatch):
    monkeypatch.setitem(METRIC_REGISTRY._obj_map, 'calculate_mean', lambda img: float(img.mean()))
    values = measure({'mean': {'type': 'calculate_mean'}}, RESULT, None, 'x.png')
    assert values == {'mean': pytest.approx(RESULT.mean())}


def test_the_mean_is_over_the_known_values():
    assert mean_known([1., math.nan, 3.]) == 2
    assert math.isnan(mean_known([math.nan]))
    assert math.isnan(mean_known([]))
    assert mean_known([math.inf, 20.]) == 20  # a perfect result says nothing about the others
