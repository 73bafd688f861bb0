"""Samples from LMDBs equal those of the folders that these were made from."""

import multiprocessing
import os

import numpy as np
import pytest
import tiny
import torch
from basicsr.data import build_dataset
from PIL import Image
from torch.utils.data import DataLoader

from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.data.lmdb_file import write_lmdb
from pkdn_basicsr.data.pairing import index_folder, name_of_sample
from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.data.varied_face_dataset import VariedFaceDataset
from pkdn_basicsr.host.sampler import SampleIndex

NAMES = ['0', '1', 'a.b', 'a-b', 'sub.x/img.v2', 'sub.x/img_v3']
KEYS = ['0', '1', 'a-b', 'a_b', 'sub_x/img_v2', 'sub_x/img_v3']  # in the order of the folder
ROOTS = ('gt', 'lq', 'parsing')


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    """Folders of pictures, low-resolution ones and palette maps, and an LMDB beside each; leave them as they are."""
    root = tmp_path_factory.mktemp('faces')
    rng = np.random.default_rng(0)
    for name in NAMES:
        gt = Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
        parsing = Image.fromarray(rng.integers(0, 19, (48, 48), dtype=np.uint8))
        parsing.putpalette(rng.integers(0, 256, 768).tolist())
        for folder, image in zip(ROOTS, (gt, downsample(gt, 8), parsing), strict=True):
            path = root / folder / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    for folder in ROOTS:
        write_lmdb(root / f'{folder}.lmdb', index_folder(str(root / folder), folder))
    return root


def options(root, lmdb, roots=('gt', 'parsing'), phase='train', **more):
    opt = {'name': 'faces', 'type': 'ParsingMapDataset', 'phase': phase, 'scale': 8, 'manual_seed': 0,
           **{f'dataroot_{name}': str(root / name) + ('.lmdb' if lmdb else '') for name in roots}}
    if phase == 'train':
        opt.update(gt_size=32, use_hflip=True)
        if 'lq' not in roots:
            opt['crop_range'] = [32, 48]
    if lmdb:
        opt['io_backend'] = {'type': 'lmdb'}
    return {**opt, **more}


def names(dataset):
    return [name_of_sample({'gt_path': [path]}, dataset.opt) for path in dataset.gt_paths]


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if torch.is_tensor(value):
            assert value.dtype == other[key].dtype
            assert torch.equal(value, other[key])


@pytest.mark.parametrize('kind', [ParsingMapDataset, VariedFaceDataset])
@pytest.mark.parametrize('phase', ['train', 'val'])
@pytest.mark.parametrize('roots', [('gt',), ('gt', 'parsing'), ROOTS], ids='+'.join)
def test_samples_equal_those_of_the_folder(faces, kind, phase, roots):
    more = {'gt_size': 48} if 'lq' in roots else {}
    folder, stored = (kind(options(faces, lmdb, roots, phase, **more)) for lmdb in (False, True))
    assert len(folder) == len(stored) == len(NAMES)
    for epoch in range(3):
        for i in range(len(folder)):
            index = SampleIndex(i, epoch, i + epoch)
            assert_equal(folder[index], stored[index])


def test_paths_look_as_those_of_the_folder(faces):
    sample = build_dataset(options(faces, True, ROOTS, 'val'))[4]  # the host's way
    assert sample['gt_path'] == os.path.join(faces, 'gt.lmdb', 'sub_x/img_v2.png')
    assert sample['lq_path'] == os.path.join(faces, 'lq.lmdb', 'sub_x/img_v2.png')
    assert names(ParsingMapDataset(options(faces, True))) == [f'{key}.png' for key in KEYS]


def test_the_root_may_end_in_a_slash_and_begin_at_home(faces, monkeypatch):
    monkeypatch.setenv('HOME', str(faces))
    dataset = ParsingMapDataset(options(faces, True, dataroot_gt='~/gt.lmdb/', dataroot_parsing='~/parsing.lmdb'))
    assert names(dataset) == [f'{key}.png' for key in KEYS]
    assert_equal(dataset[0], ParsingMapDataset(options(faces, False))[0])


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_workers_read_the_same(faces, method):
    folder, stored = (ParsingMapDataset(options(faces, lmdb)) for lmdb in (False, True))
    context = multiprocessing.get_context(method)
    alone = list(DataLoader(stored, batch_size=2))  # opens the files in this process, before the workers start
    with_workers = list(DataLoader(stored, batch_size=2, num_workers=2, multiprocessing_context=context))
    for batches in (alone, with_workers):
        for batch, expected in zip(batches, DataLoader(folder, batch_size=2), strict=True):
            assert_equal(batch, expected)


def test_two_sets_share_one_file(faces, tmp_path):
    (tmp_path / 'train.txt').write_text('0\n1\n')
    train = ParsingMapDataset(options(faces, True, meta_info_file=str(tmp_path / 'train.txt')))
    val = ParsingMapDataset(options(faces, True, phase='val', exclude_file=str(tmp_path / 'train.txt')))
    assert train[0]['gt'].shape == val[0]['gt'][:, :32, :32].shape
    assert names(train) + names(val) == [f'{key}.png' for key in KEYS]


@pytest.mark.parametrize('suffix', ['', '.png'])
@pytest.mark.parametrize('option', ['meta_info_file', 'split_file'])
def test_lists_name_the_pictures_as_in_the_folder(faces, tmp_path, option, suffix):
    (tmp_path / 'list.txt').write_text(''.join(f'{name}{suffix}\n' for name in ('sub.x/img.v2', 'a.b', '0')))
    more = {option: str(tmp_path / 'list.txt'), 'phase': 'val'}
    folder, stored = (ParsingMapDataset(options(faces, lmdb, **more)) for lmdb in (False, True))
    assert names(stored) == ['sub_x/img_v2.png', 'a_b.png', '0.png']
    for i in range(3):
        assert_equal(folder[i], stored[i])


def test_the_list_of_an_lmdb_is_a_list_of_names(faces):
    meta = str(faces / 'gt.lmdb' / 'meta_info.txt')
    assert names(ParsingMapDataset(options(faces, True, meta_info_file=meta))) == [f'{key}.png' for key in KEYS]


def test_excluded_pictures_are_left_out(faces, tmp_path):
    (tmp_path / 'out.txt').write_text('a.b.png\nsub.x/img.v2\nsub_x/img_v3\n')
    dataset = ParsingMapDataset(options(faces, True, exclude_file=str(tmp_path / 'out.txt')))
    assert names(dataset) == ['0.png', '1.png', 'a-b.png']


def test_a_run_from_an_lmdb_is_that_from_the_folder(tmp_path, tiny_faces, basicsr_command):
    write_lmdb(tmp_path / 'gt.lmdb', index_folder(str(tiny_faces / 'gt'), 'gt'))
    weights, pictures = [], []
    for name in ('folder', 'lmdb'):
        opt = tiny.train_options(tiny_faces)
        opt['val']['save_img'] = True
        opt['datasets']['train'].update(num_worker_per_gpu=2, use_hflip=True, crop_range=[24, 32])
        if name == 'lmdb':
            for dataset in opt['datasets'].values():
                dataset.update(dataroot_gt=str(tmp_path / 'gt.lmdb'), io_backend={'type': 'lmdb'})
        (cwd := tmp_path / name).mkdir()
        status, _, err = basicsr_command(cwd, 'train', '-opt', tiny.write_options(opt, cwd / 'train.yml'))
        assert status in (0, None), err
        weights.append(torch.load(cwd / 'experiments/tiny/models/net_g_2.pth', weights_only=True)['params'])
        pictures.append({str(path.relative_to(cwd)): path.read_bytes() for path in cwd.rglob('visualization/**/*.png')})
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert len(pictures[0]) >= 8
    assert pictures[0] == pictures[1]


# wrong inputs

@pytest.mark.parametrize('option', [f'dataroot_{root}' for root in ROOTS])
def test_a_folder_among_lmdbs_is_named(faces, option, usage_error):
    opt = options(faces, True, ROOTS, **{option: str(faces / 'gt')})
    with usage_error(f'{option} must end in .lmdb', faces / 'gt', 'io_backend.type'):
        ParsingMapDataset(opt)


@pytest.mark.parametrize('option', [f'dataroot_{root}' for root in ROOTS])
def test_an_lmdb_among_folders_is_named(faces, option, usage_error):
    opt = options(faces, False, ROOTS, **{option: str(faces / 'gt.lmdb')})
    with usage_error(f'{option} {faces / "gt.lmdb"}', 'set io_backend.type: lmdb'):
        ParsingMapDataset(opt)


def test_another_backend_is_named(faces, usage_error):
    with usage_error("'memcached'", "'disk' or 'lmdb'"):
        ParsingMapDataset(options(faces, False, io_backend={'type': 'memcached'}))


@pytest.mark.parametrize('option', [f'dataroot_{root}' for root in ROOTS])
def test_a_missing_lmdb_is_named(faces, option, usage_error):
    with usage_error(faces / 'nowhere.lmdb', 'no such LMDB'):
        ParsingMapDataset(options(faces, True, ROOTS, **{option: str(faces / 'nowhere.lmdb')}))


def test_a_missing_map_is_named(faces, tmp_path, usage_error):
    files = index_folder(str(faces / 'parsing'), 'parsing')
    del files['1']
    write_lmdb(tmp_path / 'less.lmdb', files)
    with usage_error('dataroot_parsing', '1 of 6', "'1'", tmp_path / 'less.lmdb'):
        ParsingMapDataset(options(faces, True, dataroot_parsing=str(tmp_path / 'less.lmdb')))


@pytest.mark.parametrize('where', ['gt', 'parsing'])
def test_a_picture_that_cannot_be_decoded_is_named(faces, tmp_path, where, usage_error):
    damaged = tmp_path / 'damaged.png'
    content = (faces / where / '0.png').read_bytes()
    damaged.write_bytes(content[:len(content) // 2])
    write_lmdb(tmp_path / 'damaged.lmdb', {**index_folder(str(faces / where), where), '0': damaged})
    dataset = ParsingMapDataset(options(faces, True, **{f'dataroot_{where}': str(tmp_path / 'damaged.lmdb')}))
    with usage_error(tmp_path / 'damaged.lmdb' / '0.png', 'replace the file'):
        dataset[0]
    assert dataset[1]['gt'].shape == (3, 32, 32)


def test_a_map_of_another_size_is_named(faces, tmp_path, usage_error):
    write_lmdb(tmp_path / 'small.lmdb', index_folder(str(faces / 'lq'), 'lq'))
    dataset = ParsingMapDataset(options(faces, True, ('gt', 'lq'), 'val', gt_size=32,
                                        dataroot_lq=str(tmp_path / 'small.lmdb')))
    with usage_error(tmp_path / 'small.lmdb' / '0.png', 'expected 4x4', 'found 6x6'):
        dataset[0]
