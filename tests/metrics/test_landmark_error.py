
import numpy as np
import pytest
import skimage.data
from basicsr.metrics import calculate_metric
from PIL import Image

from pkdn_basicsr.data import face_detection
from pkdn_basicsr.metrics.landmark_error import calculate_landmark_nrmse, truth_face

ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
FACE = np.array([(40., 50.), (70., 54.), (56., 70.), (44., 86.), (68., 88.)])
TRUTH, RESULT, OTHER = (np.full((128, 128, 3), grey, np.uint8) for grey in (10, 20, 30))


@pytest.fixture(scope='module')
def yunet(shared_weights):
    return str(shared_weights / 'yunet_n_640_640.onnx')


class GreyNetwork:
    """In YuNet's place: which faces it finds depends on the grey level in the middle of the canvas."""

    def __init__(self, faces):
        self.faces = faces
        self.asked = []
        self.thresholds = []

    def load(self, model, threshold, thread):
        self.thresholds.append(threshold)
        return self

    def setInputSize(self, size):  # noqa: N802
        pass

    def detect(self, canvas):
        grey = int(canvas[200, 200, 0])
        self.asked.append(grey)
        rows = []
        for landmarks, score in self.faces.get(grey, []):
            points = landmarks * 2.5 + 40
            rows.append([*points.min(axis=0), *np.ptp(points, axis=0), *points.ravel(), score])
        return 1, np.array(rows, np.float32) if rows else None


@pytest.fixture
def found(monkeypatch):
    """`found({grey: [(landmarks, score)]})` says what a detector finds, and returns the stand-in for its network."""
    truth_face.cache_clear()

    def use(faces):
        network = GreyNetwork(faces)
        monkeypatch.setattr(face_detection, '_load', network.load)
        return network
    yield use
    truth_face.cache_clear()


def nrmse(result, truth):
    """The formula in a loop."""
    squares = [(x - u) ** 2 + (y - v) ** 2 for (x, y), (u, v) in zip(result, truth, strict=True)]
    eyes = ((truth[0][0] - truth[1][0]) ** 2 + (truth[0][1] - truth[1][1]) ** 2) ** .5
    return (sum(squares) / len(squares)) ** .5 / eyes


def test_it_is_the_formula(found):
    moved = FACE + np.random.default_rng(0).normal(0, 3, (5, 2))
    found({10: [(FACE, .9)], 20: [(moved, .9)]})
    value = calculate_landmark_nrmse(RESULT, TRUTH, 'net')
    assert value == pytest.approx(nrmse(moved, FACE), rel=1e-4)
    assert isinstance(value, float)


def test_one_tenth_of_the_eyes_distance_is_a_fraction(found):
    found({10: [(FACE, .9)], 20: [(FACE + np.hypot(30, 4) / 10 * np.array([0, 1]), .9)]})
    assert calculate_landmark_nrmse(RESULT, TRUTH, 'net') == pytest.approx(.1, rel=1e-4)


def test_the_results_face_is_the_one_nearest_to_the_truths(found):
    found({10: [(FACE, .9)], 20: [(FACE + 1, .2), (FACE * .3, .9)]})
    assert calculate_landmark_nrmse(RESULT, TRUTH, 'net') == pytest.approx(nrmse(FACE + 1, FACE), rel=1e-4)


def test_the_result_is_searched_with_a_lower_threshold(found):
    network = found({10: [(FACE, .9)], 20: [(FACE, .2)]})
    calculate_landmark_nrmse(RESULT, TRUTH, 'net')
    assert set(network.thresholds) == {.6, .1}
    assert network.asked == [10, 20]
    assert network.thresholds[-1] == .1


@pytest.mark.parametrize('faces', [{10: [(FACE, .9)]}, {20: [(FACE, .9)]}, {}])
def test_without_a_face_it_is_nan(found, faces):
    found(faces)
    assert np.isnan(calculate_landmark_nrmse(RESULT, TRUTH, 'net'))


def test_the_truth_is_searched_once_for_all_methods(found):
    network = found({10: [(FACE, .9)], 20: [(FACE + 2, .9)]})
    for result in (RESULT, OTHER, TRUTH.copy(), RESULT):
        calculate_landmark_nrmse(result, TRUTH.copy(), 'net')
    assert network.asked == [10, 20, 30, 10, 20]


def test_option_files_call_it(found):
    found({10: [(FACE, .9)], 20: [(FACE + 2, .9)]})
    opt = {'type': 'calculate_landmark_nrmse', 'detector': 'net', 'better': 'lower', 'on_missing': 'skip'}
    expected = calculate_landmark_nrmse(RESULT, TRUTH, 'net')
    assert calculate_metric({'img': RESULT, 'img2': TRUTH}, opt) == expected > 0
    assert calculate_landmark_nrmse.better == 'lower'


# the real detector

def test_equal_pictures_have_no_error(yunet):
    assert calculate_landmark_nrmse(ASTRONAUT, ASTRONAUT, yunet) == 0


def test_a_moved_face_has_the_error_of_its_move(yunet):
    small = np.ascontiguousarray(ASTRONAUT[:320, 60:380])  # the network sees it as it is, and its stride is 32 pixels
    moved = np.zeros_like(small)
    moved[:, 32:] = small[:, :-32]
    left, right = truth_face(small, yunet).landmarks[:2]
    assert calculate_landmark_nrmse(moved, small, yunet) == pytest.approx(32 / np.linalg.norm(left - right), rel=.01)


def test_blur_counts(yunet, shared_data):
    folder = shared_data / 'celeba_test_dic_1000' / 'HR'
    values = []
    for path in sorted(folder.iterdir())[:10]:
        truth = Image.open(path).convert('RGB')
        row = [truth.resize((side, side), Image.Resampling.BICUBIC).resize(truth.size, Image.Resampling.BICUBIC)
               for side in (64, 32, 16)]
        values.append([calculate_landmark_nrmse(np.asarray(blurred)[..., ::-1], np.asarray(truth)[..., ::-1], yunet)
                       for blurred in row])
    slight, middling, strong = np.mean(values, axis=0)
    assert 0 < slight < .05 < middling < .1 < strong < .4


# wrong input

def test_the_detector_is_checked_before_a_run(tmp_path, usage_error):
    with usage_error('option detector is missing'):
        calculate_landmark_nrmse.check(better='lower')
    with usage_error(tmp_path / 'nowhere.onnx'):
        calculate_landmark_nrmse.check(detector=str(tmp_path / 'nowhere.onnx'), on_missing='skip')


def test_the_check_accepts_a_detector(yunet):
    assert calculate_landmark_nrmse.check(detector=yunet, better='lower') is None


def test_wrong_pictures_are_named(found, usage_error):
    found({10: [(FACE, .9)]})
    with usage_error('one shape', '(128, 128, 3)', '(64, 128, 3)'):
        calculate_landmark_nrmse(RESULT, TRUTH[:64], 'net')
    with usage_error('uint8 (H, W, 3)', 'float32'):
        calculate_landmark_nrmse(RESULT, TRUTH.astype(np.float32), 'net')
    with usage_error('uint8 (H, W, 3)', 'float32'):
        calculate_landmark_nrmse(RESULT.astype(np.float32), TRUTH, 'net')
