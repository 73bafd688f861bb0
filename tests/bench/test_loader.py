import pytest
import tiny

from pkdn_basicsr.bench.loader import measure_loader, open_training_set


@pytest.fixture
def training_set(tiny_faces):
    return open_training_set(tiny.train_options(tiny_faces), 'tiny.yml')


def test_speed_by_workers(training_set):
    alone, one = measure_loader(*training_set, workers=[0, 1], images=5, rounds=2)
    assert (alone.workers, one.workers) == (0, 1)
    assert alone.over_first.median == 1
    assert one.over_first.median != 1
    assert alone.images_per_second.count == one.images_per_second.count == 2
    assert one.images_per_second.low > 0


def test_whole_batches_are_read_also_beyond_the_set(training_set):
    dataset, dataset_opt = training_set
    seen = []
    read = dataset.__class__.__getitem__

    class Counted(type(dataset)):
        def __getitem__(self, index):
            seen.append((int(index), index.draw))
            return read(self, index)

    dataset.__class__ = Counted
    measure_loader(dataset, dataset_opt, workers=[0], images=19, rounds=1)  # eight faces, batches of two
    assert len(seen) == 2 * 20
    assert len({draw for _, draw in seen[:20]}) == 20
    assert {index for index, _ in seen} == set(range(8))


def test_no_training_set(tiny_faces, usage_error):
    opt = tiny.train_options(tiny_faces)
    opt['datasets']['train']['type'] = 'ParsingMapDatase'
    with usage_error('tiny.yml', 'ParsingMapDatase'):
        open_training_set(opt, 'tiny.yml')
    with usage_error('tiny.yml', 'datasets.train'):
        open_training_set({'datasets': {}}, 'tiny.yml')
