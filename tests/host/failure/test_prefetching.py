import threading

import pytest
from basicsr.data.prefetch_dataloader import CPUPrefetcher, PrefetchDataLoader


class _Fails(list):
    def __getitem__(self, index):
        if index == 2:
            raise OSError('unreadable')
        return super().__getitem__(index)


@pytest.fixture
def take_all():
    """`take_all(dataset)`: the batches that came, and what ended them; a wait without an end fails."""
    def take(dataset):
        taken, errors = [], []

        def work():
            prefetcher = CPUPrefetcher(PrefetchDataLoader(1, dataset=dataset, batch_size=None))
            try:
                while (item := prefetcher.next()) is not None:
                    taken.append(item)
            except OSError as error:
                errors.append(str(error))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        return taken, errors
    return take


def test_batches_come_in_their_order(take_all):
    assert take_all([1, 2, 3]) == ([1, 2, 3], [])


def test_an_error_of_the_thread_comes_when_its_batch_is_due(take_all):
    assert take_all(_Fails([1, 2, 3])) == ([1, 2], ['unreadable'])
