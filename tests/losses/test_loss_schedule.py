import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkdn_basicsr.losses import LossSchedule

ends = st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
types = st.sampled_from(['constant', 'linear', 'cosine'])
falling = st.sampled_from(['linear', 'cosine'])


def test_default_is_always_one():
    assert [LossSchedule()(iteration) for iteration in (0, 1, 2, 10**9)] == [1.0] * 4


def test_constant_is_on_from_start_to_end_inclusive():
    schedule = LossSchedule('constant', start_iter=3, end_iter=5)
    assert [schedule(iteration) for iteration in range(1, 8)] == [0, 0, 1, 1, 1, 0, 0]


def test_linear_literally():
    schedule = LossSchedule('linear', start_iter=2, end_iter=6)
    assert [schedule(iteration) for iteration in range(1, 9)] == [0, 1, 0.75, 0.5, 0.25, 0, 0, 0]


def test_cosine_literally():
    schedule = LossSchedule('cosine', start_iter=2, end_iter=6)
    found = [schedule(iteration) for iteration in range(1, 9)]
    assert found == pytest.approx([0, 1, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125), 0, 0, 0])


def test_kdfsrnet_recipe():
    """Feature weight 10 * (10 - epoch) / 10 at each epoch's start, and a soft weight that ends with it."""
    per_epoch = 100
    feature = LossSchedule('linear', end_iter=10 * per_epoch)
    soft = LossSchedule('constant', end_iter=10 * per_epoch)
    assert [10 * feature(epoch * per_epoch) for epoch in range(12)] == pytest.approx([*range(10, -1, -1), 0])
    assert [soft(epoch * per_epoch) for epoch in range(12)] == [1] * 11 + [0]


@given(types, ends, st.integers(0, 3 * 10**6))
def test_between_zero_and_one_and_zero_outside(kind, span, iteration):
    factor = LossSchedule(kind, *span)(iteration)
    assert isinstance(factor, float)
    assert 0 <= factor <= 1
    if not span[0] <= iteration <= span[1]:
        assert factor == 0


@given(types, ends, st.data())
def test_never_rises_after_the_start(kind, span, data):
    schedule = LossSchedule(kind, *span)
    iterations = st.integers(span[0], span[1] + 100)
    early, late = sorted((data.draw(iterations), data.draw(iterations)))
    assert schedule(early) >= schedule(late)


@given(falling, ends)
def test_falls_from_one_to_zero(kind, span):
    schedule = LossSchedule(kind, *span)
    assert schedule(span[0]) == 1
    assert schedule(span[1]) == 0


@given(falling, ends, st.data())
def test_symmetric_about_the_middle(kind, span, data):
    iteration = data.draw(st.integers(*span))
    schedule = LossSchedule(kind, *span)
    assert schedule(iteration) + schedule(sum(span) - iteration) == pytest.approx(1)


@pytest.mark.parametrize('kind', ['linear', 'cosine'])
def test_falling_schedules_need_an_end(kind):
    with pytest.raises(ValueError, match=f'{kind} .*end_iter is not given'):
        LossSchedule(kind, start_iter=5)


@pytest.mark.parametrize('kind', ['constant', 'linear', 'cosine'])
def test_end_must_be_after_start(kind):
    with pytest.raises(ValueError, match='later than start_iter 7, but is 7'):
        LossSchedule(kind, start_iter=7, end_iter=7)


def test_unknown_type():
    with pytest.raises(ValueError, match="constant, linear, cosine, but is 'exponential'"):
        LossSchedule('exponential', end_iter=10)
