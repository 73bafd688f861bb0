import json
import pickle
import threading

import cv2
import numpy as np
import pytest
import skimage.data
import torch

from pkdn_basicsr.data import face_detection
from pkdn_basicsr.data.face_detection import FaceDetector

ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
GREY = np.full((128, 128, 3), 90, np.uint8)


@pytest.fixture(scope='module', params=['yunet_n_640_640.onnx', 'yunet_n_dynamic.onnx'])
def detector(request, shared_weights):
    if 'dynamic' in request.param and int(cv2.__version__.split('.')[0]) < 5:
        pytest.skip('OpenCV 4 cannot run the model with dynamic axes')
    return FaceDetector(str(shared_weights / request.param))


class SpotNetwork:
    """In YuNet's place: every white spot on the canvas is a face, all its landmarks the spot's centre."""

    def setInputSize(self, size):  # noqa: N802
        self.size = size

    def detect(self, canvas):
        assert self.size == (canvas.shape[1], canvas.shape[0])
        count, _, stats, centres = cv2.connectedComponentsWithStats((canvas[..., 0] > 127).astype(np.uint8))
        rows = [[*stats[spot][:4], *np.tile(centres[spot] + .5, 5), .8 + spot / 100] for spot in range(1, count)]
        return 1, np.array(rows, np.float32) if rows else None


@pytest.fixture
def spots(monkeypatch):
    monkeypatch.setattr(face_detection, '_load', lambda *_: SpotNetwork())
    return FaceDetector('spots.onnx')


def spotted(height, width, *boxes):
    picture = np.zeros((height, width, 3), np.uint8)
    for left, upper, right, lower in boxes:
        picture[upper:lower, left:right] = 255
    return picture


# mapping of what is found, with a stand-in for the network

@pytest.mark.parametrize(('height', 'width', 'box'), [
    (128, 128, (40, 24, 60, 56)), (16, 16, (4, 6, 8, 8)), (120, 200, (100, 30, 110, 50)), (90, 37, (10, 20, 20, 40)),
    (320, 320, (0, 300, 20, 320)), (1024, 512, (96, 640, 160, 960))])
def test_coordinates_are_those_of_the_given_picture(spots, height, width, box):
    face, = spots.detect(spotted(height, width, box))
    left, upper, right, lower = box
    tolerance = max(height, width) / 320  # one pixel of the canvas
    assert face.box == pytest.approx((left, upper, right - left, lower - upper), abs=2.1 * tolerance)
    assert face.landmarks == pytest.approx(np.tile([(left + right) / 2, (upper + lower) / 2], (5, 1)), abs=tolerance)
    assert face.centre == pytest.approx([(left + right) / 2, (upper + lower) / 2], abs=2.1 * tolerance)
    assert face.landmarks.dtype == np.float64
    with pytest.raises(ValueError, match='read-only'):
        face.landmarks[0] = 0


def test_the_network_sees_320_pixels_and_a_black_border(spots, monkeypatch):
    seen = []
    monkeypatch.setattr(SpotNetwork, 'detect', lambda _, canvas: seen.append(canvas) or (1, None))
    for shape in ((128, 128), (640, 320)):
        assert spots.detect(np.full((*shape, 3), 255, np.uint8)) == []
    assert [canvas.shape[:2] for canvas in seen] == [(400, 400), (400, 240)]
    for canvas in seen:
        assert (canvas[40:-40, 40:-40] == 255).all()
        assert canvas.sum() == canvas[40:-40, 40:-40].sum()


def test_faces_come_by_their_score(spots):
    faces = spots.detect(spotted(128, 128, (10, 10, 20, 20), (80, 50, 90, 60), (60, 100, 70, 110)))
    assert [face.score for face in faces] == pytest.approx([.83, .82, .81])


def test_the_main_face_is_the_one_nearest_to_the_middle(spots):
    near, far = (50, 40, 70, 60), (0, 62, 10, 72)  # the far one has the higher score
    assert spots.main_face(spotted(128, 128, near, far)).centre == pytest.approx([60, 50], abs=1)
    assert spots.main_face(spotted(128, 128)) is None


@pytest.mark.parametrize('corner', [(0, 0), (0, 220), (80, 0), (80, 220), (40, 60), (0, 110)])
def test_the_middle_is_that_of_width_and_height(spots, corner):
    upper, left = corner
    main = spots.main_face(spotted(100, 240, (left, upper, left + 20, upper + 20), (110, 40, 130, 60)))
    assert main.centre == pytest.approx([120, 50], abs=1)


# the real model

@pytest.mark.parametrize('height', [300, 512, 1500])
def test_it_finds_the_astronaut_at_any_size(detector, height):
    factor = height / 512
    face, = detector.detect(cv2.resize(ASTRONAUT, (height, height), interpolation=cv2.INTER_AREA))
    by_eye = np.array([(204, 104), (247, 104), (224, 128), (205, 143), (242, 144)])
    assert face.landmarks / factor == pytest.approx(by_eye, abs=8)
    assert face.score > .9


def test_a_face_that_fills_the_picture_is_found(detector):
    tight = ASTRONAUT[85:175, 180:270]
    face = detector.main_face(tight)
    assert face.landmarks[:2] == pytest.approx(np.array([(204 - 180, 104 - 85), (247 - 180, 104 - 85)]), abs=8)


def test_loading_prints_nothing(detector, capfd):
    level = cv2.utils.logging.getLogLevel()
    face_detection._load.cache_clear()
    assert detector.main_face(ASTRONAUT)
    assert capfd.readouterr() == ('', '')
    assert cv2.utils.logging.getLogLevel() == level


def test_no_face_is_an_empty_list(detector):
    assert detector.detect(GREY) == []
    assert detector.main_face(GREY) is None


def test_a_higher_threshold_leaves_faces_out(detector):
    assert FaceDetector(detector.model, .999).detect(ASTRONAUT) == []


def test_it_finds_the_same_again_in_between_other_sizes(detector):
    first = detector.main_face(ASTRONAUT)
    detector.detect(GREY[:50])
    assert np.array_equal(detector.main_face(ASTRONAUT).landmarks, first.landmarks)


def test_threads_do_not_disturb_each_other(detector):
    pictures = [ASTRONAUT, ASTRONAUT[:300, 50:450], ASTRONAUT[20:420, 100:400]]
    expected = [detector.main_face(picture).landmarks for picture in pictures]
    found = [[] for _ in pictures]
    threads = [threading.Thread(target=lambda i=i: found[i].extend(detector.main_face(pictures[i]) for _ in range(5)))
               for i in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for landmarks, faces in zip(expected, found, strict=True):
        assert len(faces) == 5
        assert all(np.array_equal(face.landmarks, landmarks) for face in faces)


class Landmarks(torch.utils.data.Dataset):
    def __init__(self, detector):
        self.detector = detector

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return torch.from_numpy(self.detector.main_face(ASTRONAUT[:480 - index]).landmarks.copy())


def test_a_loaders_worker_finds_the_same(detector):
    found, = torch.utils.data.DataLoader(Landmarks(detector), batch_size=2, num_workers=1)
    assert np.array_equal(found, np.stack([Landmarks(detector)[index] for index in range(2)]))


def test_it_survives_pickling(detector):
    copy = pickle.loads(pickle.dumps(detector))
    assert copy == detector
    assert hash(copy) == hash(detector)
    assert np.array_equal(copy.main_face(ASTRONAUT).landmarks, detector.main_face(ASTRONAUT).landmarks)


def test_landmarks_of_celeba_faces_are_the_recorded_ones(detector, shared_data):
    folder = shared_data / 'celeba_test_dic_1000'
    recorded = json.loads((folder / 'landmarks_yunet.json').read_text())
    for name in sorted(recorded)[:20]:
        face = detector.main_face(cv2.imread(str(folder / 'HR' / name)))
        assert face.landmarks == pytest.approx(np.array(recorded[name]), abs=.02)  # recorded to two digits


# wrong input

@pytest.mark.parametrize('picture', [GREY[..., 0], GREY[..., :2], GREY.astype(np.float32), GREY[:0]])
def test_other_arrays_are_refused(spots, usage_error, picture):
    for method in (spots.detect, spots.main_face):
        with usage_error('uint8 (H, W, 3)', picture.dtype, picture.shape):
            method(picture)


def test_a_missing_model_is_named(tmp_path, usage_error):
    with usage_error(tmp_path / 'yunet.onnx', 'cannot read', 'face_detection_yunet_2023mar.onnx'):
        FaceDetector(str(tmp_path / 'yunet.onnx'))


@pytest.mark.parametrize('content', [b'', b'no model at all'])
def test_a_damaged_model_is_named(tmp_path, usage_error, capfd, content):
    path = tmp_path / 'yunet.onnx'
    path.write_bytes(content)
    with usage_error(path, 'is damaged, or is no YuNet model', cv2.__version__):
        FaceDetector(str(path))
    assert capfd.readouterr() == ('', '')


def test_half_a_model_or_another_model_is_named(tmp_path, shared_weights, usage_error):
    half = tmp_path / 'half.onnx'
    half.write_bytes((shared_weights / 'yunet_n_640_640.onnx').read_bytes()[:100_000])
    for path in (half, shared_weights / 'mobilefacenet_arcface.onnx'):
        with usage_error(path, 'is damaged, or is no YuNet model'):
            FaceDetector(str(path))
