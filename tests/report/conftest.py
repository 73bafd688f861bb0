import numpy as np
import pytest
import torch
from PIL import Image

from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.report.method import Method


@pytest.fixture
def face_folder(tmp_path):
    """Three 32x32 pictures with two-class maps."""
    rng = np.random.default_rng(0)
    for folder in ('images', 'parsing'):
        (tmp_path / folder).mkdir()
    for name in 'abc':
        small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC).save(tmp_path / 'images' / f'{name}.png')
        Image.fromarray(rng.integers(0, 2, (32, 32), dtype=np.uint8)).save(tmp_path / 'parsing' / f'{name}.png')
    return tmp_path


@pytest.fixture
def faces(face_folder):
    return ParsingMapDataset({
        'name': 'faces', 'phase': 'test', 'scale': 8, 'gt_size': 32, 'dataroot_gt': str(face_folder / 'images'),
        'dataroot_parsing': str(face_folder / 'parsing')})


class Constant(torch.nn.Module):
    """Answers with one grey value."""

    def __init__(self, value):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(float(value)))

    def forward(self, lq):
        return self.value.expand(lq.shape[0], 3, lq.shape[2] * 8, lq.shape[3] * 8).clone()


class MapReader(torch.nn.Module):
    """A teacher that paints class 1 white."""

    num_classes = 19

    def forward(self, lq, parsing):
        return parsing[:, 1:2].repeat(1, 3, 1, 1)


@pytest.fixture
def methods():
    return [Method('dark', Constant(0.), False), Method('grey', Constant(.5), False),
            Method('teacher', MapReader(), True)]
