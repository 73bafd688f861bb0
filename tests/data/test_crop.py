import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pkdn_basicsr.data.crop import centre_square, random_square

sides = st.integers(1, 600)


def check_inside(box, width, height):
    left, upper, right, lower = box
    assert all(type(edge) is int for edge in box)
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height
    assert right - left == lower - upper
    return right - left


@given(sides, sides, sides)
def test_the_centre_square_lies_inside_with_an_odd_rest_right_and_below(width, height, side):
    assume(side <= min(width, height))
    box = centre_square(width, height, side)
    assert check_inside(box, width, height) == side
    left, upper, right, lower = box
    assert width - right - left in (0, 1)
    assert height - lower - upper in (0, 1)


@given(sides, sides)
def test_the_centre_square_without_a_side_is_the_largest(width, height):
    assert check_inside(centre_square(width, height), width, height) == min(width, height)


def test_the_centre_square_of_celeba():
    assert centre_square(178, 218) == (0, 20, 178, 198)
    assert centre_square(178, 218, 128) == (25, 45, 153, 173)


@given(sides, sides, sides, sides, st.integers(0, 2**32))
def test_a_random_square_lies_inside_and_its_side_in_the_range(width, height, smallest, largest, seed):
    smallest, largest = sorted((smallest, largest))
    assume(smallest <= min(width, height))
    box = random_square(width, height, (smallest, largest), np.random.default_rng(seed))
    assert smallest <= check_inside(box, width, height) <= largest
    assert random_square(width, height, (smallest, largest), np.random.default_rng(seed)) == box


def test_random_squares_reach_both_ends_of_the_range_and_every_place():
    rng = np.random.default_rng(0)
    boxes = {random_square(5, 4, (2, 4), rng) for _ in range(2000)}
    everything = {(x, y, x + side, y + side) for side in (2, 3, 4) for x in range(6 - side) for y in range(5 - side)}
    assert boxes == everything


def test_random_squares_have_every_side_equally_often():
    rng = np.random.default_rng(0)
    drawn = [box[2] - box[0] for box in (random_square(512, 512, (500, 509), rng) for _ in range(5000))]
    counts = np.bincount(drawn)[500:]
    assert len(counts) == 10
    assert counts.min() > 400
    assert counts.max() < 600


def test_the_range_ends_at_the_picture():
    rng = np.random.default_rng(0)
    assert {random_square(3, 9, (3, 100), rng)[2:][0] for _ in range(20)} == {3}


@pytest.mark.parametrize(('width', 'height'), [(99, 200), (200, 99)])
def test_a_square_larger_than_the_picture_is_an_error(width, height):
    with pytest.raises(ValueError, match='100 pixels does not fit into'):
        centre_square(width, height, 100)
    with pytest.raises(ValueError, match='100 pixels does not fit into'):
        random_square(width, height, (100, 120), np.random.default_rng(0))
