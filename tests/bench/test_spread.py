import pytest

from pkdn_basicsr.bench.spread import Spread


def test_median_and_quartiles():
    assert Spread.of([5., 1., 2., 3., 4.]) == Spread(3., 2., 4., 5)
    assert Spread.of(iter([7.])) == Spread(7., 7., 7., 1)


def test_ratios_are_those_of_neighbours():
    """A machine that is three times slower in one round moves no ratio."""
    assert Spread.of_ratios([2., 6., 2.], [1., 3., 1.]) == Spread(2., 2., 2., 3)
    with pytest.raises(ValueError, match='shorter'):
        Spread.of_ratios([1., 2.], [1.])


def test_text():
    assert Spread(.0123, .01, .02, 9).text(1, 1e3) == '12.3 (10.0 to 20.0)'
