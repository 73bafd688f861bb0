import sys

import numpy as np
import pytest
from basicsr.metrics import calculate_metric
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import correlate, gaussian_filter

from pkdn_basicsr.metrics.vif import calculate_vif, calculate_vif_p

BOTH = [calculate_vif, calculate_vif_p]


@pytest.fixture(autouse=True)
def _pyramid():
    pytest.importorskip('pyrtools', reason='VIF needs pyrtools: pip install "pkdn_basicsr[metrics]"')


def truth_of(seed, height=96, width=96):
    """Coloured structure of several sizes."""
    rng = np.random.default_rng(seed)
    sizes = [gaussian_filter(rng.normal(size=(height, width, 3)), (sigma, sigma, 0)) for sigma in (.7, 2, 6)]
    return byte(128 + sum(30 * values / values.std() for values in sizes))


def byte(values):
    return np.clip(values, 0, 255).round().astype(np.uint8)


def blurred(picture, sigma):
    return byte(gaussian_filter(picture.astype(float), (sigma, sigma, 0)))


def grey(bgr):
    return np.asarray(Image.fromarray(np.ascontiguousarray(bgr[..., ::-1])).convert('L'), dtype=float)


def subbands(picture):
    """The pyramid by scipy, with the taps of the library: {(level, orientation): band}."""
    from pyrtools.pyramids.filters import parse_filter
    taps = parse_filter('sp5_filters', normalize=False)
    low, bands = correlate(picture, taps['lo0filt'], mode='mirror'), {}
    for level in range(4):
        for orientation in (0, 3):
            bands[level, orientation] = correlate(low, taps['bfilts'][:, orientation].reshape(7, 7).T, mode='mirror')
        low = correlate(low, taps['lofilt'], mode='mirror')[::2, ::2]
    return bands


def vif_by_loops(result, truth):
    """The authors' release, block by block."""
    passed = total = 0
    of_result, of_truth = subbands(grey(result)), subbands(grey(truth))
    for (level, orientation), y in of_truth.items():
        x = of_result[level, orientation]
        rows, columns = y.shape[0] // 3, y.shape[1] // 3
        every = np.array([y[i:i + 3, j:j + 3].ravel() for i in range(3 * rows - 2) for j in range(3 * columns - 2)])
        covariance = (every - every.mean(0)).T @ (every - every.mean(0)) / len(every)
        half = 2 ** (3 - level)
        border = int(np.ceil(half / 3))
        for i in range(border, rows - border):
            for j in range(border, columns - border):
                window = np.s_[3 * i + 1 - half:3 * i + 2 + half, 3 * j + 1 - half:3 * j + 2 + half]
                (vx, cov), (_, vy) = np.cov(x[window].ravel(), y[window].ravel(), bias=True)
                gain = max(cov / vy, 0)
                noise = vx - gain * cov
                block = y[3 * i:3 * i + 3, 3 * j:3 * j + 3].ravel()
                scale = block @ np.linalg.inv(covariance) @ block / 9
                for variance in np.linalg.eigvalsh(covariance):
                    passed += np.log2(1 + gain**2 * scale * variance / (noise + .4))
                    total += np.log2(1 + scale * variance / .4)
    return passed / total


@pytest.mark.parametrize('shape', [(72, 72), (75, 101)])
@pytest.mark.parametrize('spoil', [lambda picture: blurred(picture, 2), lambda picture: 255 - picture,
                                   lambda picture: byte(picture + np.random.default_rng(1).normal(0, 20, picture.shape))
                                   ], ids=['blurred', 'inverted', 'noisy'])
def test_wavelet_value_is_that_of_plain_loops(shape, spoil):
    truth = truth_of(0, *shape)
    result = spoil(truth)
    assert calculate_vif(result, truth) == pytest.approx(vif_by_loops(result, truth), rel=1e-6)


@pytest.mark.parametrize('shape', [(41, 41), (64, 83), (128, 128)])
@pytest.mark.parametrize('sigma', [.6, 2])
def test_pixel_value_is_that_of_sewar(shape, sigma):
    vifp = pytest.importorskip('sewar.full_ref', reason='the oracle of VIFp: pip install sewar').vifp
    truth = truth_of(0, *shape)
    result = byte(blurred(truth, sigma) + np.random.default_rng(0).normal(0, 4, truth.shape))
    assert calculate_vif_p(result, truth) == pytest.approx(vifp(grey(truth), grey(result)), abs=1e-6)


@settings(max_examples=10)
@given(st.integers(0, 2**16), st.sampled_from(BOTH))
def test_the_more_blur_or_noise_the_lower(seed, metric):
    truth = truth_of(seed)
    noise = np.random.default_rng(seed + 1).normal(size=truth.shape)
    of_blur = [metric(blurred(truth, sigma), truth) for sigma in (.5, 1, 2, 4)]
    of_noise = [metric(byte(truth + sigma * noise), truth) for sigma in (4, 12, 36)]
    for values in ([1, *of_blur], [1, *of_noise]):
        assert values == sorted(values, reverse=True)
        assert values[1] < .99
        assert values[-1] > 0


@settings(max_examples=10)
@given(st.integers(0, 2**16), st.sampled_from(BOTH), st.integers(0, 96))
def test_equal_pictures_have_all_information_also_with_flat_parts(seed, metric, flat_rows):
    truth = truth_of(seed)
    truth[:flat_rows] = seed % 256
    assert metric(truth, truth) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize('metric', BOTH)
@pytest.mark.parametrize('level', [0, 77, 255])
def test_flat_pictures(metric, level):
    flat, truth = np.full((96, 96, 3), level, np.uint8), truth_of(0)
    assert metric(flat, flat) == 1
    assert metric(flat, truth) == pytest.approx(0, abs=1e-6)
    assert metric(truth, flat) == 0  # nothing to tell, and the result is not it


@pytest.mark.parametrize('metric', BOTH)
def test_one_dot_in_a_corner_is_no_division_by_zero(metric):
    flat, dot = np.full((2, 96, 96, 3), 9, np.uint8)
    dot[0, 0] = 200
    assert 0 <= metric(flat, dot) < 1e-3
    assert metric(dot, dot) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize('metric', BOTH)
def test_more_contrast_than_the_truth_exceeds_one(metric):
    truth = byte(64 + truth_of(0) / 4)
    assert metric(byte(64 + (truth - 64.) * 2), truth) > 1.05


@pytest.mark.parametrize('metric', BOTH)
def test_only_the_grey_of_pil_counts_and_the_channels_are_bgr(metric):
    truth = truth_of(0)
    result = blurred(truth, 1)
    greys = [np.repeat(grey(picture).astype(np.uint8)[..., None], 3, axis=2) for picture in (result, truth)]
    assert metric(result, truth) == metric(*greys)
    assert metric(result, truth) != metric(result[..., ::-1], truth[..., ::-1])


@pytest.mark.parametrize('metric', BOTH)
def test_option_files_call_it_and_know_its_direction(metric):
    truth = truth_of(0)
    result = blurred(truth, 1)
    opt = {'type': metric.__name__, 'better': metric.better, 'on_missing': 'skip'}
    assert calculate_metric({'img': result, 'img2': truth}, opt) == metric(result, truth)
    assert metric.better == 'higher'


@pytest.mark.parametrize(('metric', 'side'), [(calculate_vif, 72), (calculate_vif_p, 41)])
def test_the_smallest_side_works_and_one_less_is_named(metric, side, usage_error):
    for shape in ((side, side), (side, side + 1), (side + 50, side)):
        truth = truth_of(0, *shape)
        assert 0 < metric(blurred(truth, 1), truth) < 1
    for shape in ((side - 1, side), (side, side - 1)):
        with usage_error(f'at least {side}x{side}', f'({shape[0]}, {shape[1]}, 3)'):
            metric(truth_of(0, *shape), truth_of(0, *shape))


@pytest.mark.parametrize('metric', BOTH)
def test_wrong_input_is_named(metric, usage_error):
    truth = truth_of(0)
    with usage_error('of one size', '(95, 96, 3) and (96, 96, 3)'):
        metric(truth[:-1], truth)
    with usage_error('colour pictures (H, W, 3)', '(96, 96)'):
        metric(truth[..., 0], truth[..., 0])


def test_a_missing_package_is_said_before_a_run(monkeypatch, usage_error):
    assert calculate_vif.check(on_missing='skip') is None
    monkeypatch.setitem(sys.modules, 'pyrtools', None)
    with usage_error('pyrtools', 'pip install "pkdn_basicsr[metrics]"'):
        calculate_vif.check(on_missing='skip')
    with usage_error('pyrtools'):
        calculate_vif(truth_of(0), truth_of(0))
    assert calculate_vif_p(truth_of(0), truth_of(0)) == pytest.approx(1)


# the same 100 pictures by pyiqa 0.1.16 (unrounded luma) and by sewar 0.4.10
@pytest.mark.parametrize(('metric', 'mean'), [(calculate_vif, .1045), (calculate_vif_p, .2123)])
def test_bicubic_on_celeba_dic_reads_as_other_implementations_have_it(metric, mean, shared_data):
    folder = shared_data / 'celeba_test_dic_1000'
    values = []
    for path in sorted((folder / 'HR').iterdir())[:100]:
        truth = Image.open(path).convert('RGB')
        result = Image.open(folder / 'LR' / path.name).convert('RGB').resize(truth.size, Image.Resampling.BICUBIC)
        values.append(metric(np.asarray(result)[..., ::-1], np.asarray(truth)[..., ::-1]))
    assert np.mean(values) == pytest.approx(mean, abs=2e-4)
