import pytest
import tiny

from pkdn_basicsr.bench.loader import measure_loader, open_training_set
from pkdn_basicsr.host.option_file import OptionFile


@pytest.fixture
def option_file(tiny_faces, tmp_path):
    """Return an option file with changes to the options of its training set; None takes one away."""
    def write(**change):
        opt = tiny.train_options(tiny_faces)
        own = {**opt['datasets']['train'], **change}
        opt['datasets'] = {'train': {key: value for key, value in own.items() if value is not None}}
        return OptionFile(str(tiny.write_options(opt, tmp_path / 'tiny.yml')))
    return write


@pytest.fixture
def training_set(option_file):
    return open_training_set(option_file())


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


@pytest.mark.parametrize(('change', 'words'), [
    ({'type': 'ParsingMapDatase'}, 'ParsingMapDataset'), ({'type': None}, 'is missing'),
    ({'batch_size_per_gpu': None}, 'is missing'), ({'batch_size_per_gpu': '16'}, 'expected a whole number'),
    ({'io_backend': 'disk'}, 'expected keys and values')])
def test_options_that_cannot_be_meant(option_file, usage_error, change, words):
    with usage_error('tiny.yml', f'datasets.train.{next(iter(change))}', words):
        open_training_set(option_file(**change))


@pytest.mark.parametrize(('change', 'words'), [({'datasets': {}}, 'datasets.train'), ({'scale': None}, 'scale')])
def test_no_training_set_and_no_scale(tiny_faces, tmp_path, usage_error, change, words):
    file = tiny.write_options({**tiny.train_options(tiny_faces), **change}, tmp_path / 'tiny.yml')
    with usage_error('tiny.yml', words):
        open_training_set(OptionFile(str(file)))
