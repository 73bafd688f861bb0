import numpy as np
import pytest
import skimage.data
from scipy.optimize import least_squares
from skimage.transform import SimilarityTransform, warp

from pkdn_basicsr.data.alignment import ARCFACE_TEMPLATE, align_face, similarity_to_template

ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
LANDMARKS = np.array([(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204., 143.1), (242.9, 143.7)])


def apply(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_the_template_is_published():
    assert ARCFACE_TEMPLATE.tolist() == [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366],
                                         [41.5493, 92.3655], [70.7299, 92.2041]]


@pytest.mark.parametrize('size', [112, 224])
@pytest.mark.parametrize(('scale', 'degrees', 'shift'), [(1, 0, (0, 0)), (2.5, 30, (40, -7)), (.3, -170, (5, 90))])
def test_a_known_similarity_is_undone(scale, degrees, shift, size):
    turn = np.radians(degrees)
    rotation = scale * np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    landmarks = ARCFACE_TEMPLATE @ rotation.T + shift
    matrix = similarity_to_template(landmarks, size)
    assert matrix[:, :2] == pytest.approx(np.linalg.inv(rotation) * size / 112)
    assert apply(matrix, landmarks) == pytest.approx(ARCFACE_TEMPLATE * size / 112)


def test_the_fit_is_that_of_least_squares():
    def residuals(parameters):
        a, b, x, y = parameters
        return (apply(np.array([(a, -b, x), (b, a, y)]), LANDMARKS) - ARCFACE_TEMPLATE).ravel()

    a, b, x, y = least_squares(residuals, (1, 0, 0, 0)).x
    assert similarity_to_template(LANDMARKS) == pytest.approx(np.array([(a, -b, x), (b, a, y)]), abs=1e-4)


def test_a_mirrored_face_is_not_mirrored_back():
    matrix = similarity_to_template(LANDMARKS * (-1, 1))
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize('size', [112, 128])
def test_the_crop_is_that_of_scikit_image(size):
    fit = SimilarityTransform(np.vstack((similarity_to_template(LANDMARKS, size), (0, 0, 1))))
    expected = warp(ASTRONAUT, fit.inverse, output_shape=(size, size), order=1, mode='constant', preserve_range=True)
    crop = align_face(ASTRONAUT, LANDMARKS, size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    difference = np.abs(crop - expected)
    assert difference.max() <= 6  # OpenCV 4 looks positions up on a grid of 1/32 pixel
    assert difference.mean() < .7


def test_outside_the_picture_is_black():
    white = np.full((60, 60, 3), 255, np.uint8)
    crop = align_face(white, ARCFACE_TEMPLATE - 30)
    assert (crop[32:88, 32:88] == 255).all()
    assert not crop[:28].any()
    assert not crop[:, 92:].any()


@pytest.mark.parametrize('landmarks', [LANDMARKS[:4], LANDMARKS * np.nan, np.full((5, 2), 7.), LANDMARKS.ravel()])
def test_landmarks_that_fit_nothing_are_refused(usage_error, landmarks):
    with usage_error('five different landmarks (5, 2)', landmarks.shape):
        align_face(ASTRONAUT, landmarks)


def test_other_arrays_are_refused(usage_error):
    with usage_error('uint8 (H, W, 3)', '(512, 512)'):
        align_face(ASTRONAUT[..., 0], LANDMARKS)
