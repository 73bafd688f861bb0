import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkdn_basicsr.metrics.confusion import class_iou, confusion_matrix, mean_iou

IGNORE = 255


def maps(seed, num_classes=5, shape=(2, 6, 7)):
    rng = np.random.default_rng(seed)
    truth = rng.choice([*range(num_classes - 1), IGNORE], shape).astype(np.uint8)  # the last class is only predicted
    return truth, rng.integers(num_classes, size=shape, dtype=np.uint8)


def loop_counts(truth, predicted, num_classes):
    counts = [[0] * num_classes for _ in range(num_classes)]
    for t, p in zip(truth.flat, predicted.flat, strict=True):
        if t != IGNORE:
            counts[t][p] += 1
    return counts


def set_iou(truth, predicted, k):
    """The definition: sets of pixels."""
    pixels = [i for i, t in enumerate(truth.flat) if t != IGNORE]
    in_truth = {i for i in pixels if truth.flat[i] == k}
    in_predicted = {i for i in pixels if predicted.flat[i] == k}
    return len(in_truth & in_predicted) / len(in_truth | in_predicted) if in_truth else None


@given(st.integers(0, 2**16))
def test_against_the_definitions_in_loops(seed):
    truth, predicted = maps(seed)
    confusion = confusion_matrix(truth, predicted, 5)
    assert confusion.tolist() == loop_counts(truth, predicted, 5)
    expected = [set_iou(truth, predicted, k) for k in range(5)]
    for found, iou in zip(class_iou(confusion), expected, strict=True):
        assert math.isnan(found) if iou is None else found == pytest.approx(iou)
    present = [iou for iou in expected if iou is not None]
    assert mean_iou(confusion) == pytest.approx(sum(present) / len(present))


def test_matrices_of_pictures_add_up():
    truth, predicted = maps(0)
    parts = [confusion_matrix(t, p, 5) for t, p in zip(truth, predicted, strict=True)]
    assert np.array_equal(sum(parts), confusion_matrix(truth, predicted, 5))


def test_equal_maps_agree_perfectly():
    truth, _ = maps(0)
    assert mean_iou(confusion_matrix(truth, truth, 5)) == 1


def test_a_class_that_is_only_predicted_costs_the_others_but_has_no_term():
    truth, predicted = np.zeros(10, np.uint8), np.array([1] * 4 + [0] * 6, np.uint8)
    assert mean_iou(confusion_matrix(truth, predicted, 2)) == pytest.approx(0.6)


def test_a_class_of_one_pixel_counts():
    truth = np.array([[0, 1], [IGNORE, IGNORE]], np.uint8)
    matrix = confusion_matrix(truth, truth, 2)
    assert class_iou(matrix).tolist() == [1, 1]
    assert mean_iou(matrix) == 1


def test_nothing_known_has_no_mean():
    nothing = np.full((2, 2), IGNORE, np.uint8)
    assert math.isnan(mean_iou(confusion_matrix(nothing, nothing, 3)))


@pytest.mark.parametrize(('truth', 'predicted'), [(3, 0), (0, 3)])
def test_an_index_outside_the_classes_is_refused(truth, predicted):
    with pytest.raises(ValueError, match=r'class index 3 is outside 0\.\.2'):
        confusion_matrix(np.full((2, 2), truth, np.uint8), np.full((2, 2), predicted, np.uint8), 3)


def test_unequal_sizes_are_refused():
    with pytest.raises(ValueError, match=r'one size, found \(2, 2\) and \(2, 3\)'):
        confusion_matrix(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 3)
