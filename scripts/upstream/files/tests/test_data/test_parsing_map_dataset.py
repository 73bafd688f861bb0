import cv2
import numpy as np
import pytest
import torch
import yaml
from basicsr.data.parsing_map_dataset import ParsingMapDataset
from basicsr.utils.lmdb_util import make_lmdb_from_imgs

NAMES = ['0', '1', '2']


def make_faces(folder):
    """Write pictures whose left half is class 4 (left eye) of celebamask_hq, the rest background."""
    for kind in ('gt', 'parsing'):
        (folder / kind).mkdir()
    rng = np.random.default_rng(0)
    for name in NAMES:
        cv2.imwrite(str(folder / 'gt' / f'{name}.png'), rng.integers(0, 256, (48, 40, 3), dtype=np.uint8))
        parsing = np.zeros((48, 40), dtype=np.uint8)
        parsing[:, :20] = 4
        cv2.imwrite(str(folder / 'parsing' / f'{name}.png'), parsing)


def read_options(folder):
    return yaml.safe_load(f"""
name: Test
type: ParsingMapDataset
dataroot_gt: {folder}/gt
dataroot_parsing: {folder}/parsing
io_backend:
    type: disk

scale: 4
gt_size: 32
crop_range: [32, 40]
use_hflip: true

phase: train
""")


def test_parsingmapdataset(tmp_path):
    """Test dataset: ParsingMapDataset"""
    make_faces(tmp_path)
    opt = read_options(tmp_path)
    dataset = ParsingMapDataset(opt)
    assert len(dataset) == 3

    # test __getitem__
    torch.manual_seed(0)
    results = [dataset.__getitem__(1) for _ in range(20)]
    # check returned keys
    assert set(results[0].keys()) == {'lq', 'gt', 'parsing', 'lq_path', 'gt_path'}
    # check shape and contents
    assert results[0]['gt'].shape == (3, 32, 32)
    assert results[0]['lq'].shape == (3, 8, 8)
    assert results[0]['parsing'].shape == (32, 32)
    assert results[0]['parsing'].dtype == torch.uint8
    assert results[0]['gt_path'] == f'{tmp_path}/gt/1.png'
    # every time another crop, and half of the faces mirrored: then the left eye is a right one
    assert len({result['gt'].sum().item() for result in results}) > 10
    assert {tuple(result['parsing'].unique().tolist()) for result in results} == {(0, 4), (0, 5)}
    # told by torch's seed alone
    torch.manual_seed(0)
    assert torch.equal(dataset.__getitem__(1)['gt'], results[0]['gt'])

    # ------------------ test list of names -------------------- #
    (tmp_path / 'meta_info.txt').write_text('2.png (48,40,3)\n0.png (48,40,3)\n')
    dataset = ParsingMapDataset({**opt, 'meta_info_file': str(tmp_path / 'meta_info.txt')})
    assert [dataset[index]['gt_path'] for index in range(2)] == [f'{tmp_path}/gt/{name}.png' for name in (2, 0)]

    # ------------------ test case: val mode -------------------- #
    val_opt = {**opt, 'phase': 'val', 'crop_range': None}
    result = ParsingMapDataset(val_opt).__getitem__(0)
    assert result['gt'].shape == (3, 32, 32)

    # ------------------ test lmdb backend -------------------- #
    for kind in ('gt', 'parsing'):
        lmdb_path = str(tmp_path / f'{kind}.lmdb')
        make_lmdb_from_imgs(str(tmp_path / kind), lmdb_path, [f'{name}.png' for name in NAMES], NAMES, map_size=2**20)
        val_opt[f'dataroot_{kind}'] = lmdb_path
    dataset = ParsingMapDataset({**val_opt, 'io_backend': {'type': 'lmdb'}})
    assert len(dataset) == 3
    for kind in ('gt', 'lq', 'parsing'):
        assert torch.equal(dataset[0][kind], result[kind])

    # ------------------ test a map with unknown classes -------------------- #
    cv2.imwrite(str(tmp_path / 'parsing' / '0.png'), np.full((48, 40), 19, dtype=np.uint8))
    with pytest.raises(ValueError, match='0.png: class index 19 is outside the scheme celebamask_hq'):
        ParsingMapDataset(opt)[0]
