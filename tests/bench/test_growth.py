import pytest

from pkdn_basicsr.bench.growth import measure_growth


@pytest.mark.parametrize('lmdb', [False, True])
def test_sets_of_several_sizes(tmp_path, lmdb):
    small, large = measure_growth([70, 140, 70], samples=5, rounds=3, folder=tmp_path, lmdb=lmdb)
    assert (small.files, large.files) == (70, 140)
    assert {spread.count for point in (small, large) for spread in (point.sample, point.over_first)} == {3}
    assert small.over_first.median == 1
    assert min(large.opening, large.ordering, large.sample.low) > 0
    if lmdb:
        assert len((tmp_path / '140' / 'images.lmdb' / 'meta_info.txt').read_text().splitlines()) == 140
    else:
        assert len(list((tmp_path / '140' / 'parsing').iterdir())) == 140
        assert (tmp_path / '140' / 'images' / '000000.png').samefile(tmp_path / '70' / 'images' / '000064.png')
