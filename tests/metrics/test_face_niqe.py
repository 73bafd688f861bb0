import numpy as np
import pytest
from basicsr.metrics import calculate_metric, calculate_niqe, niqe
from PIL import Image
from scipy.ndimage import gaussian_filter

from pkdn_basicsr.metrics.face_niqe import calculate_face_niqe


def picture(height, width=None):
    rng = np.random.default_rng(0)
    coarse, fine = (gaussian_filter(rng.normal(size=(height, width or height, 3)), (sigma, sigma, 0))
                    for sigma in (8, .8))
    return np.clip(128 + 40 * coarse / coarse.std() + 15 * fine / fine.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(('shape', 'border'), [((384, 384), 0), ((400, 400), 8), ((192, 768), 0)])
def test_from_16_blocks_on_the_value_is_basicsrs(shape, border):
    result = picture(*shape)
    value = calculate_face_niqe(result, border)
    assert value == calculate_niqe(result, border)
    assert 0 < value < 100


@pytest.mark.parametrize(('side', 'border', 'blocks'), [
    (64, 0, 0), (95, 0, 0), (96, 0, 1), (128, 0, 1), (128, 64, 0), (192, 0, 4), (256, 8, 4), (383, 0, 9), (384, 1, 9)])
def test_fewer_blocks_are_refused_with_their_number_and_what_to_use(side, border, blocks, usage_error):
    with usage_error('16 blocks of 96x96', '384x384', f'found {blocks} in a picture of {side}x{side}',
                     f'crop_border: {border}', 'calculate_lpips or calculate_vif_p'):
        calculate_face_niqe(picture(side), border)


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_blocks_of_one_grey_do_not_count(usage_error):
    result = picture(384)
    result[96:192, 96:192] = 0
    with usage_error('found 15'):
        calculate_face_niqe(result)
    result = picture(480)
    result[:96] = 255
    assert calculate_face_niqe(result) == calculate_niqe(result, 0)


@pytest.mark.parametrize('side', ['top', 'left', 'bottom', 'right'])
def test_blocks_are_those_inside_the_border(side, usage_error):
    result = np.full((394, 400, 3), 99, np.uint8)
    edge = {'top': np.s_[:5], 'left': np.s_[:, :5], 'bottom': np.s_[-5:], 'right': np.s_[:, -5:]}[side]
    result[edge] = picture(394, 400)[edge]
    with usage_error('found 0 in a picture of 400x394'):
        calculate_face_niqe(result, crop_border=5)


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_stripes_have_no_value(usage_error):
    stripes = np.zeros((384, 384, 3), np.uint8)
    stripes[::96] = 1
    with usage_error('no value for a picture of 384x384', 'calculate_vif_p'):
        calculate_face_niqe(stripes)


def test_a_picture_without_colours_is_named(usage_error):
    with usage_error('(H, W, 3)', '(384, 384)'):
        calculate_face_niqe(picture(384)[..., 0])


def test_option_files_call_it_with_the_truth_or_without():
    result = picture(400)
    opt = {'type': 'calculate_face_niqe', 'crop_border': 8, 'better': 'lower', 'on_missing': 'skip'}
    expected = calculate_niqe(result, 8)
    assert calculate_metric({'img': result, 'img2': 255 - result}, opt) == expected
    assert calculate_metric({'img': result}, opt) == expected
    assert calculate_face_niqe.better == 'lower'


def test_a_missing_parameter_file_is_said_before_a_run(tmp_path, monkeypatch, usage_error):
    assert calculate_face_niqe.check(crop_border=8, on_missing='skip') is None
    monkeypatch.setattr(niqe, '__file__', str(tmp_path / 'niqe.py'))
    for call in (lambda: calculate_face_niqe.check(crop_border=8), lambda: calculate_face_niqe(picture(384))):
        with usage_error(tmp_path / 'niqe_pris_params.npz', 'https://github.com/XPixelGroup/BasicSR'):
            call()


def test_real_faces_read_as_sharp_and_blurred_ones_as_worse(shared_data):
    paths = sorted((shared_data / 'celebamask_hq_1000' / 'images').iterdir())[:6]
    faces = [np.asarray(Image.open(path).convert('RGB'))[..., ::-1] for path in paths]
    sharp = np.array([calculate_face_niqe(face) for face in faces])
    blurred = np.array([calculate_face_niqe(gaussian_filter(face, (1, 1, 0))) for face in faces])
    assert 3 < sharp.mean() < 5
    assert (blurred > sharp + .5).all()
