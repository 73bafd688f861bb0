import gc
import weakref

import numpy as np
import pytest

from pkdn_basicsr.metrics.memo import remember_pictures


def noise(seed=0, shape=(4, 6, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def counted():
    """A remembered sum of two results at most, and the list of the calls that were not remembered."""
    calls = []

    @remember_pictures(2)
    def total(picture, factor=1):
        """Add up a picture."""
        calls.append(factor)
        return int(picture.sum()) * factor

    return total, calls


def test_equal_contents_are_worked_on_once(counted):
    total, calls = counted
    assert [total(noise()) for _ in range(3)] == [noise().sum()] * 3
    assert len(calls) == 1


def test_other_contents_or_arguments_are_other_work(counted):
    total, calls = counted
    assert total(noise(0)) != total(noise(1))
    assert total(noise(1), 2) == 2 * total(noise(1))
    assert calls == [1, 1, 2]


@pytest.mark.parametrize('other', [noise().reshape(6, 4, 3), noise().view(np.int8), noise()[::-1], noise()[..., ::-1]])
def test_shape_type_and_order_count(counted, other):
    total, calls = counted
    total(noise())
    total(other)
    assert len(calls) == 2


def test_a_view_equals_its_copy(counted):
    total, calls = counted
    total(noise()[:, ::-1])
    total(noise()[:, ::-1].copy())
    assert len(calls) == 1


def test_a_picture_that_was_changed_is_another_one(counted):
    total, calls = counted
    picture = noise()
    before = total(picture)
    picture[0, 0, 0] ^= 255
    assert total(picture) != before
    assert total(noise()) == before
    assert len(calls) == 2


def test_the_oldest_is_forgotten_first(counted):
    total, calls = counted
    for seed in (0, 1, 0, 2, 0):  # 2 takes the place of 1
        total(noise(seed))
    assert len(calls) == 3
    total(noise(1))
    assert len(calls) == 4
    assert total.cache_info().currsize == 2


def test_pictures_are_not_kept(counted):
    total, _ = counted
    picture = noise()
    kept = weakref.ref(picture)
    total(picture)
    del picture
    gc.collect()
    assert kept() is None


def test_errors_are_not_remembered():
    calls = []

    @remember_pictures(4)
    def fail(picture):
        calls.append(picture)
        raise ValueError('no')

    for _ in range(2):
        with pytest.raises(ValueError, match='no'):
            fail(noise())
    assert len(calls) == 2


def test_it_keeps_name_and_docstring(counted):
    total, calls = counted
    assert total.__name__ == 'total'
    assert total.__doc__ == 'Add up a picture.'
    total(noise())
    total.cache_clear()
    total(noise())
    assert len(calls) == 2
