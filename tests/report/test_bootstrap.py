import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkdn_basicsr.report.bootstrap import intervals

RNG = np.random.default_rng(0)


def paired_interval(values, reference, *args, **options):
    return tuple(intervals((values - reference)[:, None], *args, **options)[0])


@pytest.mark.parametrize('level', [.5, .8, .95])
def test_interval_is_that_of_all_possible_resamples(level):
    """Four faces can be drawn in 4^4 equally likely ways: the interval's ends are quantiles of those 256 means."""
    values, reference = np.array([1., 2., 4., 8.]), np.array([.5, 2., 3., 3.])
    exact = [np.mean(draw) for draw in itertools.product(values - reference, repeat=4)]
    ends = np.quantile(exact, [(1 - level) / 2, (1 + level) / 2])
    found = paired_interval(values, reference, level, resamples=200_000)
    assert found == pytest.approx(ends, abs=.01)


def test_many_faces_give_the_normal_interval():
    reference = RNG.normal(25, 3, 2000)
    values = reference + RNG.normal(.1, .5, 2000)
    half = 1.96 * (values - reference).std() / np.sqrt(2000)
    middle = (values - reference).mean()
    assert paired_interval(values, reference) == pytest.approx((middle - half, middle + half), abs=.002)


def test_pairing_takes_out_what_both_methods_share():
    hardness = RNG.normal(25, 5, 100)
    low, high = paired_interval(hardness + .1, hardness)
    assert low == pytest.approx(.1)
    assert high == pytest.approx(.1)


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(0, 99))
def test_swapping_the_methods_mirrors_the_interval(number, seed):
    one, other = np.random.default_rng(seed).normal(size=(2, number))
    low, high = paired_interval(one, other, resamples=500)
    assert low <= high
    assert paired_interval(other, one, resamples=500) == pytest.approx((-high, -low))


def test_the_same_seed_gives_the_same_interval():
    one, other = RNG.normal(size=(2, 50))
    assert paired_interval(one, other, seed=3) == paired_interval(one, other, seed=3)
    assert paired_interval(one, other, seed=3) != paired_interval(one, other, seed=4)


@pytest.mark.parametrize('values', [np.zeros(3), np.zeros((0, 2))])
def test_a_list_or_an_empty_table_is_refused(values):
    with pytest.raises(ValueError, match='a row for each face'):
        intervals(values)


def test_columns_are_resampled_together_and_as_alone():
    table = RNG.normal(size=(20, 3))
    together = intervals(table)
    for column, interval in zip(table.T, together, strict=True):
        assert intervals(column[:, None])[0] == pytest.approx(interval, abs=1e-12)


def test_a_face_without_a_value_is_left_out():
    """Of three faces, one without a value: the mean of what is drawn of the other two, when anything is."""
    values = np.array([[1.], [3.], [np.nan]])
    draws = [np.nanmean(draw) for draw in itertools.product(values[:, 0], repeat=3) if not np.isnan(draw).all()]
    for level in (.1, .4, .95):  # away from the steps of this distribution
        ends = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        assert intervals(values, level, resamples=100_000)[0] == pytest.approx(ends, abs=.01)


def test_a_quantity_that_no_face_has_is_unknown():
    assert np.isnan(intervals(np.array([[np.nan, 1.], [np.nan, 2.]]))[0]).all()
