import re

import numpy as np
import pytest
import skimage.data
from PIL import Image
from students import save_student

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.data.face_detection import Face, FaceDetector
from pkdn_basicsr.infer import photo as photo_module
from pkdn_basicsr.infer.inputs import Task
from pkdn_basicsr.infer.photo import enlarge_photo
from pkdn_basicsr.infer.picture import picture_of_array
from pkdn_basicsr.infer.run import Enlarger, Outcome
from pkdn_basicsr.infer.upscaler import FaceUpscaler

EYES_NOSE_MOUTH = np.array([(-1, -0.8), (1, -0.8), (0, 0.1), (-0.7, 1), (0.7, 1)])
RNG = np.random.default_rng(0)
SMOOTH = np.array(Image.fromarray(RNG.integers(60, 200, (8, 10, 3), dtype=np.uint8)).resize((100, 80), 3))


@pytest.fixture
def upscaler(tmp_path):
    return FaceUpscaler(save_student(tmp_path / 'a.pth'))


@pytest.fixture
def found(monkeypatch):
    """The faces that detection finds: append (x, y, distance of the eyes, angle in degrees)."""
    places = []

    def find_faces(detector, picture):
        assert picture.dtype == np.uint8
        return [_face(*place) for place in places]

    monkeypatch.setattr(photo_module, 'find_faces', find_faces)
    return places


def _face(x, y, eyes, angle=0.0):
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    landmarks = EYES_NOSE_MOUTH * eyes / 2 @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    return Face((x - eyes, y - eyes, 2 * eyes, 2 * eyes), landmarks, 0.9)


def _by_bicubic(picture):
    return np.array(Image.fromarray(picture).resize((picture.shape[1] * 8, picture.shape[0] * 8), 3)).astype(int)


def test_without_faces_it_is_bicubic(upscaler, found):
    result = enlarge_photo(upscaler, None, picture_of_array(np.dstack([SMOOTH, SMOOTH[..., 0]])))
    assert (result.faces, result.too_large) == (0, 0)
    assert np.array_equal(result.picture.rgb, _by_bicubic(SMOOTH))
    assert np.array_equal(result.picture.alpha, _by_bicubic(SMOOTH)[..., 0])


@pytest.mark.parametrize('place', [(50, 40, 8), (42.3, 37.6, 9.4, 30), (60, 35, 7, -100), (8, 6, 8), (98, 77, 8, 45)],
                         ids=str)
def test_bicubic_faces_are_put_back_where_they_were(upscaler, found, place):
    upscaler.net = Bicubic(8)
    found.append(place)
    result = enlarge_photo(upscaler, None, picture_of_array(SMOOTH))
    assert result.faces == 1
    difference = np.abs(result.picture.rgb - _by_bicubic(SMOOTH))
    assert 0 < difference.max() <= 3  # half a pixel off makes up to 16


def test_the_face_is_the_networks_and_fades_out(upscaler, found):
    found.append((50, 40, 10))
    result = enlarge_photo(upscaler, None, picture_of_array(SMOOTH)).picture.rgb
    changed = (result != _by_bicubic(SMOOTH)).any(2)
    rows, columns = np.where(changed)
    side = 4 * 10 * 8  # of the CelebA-HQ square
    assert columns.min() >= 400 - side / 2
    assert columns.max() < 400 + side / 2
    assert columns.max() - columns.min() > 0.9 * side
    middle = np.abs(result - _by_bicubic(SMOOTH))[rows.min() + 80:rows.max() - 80, 320:480].mean()
    edge = np.abs(result - _by_bicubic(SMOOTH))[rows.min():rows.min() + 8, 320:480].mean()
    assert middle > 4 * edge


def test_large_faces_are_left_alone_and_counted(upscaler, found):
    photo = np.array(Image.fromarray(SMOOTH).resize((300, 240), 3))
    found.extend([(150, 120, 40), (250, 60, 10)])
    result = enlarge_photo(upscaler, None, picture_of_array(photo))
    assert (result.faces, result.too_large) == (1, 1)
    changed = (result.picture.rgb != _by_bicubic(photo)).any(2)
    assert changed[480, 2000]
    assert not changed[:, :1700].any()


def test_grey_and_16_bits_stay_so(upscaler, found):
    found.append((50, 40, 10))
    grey = enlarge_photo(upscaler, None, picture_of_array(SMOOTH[..., 0])).picture
    assert grey.grey
    assert np.ptp(grey.rgb, axis=2).max() == 0
    deep = enlarge_photo(upscaler, None, picture_of_array(SMOOTH.astype(np.uint16) * 257)).picture.rgb
    shallow = enlarge_photo(upscaler, None, picture_of_array(SMOOTH)).picture.rgb
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - shallow).max() < 2


def test_a_photograph_that_would_become_too_large_is_refused(upscaler, found, usage_error):
    with usage_error('32000x24000', '89 million', '--shrink 1364'):
        enlarge_photo(upscaler, None, picture_of_array(np.zeros((3000, 4000, 3), np.uint8)))


@pytest.mark.parametrize('shape', [(80, 60), (60, 80), (400, 41), (9, 500), (1, 4000), (101, 101)], ids=str)
def test_the_advised_size_is_taken_and_twice_as_much_is_not(upscaler, found, monkeypatch, tmp_path, shape):
    monkeypatch.setattr(photo_module, 'MOST_PIXELS', 100_000)
    Image.new('RGB', shape).save(tmp_path / 'a.png')
    task = Task(tmp_path / 'a.png', tmp_path / 'large.png', None)

    def why_refused(shrink):
        outcome = Outcome()
        Enlarger(upscaler, shrink=shrink, detector=object()).run([task], outcome)
        return outcome.errors.get(task.source)

    side = int(re.search(r'--shrink (\d+)', why_refused(None))[1])
    assert why_refused(side) is None
    assert why_refused(2 * side)


@pytest.mark.parametrize('side', [72, 128, 256])
def test_a_real_face_is_found_and_only_it_is_changed(upscaler, shared_weights, side):
    astronaut = np.array(Image.fromarray(skimage.data.astronaut()).resize((side, side), 3))
    detector = FaceDetector(str(shared_weights / 'yunet_n_640_640.onnx'))
    result = enlarge_photo(upscaler, detector, picture_of_array(astronaut))
    assert (result.faces, result.too_large) == (1, 0)
    changed = np.argwhere((result.picture.rgb != _by_bicubic(astronaut)).any(2)) / (8 * side)
    assert changed.mean(0) == pytest.approx((0.22, 0.43), abs=0.05)  # her face, (y, x)


def test_every_real_face_of_a_photograph_is_found_and_changed(upscaler, shared_weights):
    astronaut = Image.fromarray(skimage.data.astronaut())
    photo = np.zeros((160, 288, 3), np.uint8)
    photo[:128, :128] = astronaut.resize((128, 128), 3)
    photo[:, 128:] = astronaut.resize((160, 160), 3).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    detector = FaceDetector(str(shared_weights / 'yunet_n_640_640.onnx'))
    result = enlarge_photo(upscaler, detector, picture_of_array(photo))
    assert (result.faces, result.too_large) == (2, 0)
    changed = (result.picture.rgb != _by_bicubic(photo)).any(2)
    for part, side, face in ((changed[:, :1024], 128, (0.22, 0.43)), (changed[:, 1024:], 160, (0.22, 0.57))):
        assert np.argwhere(part).mean(0) / (8 * side) == pytest.approx(face, abs=0.05)
