import pytest

from pkdn_basicsr.host import shards


@pytest.mark.parametrize(('count', 'processes'), [(0, 1), (5, 1), (8, 3), (2, 4)])
def test_shares_cover_every_index_once(monkeypatch, count, processes):
    taken = []
    for rank in range(processes):
        monkeypatch.setattr(shards, 'get_dist_info', lambda rank=rank: (rank, processes))
        taken += shards.my_share(count)
    assert sorted(taken) == list(range(count))


def test_one_process_has_the_whole():
    assert shards.gather([3, 1, 2]) == [3, 1, 2]  # several processes: tests/models/test_face_sr_model.py
