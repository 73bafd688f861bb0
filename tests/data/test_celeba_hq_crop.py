import json

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import ProjectiveTransform, warp

from pkdn_basicsr.data.celeba_hq_crop import (
    FRAMINGS,
    Framing,
    cut_square,
    face_square,
    share_outside,
    side_of,
    square_to_crop,
)

ASTRONAUT = skimage.data.astronaut()
LANDMARKS = np.array([(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204., 143.1), (242.9, 143.7)])
UPRIGHT = np.array([(80, 100), (120, 100), (100, 120), (85, 140), (115, 140)], float)  # 40 across, 40 down


def apply(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def turned(points, scale, degrees, shift):
    turn = np.radians(degrees)
    return scale * points @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))]) + shift


def quad_of_the_published_tool(landmarks):
    """As NVIDIA's tools for CelebA-HQ and FFHQ write it, with half sides and the mouth seen from the eyes."""
    eye_left, eye_right, _, mouth_left, mouth_right = landmarks
    eye_avg, eye_to_eye = (eye_left + eye_right) * .5, eye_right - eye_left
    eye_to_mouth = (mouth_left + mouth_right) * .5 - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * .1
    return np.stack([c - x - y, c + x - y, c + x + y, c - x + y])


# the square

def test_an_upright_face_by_hand():
    corners = [(20, 24), (180, 24), (180, 184), (20, 184)]  # side 4 * 40 about (100, 100 + 0.1 * 40)
    assert face_square(UPRIGHT) == pytest.approx(np.array(corners))
    assert side_of(face_square(UPRIGHT)) == 160


def test_a_long_face_is_measured_by_its_height():
    landmarks = UPRIGHT + np.array([(0, 0), (0, 0), (0, 0), (0, 20), (0, 20)])
    assert side_of(face_square(landmarks)) == round(3.6 * 60)


@given(st.lists(st.tuples(*[st.floats(0, 500)] * 2), min_size=5, max_size=5))
def test_it_is_the_square_of_the_published_tool(landmarks):
    landmarks = np.array(landmarks)
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks
    up = (left_eye + right_eye - left_mouth - right_mouth) / 2
    if np.linalg.norm(right_eye - left_eye - (up[1], -up[0])) < 1e-3:
        return  # no axis
    assert face_square(landmarks) == pytest.approx(quad_of_the_published_tool(landmarks), abs=1e-6)


@given(st.sampled_from(sorted(FRAMINGS)), st.floats(.1, 30), st.floats(-180, 180), st.floats(-300, 300))
def test_it_moves_with_the_face(name, scale, degrees, shift):
    square = face_square(LANDMARKS, FRAMINGS[name])
    moved = face_square(turned(LANDMARKS, scale, degrees, shift), FRAMINGS[name])
    assert moved == pytest.approx(turned(square, scale, degrees, shift), abs=1e-6 * (1 + scale * 500))


def test_a_framing_is_in_sides_of_the_square():
    corners = face_square(UPRIGHT, Framing(.5, .25))
    assert corners == pytest.approx(np.array([(60, 104), (140, 104), (140, 184), (60, 184)]))


@pytest.mark.parametrize('landmarks', [UPRIGHT[:4], UPRIGHT * np.nan, UPRIGHT.ravel()])
def test_other_landmarks_are_refused(usage_error, landmarks):
    with usage_error('five landmarks (5, 2)', landmarks.shape):
        face_square(landmarks)


def test_a_single_point_is_refused(usage_error):
    with usage_error('landmarks of a face', '7.0'):
        face_square(np.full((5, 2), 7.))


# cutting out

def test_an_upright_square_on_whole_pixels_is_cut_exactly():
    crop = cut_square(ASTRONAUT, np.array([(200, 80), (260, 80), (260, 140), (200, 140)], float))
    assert np.array_equal(crop, ASTRONAUT[80:140, 200:260])


def test_quarter_turns_are_exact():
    corners = np.array([(260, 80), (260, 140), (200, 140), (200, 80)], float)
    assert np.array_equal(cut_square(ASTRONAUT, corners), np.rot90(ASTRONAUT[80:140, 200:260]))


def test_landmarks_land_where_the_map_says():
    """A face that was turned by 30 degrees is upright again, each point at its place to a fraction of a pixel."""
    landmarks = turned(UPRIGHT, 1.3, 30, (120, 20))
    y, x = np.mgrid[:400, :400] + .5
    square = face_square(landmarks)
    for index, point in enumerate(landmarks):
        spot = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 8)
        crop = cut_square(np.repeat(np.round(255 * spot)[..., None], 3, axis=2).astype(np.uint8), square)[..., 0]
        rows, columns = np.mgrid[:len(crop), :len(crop)] + .5
        found = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
        assert found == pytest.approx(apply(square_to_crop(square), point), abs=.05)
        upright = (UPRIGHT[index] - (20, 24)) * side_of(square) / 160
        assert found == pytest.approx(upright, abs=.05)


def test_the_crop_is_that_of_scikit_image():
    square = face_square(LANDMARKS + 3.3)
    side = side_of(square)
    back = ProjectiveTransform(np.linalg.inv(np.vstack((square_to_crop(square), (0, 0, 1)))))
    half = np.array([(1, 0, .5), (0, 1, .5), (0, 0, 1)])
    to_picture = ProjectiveTransform(np.linalg.inv(half) @ back.params @ half)
    expected = warp(ASTRONAUT, to_picture, output_shape=(side, side), order=1, preserve_range=True)
    crop = cut_square(ASTRONAUT, square)
    assert crop.shape == (side, side, 3)
    assert np.abs(crop - expected).mean() < 3  # bicubic beside bilinear


def test_beyond_the_edges_is_the_reflection():
    crop = cut_square(ASTRONAUT, np.array([(-40, -40), (60, -40), (60, 60), (-40, 60)], float))
    assert np.array_equal(crop, np.pad(ASTRONAUT[:60, :60], ((40, 0), (40, 0), (0, 0)), 'symmetric'))


@pytest.mark.parametrize(('left', 'upper', 'side', 'expected'), [
    (10, 10, 50, 0), (-25, 0, 50, .5), (-25, -25, 50, .75), (-200, -200, 50, 1),
    (-50, -50, 300, 1 - 200 * 100 / 90000)])
def test_the_share_outside(left, upper, side, expected):
    square = left + side * np.array([(0., 0), (1, 0), (1, 1), (0, 1)]) + (0, upper - left)
    assert share_outside(square, 200, 100) == pytest.approx(expected, abs=1e-6)


@given(st.floats(-180, 180), st.floats(0, 200), st.floats(0, 100))
def test_the_share_outside_of_turned_squares(degrees, x, y):
    square = turned(np.array([(-40., -40), (40, -40), (40, 40), (-40, 40)]), 1, degrees, (x, y))
    steps = (np.arange(200) + .5) / 200
    grid = square[0] + steps[:, None, None] * (square[1] - square[0]) + steps[None, :, None] * (square[3] - square[0])
    outside = ((grid < 0) | (grid > (200, 100))).any(axis=2).mean()
    assert share_outside(square, 200, 100) == pytest.approx(outside, abs=.02)


def test_other_pictures_are_refused(usage_error):
    with usage_error('uint8 (H, W, 3)', '(512, 512)'):
        cut_square(ASTRONAUT[..., 0], face_square(LANDMARKS))
    with usage_error('40000 pixels in a row', '32766'):
        cut_square(np.zeros((2, 40000, 3), np.uint8), face_square(LANDMARKS))


# real faces

@pytest.mark.parametrize(('folder', 'size', 'framing', 'tolerance'), [
    ('celebamask_hq_1000', 512, 'celeba-hq', .02), ('celeba_test_dic_1000', 128, 'dic', .02)])
def test_real_sets_are_cut_out_as_a_whole_on_average(shared_data, folder, size, framing, tolerance):
    landmarks = json.loads((shared_data / folder / 'landmarks_yunet.json').read_text())
    squares = np.array([face_square(np.array(points), FRAMINGS[framing]) for points in landmarks.values()]) / size
    sides = np.linalg.norm(squares[:, 1] - squares[:, 0], axis=1)
    assert sides.mean() == pytest.approx(1, abs=tolerance)
    assert squares.mean(axis=(0, 1)) == pytest.approx([.5, .5], abs=tolerance)


def test_a_crop_of_a_celeba_hq_face_is_nearly_the_face(shared_data):
    folder = shared_data / 'celebamask_hq_1000'
    landmarks = json.loads((folder / 'landmarks_yunet.json').read_text())
    name = sorted(landmarks)[0]
    picture = np.asarray(Image.open(folder / 'images' / name).convert('RGB'))
    crop = Image.fromarray(cut_square(picture, face_square(np.array(landmarks[name])))).resize((64, 64))
    whole = Image.fromarray(picture).resize((64, 64))
    assert np.corrcoef(np.ravel(crop), np.ravel(whole))[0, 1] > .8
