from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from PIL import Image

from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.demo.handlers import (
    Answer,
    enlarge_face,
    enlarge_faces_of_photo,
    scores,
    shown,
    shrink_and_enlarge_face,
)
from pkdn_basicsr.infer.picture import picture_of_array, picture_of_image
from pkdn_basicsr.metrics.psnr_ssim import calculate_protocol_psnr, calculate_protocol_ssim


def _picture(height, width, channels=3):
    return picture_of_array(np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8))


@pytest.fixture
def x8(handlers):
    return handlers.upscalers['student x8']


def test_a_small_face_is_enlarged_and_has_no_truth(x8):
    picture = _picture(16, 20)
    answer = enlarge_face(x8, picture)
    assert np.array_equal(answer.result.rgb, x8.upscale(picture.rgb))
    expected = Image.fromarray(picture.rgb).resize((160, 128), Image.Resampling.BICUBIC)
    assert np.array_equal(answer.bicubic.rgb, np.asarray(expected))
    assert answer.lq is picture
    assert answer.truth is None
    assert scores(answer) is None
    assert '20×16 pixels enlarged to 160×128' in answer.told


def test_a_large_face_of_the_right_size_is_its_own_truth(x8):
    picture = _picture(128, 160)
    answer = shrink_and_enlarge_face(x8, picture, 16)
    small = Image.fromarray(picture.rgb).resize((20, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(answer.truth.rgb, picture.rgb)
    assert np.array_equal(answer.lq.rgb, np.asarray(small))
    assert np.array_equal(answer.result.rgb, x8.upscale(np.asarray(small)))


@pytest.mark.parametrize(('size', 'wanted', 'lq_size'), [
    ((300, 200), 16, (24, 16)),  # the truth is shrunk to 8 times that
    ((100, 64), 16, (12, 8)),  # not as large: what there is
    ((64, 64), 64, (8, 8)),
])
def test_sizes_of_a_large_face(x8, size, wanted, lq_size):
    answer = shrink_and_enlarge_face(x8, _picture(*size), wanted)
    assert answer.lq.size == lq_size
    assert answer.truth.size == answer.result.size == answer.bicubic.size == tuple(8 * side for side in lq_size)


def test_transparency_and_16_bits_do_not_disturb_the_comparison(x8):
    eight = _picture(64, 64, 4)
    sixteen = replace(eight, rgb=eight.rgb.astype(np.uint16) * 257, alpha=None)
    answers = [shrink_and_enlarge_face(x8, picture, 8) for picture in (eight, sixteen)]
    assert answers[0].result.alpha is None
    assert np.array_equal(answers[0].result.rgb, answers[1].result.rgb)


def test_scores_are_those_of_the_protocol(x8):
    answer = shrink_and_enlarge_face(x8, _picture(128, 128), 16)
    truth = answer.truth.rgb[..., ::-1]
    for name, picture in (('bicubic', answer.bicubic), ('network', answer.result)):
        img = picture.rgb[..., ::-1]
        assert scores(answer)[name] == (calculate_protocol_psnr(img, truth, 'dic'),
                                        calculate_protocol_ssim(img, truth, 'dic'))


def test_a_truth_smaller_than_the_window_has_no_scores():
    picture = _picture(24, 24)
    assert scores(Answer(picture, picture, picture, '', truth=picture)) is None


def test_a_photograph(x8, shared_weights):
    photo = picture_of_image(Image.fromarray(skimage.data.astronaut()).resize((80, 80)))
    answer = enlarge_faces_of_photo(x8, FaceDetector(str(shared_weights / 'yunet_n_640_640.onnx')), photo)
    assert answer.told == 'Faces super-resolved: 1; too large for it and left to bicubic: 0.'
    assert not answer.shows_face
    assert answer.result.size == answer.bicubic.size == (640, 640)
    assert (answer.result.rgb != answer.bicubic.rgb).any()


def test_a_photograph_without_a_face(x8, shared_weights):
    detector = FaceDetector(str(shared_weights / 'yunet_n_640_640.onnx'))
    answer = enlarge_faces_of_photo(x8, detector, picture_of_image(Image.new('RGB', (40, 40))))
    assert answer.told == 'No face found; all is bicubic.'


def test_photographs_are_taken_only_with_a_detector(handlers):
    assert list(handlers.modes) == ['small face', 'large face']
    assert list(replace(handlers, detector=FaceDetector).modes) == ['small face', 'large face', 'photograph']


@pytest.mark.parametrize(('mode', 'size', 'said'), [
    ('small face', (1, 1), ('1×1', '8×8', 'take a larger one')),
    ('small face', (7, 40), ('40×7',)),
    ('small face', (129, 128), ('at most about 128×128', '“large face”')),
    ('large face', (1, 1), ('64×64', 'take a larger one')),
    ('large face', (63, 70), ('70×63', '“small face”')),
    ('large face', (64, 40_000), ('too long and narrow',)),
    ('photograph', (600, 600), ('600×600', 'about 512×512', '--photo --detector FILE')),
    ('photograph', (1, 1), ('1×1',)),
])
def test_sizes_that_cannot_be_used_are_told(handlers, mode, size, said, usage_error):
    with usage_error(*said):
        replace(handlers, detector=FaceDetector).modes[mode](handlers.upscalers['student x8'], _picture(*size), 16)


def test_parts_cover_the_face(handlers):
    face = picture_of_image(Image.fromarray(skimage.data.astronaut()[20:190, 140:310]).resize((128, 128)))
    parts = handlers.parts(face)
    names = [name for _, name in parts]
    assert {'skin', 'nose', 'hair'} <= set(names)
    assert 'background' not in names
    assert sum(mask.astype(int) for mask, _ in parts).max() == 1
    areas = [mask.sum() for mask, _ in parts]
    assert areas == sorted(areas, reverse=True)


def test_pixels_are_shown_as_squares():
    picture = _picture(2, 3)
    assert shown(picture).shape == (2, 3, 3)
    assert np.array_equal(shown(picture, 12), np.kron(picture.rgb, np.ones((4, 4, 1), np.uint8)))
