import itertools
import pickle
import shutil

import pytest
import torch
from basicsr.data import build_dataset
from torch.utils.data import DataLoader, Dataset, Subset

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.failure.bad_file_list import BadFileList
from pkdn_basicsr.host.failure.checked_dataset import CheckedDataset
from pkdn_basicsr.host.sampler import SampleIndex


@pytest.fixture
def faces(tiny_faces, tmp_path):
    """A copy of the faces, of which 3 is cut off, 4 is gone empty and 7 is no picture."""
    folder = shutil.copytree(tiny_faces, tmp_path / 'faces')
    whole = (folder / 'gt' / '3.png').read_bytes()
    (folder / 'gt' / '3.png').write_bytes(whole[:len(whole) // 2])
    (folder / 'gt' / '4.png').write_bytes(b'')
    (folder / 'gt' / '7.png').write_bytes(b'no picture at all')
    return folder


def ours(faces, **options):
    return build_dataset({'name': 'tiny', 'type': 'ParsingMapDataset', 'phase': 'train', 'scale': 4, 'gt_size': 24,
                          'crop_range': [24, 32], 'dataroot_gt': str(faces / 'gt'), **options})


def hosts(faces, **options):
    dataset = build_dataset({'name': 'tiny', 'type': 'PairedImageDataset', 'phase': 'train', 'scale': 4, 'gt_size': 32,
                             'use_hflip': False, 'use_rot': False, 'io_backend': {'type': 'disk'},
                             'dataroot_gt': str(faces / 'gt'), 'dataroot_lq': str(faces / 'lq'), **options})
    dataset.paths.sort(key=lambda paths: paths['gt_path'])  # the host takes them as they lie on the disk
    return dataset


@pytest.fixture(params=[ours, hosts])
def dataset(request, faces):
    return request.param(faces)


@pytest.fixture
def skipping(dataset, tmp_path):
    return CheckedDataset(dataset, BadFileList(tmp_path / 'bad_files.txt'))


@pytest.mark.parametrize(('index', 'why'), [(3, 'cannot be read'), (4, 'not a picture'), (7, 'not a picture')])
def test_a_bad_file_is_named_with_what_to_do(dataset, faces, index, why, usage_error):
    with usage_error(faces / 'gt' / f'{index}.png', why, 'on_bad_file: skip'):
        CheckedDataset(dataset)[index]


def test_a_missing_file_of_the_host_s_data_set_is_named(faces, usage_error):
    dataset = hosts(faces)
    (faces / 'lq' / '2.png').unlink()
    with usage_error(faces / 'lq' / '2.png', 'no such file'):
        CheckedDataset(dataset)[2]


def test_skipping_is_not_offered_where_it_is_refused(faces):
    with pytest.raises(UsageError) as caught:
        CheckedDataset(ours(faces, phase='val', crop_range=None))[3]
    assert 'on_bad_file' not in str(caught.value)


def test_the_next_readable_face_takes_the_place_around_the_end(skipping, dataset):
    for index, taken in [(0, 0), (3, 5), (4, 5), (5, 5), (7, 0)]:
        sample, expected = skipping[index], dataset[taken]
        assert sample['gt_path'] == expected['gt_path']
        assert torch.equal(sample['lq'], expected['lq'])
    assert [line.partition(': ')[0][-5:] for line in skipping.bad_files.read()] == ['3.png', '4.png', '7.png']


def test_it_is_varied_as_the_bad_one_would_have_been(faces, tmp_path):
    dataset = ours(faces)
    skipping = CheckedDataset(dataset, BadFileList(tmp_path / 'bad_files.txt'))
    for draw in (3, 11):
        assert torch.equal(skipping[SampleIndex(3, 2, draw)]['gt'], dataset[SampleIndex(5, 2, draw)]['gt'])
    assert not torch.equal(skipping[SampleIndex(3, 2, 3)]['gt'], skipping[SampleIndex(3, 2, 11)]['gt'])


@pytest.mark.parametrize(('workers', 'context'), [(2, 'fork'), (1, 'spawn')])
def test_workers_give_what_the_main_process_gives(faces, tmp_path, workers, context):
    skipping = CheckedDataset(ours(faces), BadFileList(tmp_path / 'bad_files.txt'))
    expected = [skipping[index] for index in range(len(skipping))]
    (tmp_path / 'bad_files.txt').unlink()
    loader = DataLoader(CheckedDataset(skipping.dataset, BadFileList(tmp_path / 'bad_files.txt')), batch_size=None,
                        num_workers=workers, multiprocessing_context=context)
    for sample, right in zip(loader, expected, strict=True):
        assert sample['gt_path'] == right['gt_path']
        assert torch.equal(sample['gt'], right['gt'])
    assert len(BadFileList(tmp_path / 'bad_files.txt').read()) == 3


def test_where_none_can_be_read_the_run_stops(skipping, faces, usage_error):
    for path in (faces / 'gt').iterdir():
        path.write_bytes(b'')
    with usage_error('dataset tiny', 'none of its 8 samples', '.png'):
        skipping[0]


def test_everything_else_is_the_data_set_s_own(skipping, dataset):
    assert skipping.opt is dataset.opt
    assert len(skipping) == len(dataset)
    assert not hasattr(skipping, 'no_such_thing')
    assert pickle.loads(pickle.dumps(skipping)).opt == dataset.opt


def test_no_way_leads_around_the_check(faces, tmp_path, usage_error):
    """torch asks a data set for whole batches where it can give them."""
    checked = CheckedDataset(Subset(ours(faces), range(8)))
    checked.opt = {'phase': 'train', 'name': 'tiny'}
    assert not hasattr(checked, '__getitems__')
    with usage_error('3.png'):
        next(iter(DataLoader(checked, sampler=[3])))


class _Unknown(Dataset):
    """Somebody else's, which does not say what its files are."""

    opt = {'name': 'unknown', 'phase': 'train'}  # noqa: RUF012

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == 1:
            raise RuntimeError('bits\nare missing')
        return {'lq': torch.zeros(1)}


def test_a_sample_without_known_files_has_its_number(usage_error):
    with usage_error('sample 1', 'RuntimeError', 'bits are missing'):
        CheckedDataset(_Unknown())[1]


def test_a_loop_over_the_data_set_ends(tmp_path):
    checked = CheckedDataset(_Unknown(), BadFileList(tmp_path / 'bad_files.txt'))
    assert len(list(itertools.islice(checked, 10))) == 3


def test_damage_that_only_the_host_sees_is_told_with_all_files(faces, usage_error):
    dataset = hosts(faces, gt_size=64)  # larger than the pictures
    with usage_error(faces / 'lq' / '0.png', faces / 'gt' / '0.png', 'ValueError'):
        CheckedDataset(dataset)[0]
