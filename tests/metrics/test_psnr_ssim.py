import numpy as np
import pytest
from basicsr.metrics import calculate_metric
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics import PROTOCOLS, calculate_protocol_psnr, calculate_protocol_ssim

ALL = sorted(PROTOCOLS)


def pictures(seed=0, size=48):
    rng = np.random.default_rng(seed)
    truth = np.asarray(Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((size, size)))
    noise = rng.normal(0, 12, truth.shape)
    return np.clip(truth + noise, 0, 255).round().astype(np.uint8), truth


def luma(bgr):
    """BT.601 written out, from BGR in 0..255 to 16..235."""
    blue, green, red = (bgr[..., channel].astype(np.float64) for channel in range(3))
    return 16 + (24.966 * blue + 128.553 * green + 65.481 * red) / 255


def compared(bgr, name):
    border = {'dic': 8, 'sfmnet': 8, 'sparnet': 0, 'rgb': 0}[name]
    values = bgr.astype(np.float64) if name == 'rgb' else luma(bgr)
    return values[border:bgr.shape[0] - border, border:bgr.shape[1] - border]


@pytest.mark.parametrize('name', ALL)
def test_psnr_is_that_of_scikit_image(name):
    result, truth = pictures()
    expected = peak_signal_noise_ratio(compared(truth, name), compared(result, name), data_range=255)
    assert calculate_protocol_psnr(result, truth, name) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize('name', ALL)
def test_ssim_is_that_of_scikit_image(name):
    result, truth = pictures()
    one, other = compared(result, name), compared(truth, name)
    if name == 'sfmnet':
        expected = structural_similarity(one.round(), other.round(), data_range=255)
    else:
        _, full = structural_similarity(one, other, data_range=255, gaussian_weights=True, sigma=1.5, truncate=3.34,
                                        use_sample_covariance=False, full=True,
                                        channel_axis=2 if name == 'rgb' else None)
        expected = full[5:-5, 5:-5].mean()  # BasicSR keeps the places where the 11x11 window fits
    assert calculate_protocol_ssim(result, truth, name) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize('name', ALL)
def test_equal_pictures_are_perfect(name):
    _, truth = pictures()
    assert calculate_protocol_psnr(truth, truth, name) == float('inf')
    assert calculate_protocol_ssim(truth, truth, name) == pytest.approx(1)


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.sampled_from(ALL))
def test_both_are_symmetric(seed, name):
    one, other = pictures(seed)
    assert calculate_protocol_psnr(one, other, name) == pytest.approx(calculate_protocol_psnr(other, one, name))
    assert calculate_protocol_ssim(one, other, name) == pytest.approx(calculate_protocol_ssim(other, one, name))


def test_option_files_call_them_by_name():
    result, truth = pictures()
    opt = {'type': 'calculate_protocol_psnr', 'protocol': 'dic', 'better': 'higher'}
    assert calculate_metric({'img': result, 'img2': truth}, opt) == calculate_protocol_psnr(result, truth, 'dic')


@pytest.mark.parametrize('metric', [calculate_protocol_psnr, calculate_protocol_ssim])
def test_wrong_input_is_named(metric):
    result, truth = pictures()
    with pytest.raises(UsageError, match=r"'dik' is unknown; did you mean 'dic'\?"):
        metric(result, truth, 'dik')
    with pytest.raises(UsageError, match='one size, found 48x48 and 48x40'):
        metric(result, truth[:40], 'dic')
    with pytest.raises(UsageError, match='expected colour pictures'):
        metric(result[..., 0], truth[..., 0], 'rgb')
    with pytest.raises(UsageError, match='a border of 8 pixels leaves less'):
        metric(result[:20, :20], truth[:20, :20], 'dic')


@pytest.mark.parametrize('options', [{'protocol': 'dik'}, {}])
def test_the_protocol_is_checked_before_a_run(options):
    with pytest.raises(UsageError, match='is unknown; did you mean'):
        calculate_protocol_psnr.check(better='higher', **options)
    assert calculate_protocol_ssim.check(protocol='rgb') is None


# bicubic x8 of the published low-resolution images: figures published for the same set and re-derived by others
@pytest.mark.parametrize(('name', 'psnr', 'ssim'), [
    ('dic', 23.580, .6269), ('sfmnet', 23.580, .6212), ('sparnet', 23.549, .6357), ('rgb', 22.141, None)])
def test_bicubic_on_celeba_dic_reads_as_published(name, psnr, ssim, bicubic_celeba_dic):
    found = np.mean([calculate_protocol_psnr(*pair, name) for pair in bicubic_celeba_dic])
    assert found == pytest.approx(psnr, abs=.005)
    if ssim is not None:
        found = np.mean([calculate_protocol_ssim(*pair, name) for pair in bicubic_celeba_dic])
        assert found == pytest.approx(ssim, abs=.002)


@pytest.fixture(scope='module')
def bicubic_celeba_dic(shared_data):
    folder = shared_data / 'celeba_test_dic_1000'
    pairs = []
    for truth in sorted((folder / 'HR').iterdir()):
        small = Image.open(folder / 'LR' / truth.name).convert('RGB')
        result = small.resize((128, 128), Image.Resampling.BICUBIC)
        pairs.append(tuple(np.asarray(picture)[..., ::-1] for picture in (result, Image.open(truth).convert('RGB'))))
    return pairs


@pytest.mark.parametrize('function', [calculate_protocol_psnr, calculate_protocol_ssim])
@pytest.mark.parametrize('name', ALL)
def test_the_smallest_picture_is_one_window_within_the_border(function, name):
    result, truth = pictures()
    side = 11 + 2 * PROTOCOLS[name].crop_border
    assert np.isfinite(function(result[:side, :side], truth[:side, :side], protocol=name))
    with pytest.raises(UsageError, match=f'11x11 window of SSIM of a picture of {side + 1}x{side - 1}'):
        function(result[:side - 1, :side + 1], truth[:side - 1, :side + 1], protocol=name)


def test_unequal_sizes_are_named_as_width_and_height():
    result, truth = pictures()
    with pytest.raises(UsageError, match='found 40x30 and 48x48'):
        calculate_protocol_psnr(result[:30, :40], truth, protocol='dic')
