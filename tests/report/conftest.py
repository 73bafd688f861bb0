import numpy as np
import pytest
import torch
from PIL import Image

from pkdn_basicsr.report.comparison import Comparison, MethodResult
from pkdn_basicsr.report.cost import Cost, LatencyRule
from pkdn_basicsr.report.faces import read_faces
from pkdn_basicsr.report.maps import TRUE_MAPS
from pkdn_basicsr.report.method import Method
from pkdn_basicsr.report.provenance import FileRecord, Run


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
def dataset_options(face_folder):
    """`datasets.test` of a comparison."""
    return {'name': 'faces', 'type': 'ParsingMapDataset', 'gt_size': 32, 'dataroot_gt': str(face_folder / 'images'),
            'dataroot_parsing': str(face_folder / 'parsing')}


@pytest.fixture
def faces(dataset_options):
    return read_faces(dataset_options, scale=8)


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


def make_method(name, net, prior=None):
    return Method(name, net, {'type': type(net).__name__}, FileRecord('x.yml', '0'), None, prior, 'celebamask_hq',
                  {'network': name, 'param_key': None, 'maps': None})


@pytest.fixture
def methods():
    return [make_method('dark', Constant(0.)), make_method('grey', Constant(.5)),
            make_method('teacher', MapReader(), TRUE_MAPS)]


RUN = Run('2026-01-02T03:04:05+00:00', FileRecord('compare.yml', 'ab'), 'a processor', 1, {'mmengine': '1'})


@pytest.fixture
def make_result():
    """`make_result(metric=values, ..., **changes)`: what a method reached."""
    def make(*, sees_truth=False, prior=None, maps=None, cost=None, run=RUN, checkpoint=None,
             param_key=None, **values):
        cost = cost or Cost(1_500_000, 2_000_000_000, {'aten::add': 3}, .0125)
        return MethodResult({'type': 'Net'}, FileRecord('net.yml', 'cd'), checkpoint, param_key, prior, maps,
                            sees_truth, cost, run,
                            {metric: np.array(column) for metric, column in values.items()})
    return make


@pytest.fixture
def make_comparison():
    """`make_comparison(methods, **changes)`: the outcome of a comparison in psnr and a distance."""
    def make(methods, **changes):
        first = next(iter(methods.values()))
        metrics = {'psnr': {'type': 'calculate_protocol_psnr', 'protocol': 'dic', 'better': 'higher'},
                   'distance': {'type': 'calculate_lpips', 'better': 'lower'}}
        what = {'name': 'tiny', 'dataset': 'faces', 'scale': 8, 'lq_size': (16, 16),
                'images': tuple(f'{index}.png' for index in range(len(next(iter(first.values.values()))))),
                'faces_sha256': 'ef', 'metrics': {name: metrics[name] for name in first.values}, 'missing': {},
                'latency': LatencyRule(), 'reference': next(iter(methods)), 'methods': methods}
        return Comparison(**{**what, **changes})
    return make


@pytest.fixture
def comparison(make_comparison, make_result):
    """Bicubic, two students and a teacher on two faces."""
    return make_comparison({
        'bicubic': make_result(psnr=[20., 22.], distance=[.5, .7], cost=Cost(0, 0, {}, .001)),
        'alone': make_result(psnr=[24., 25.], distance=[.3, .1]),
        'taught': make_result(psnr=[24.25, 25.25], distance=[.2, .1]),
        'teacher': make_result(psnr=[27., 29.], distance=[.1, .1], sees_truth=True, prior='the true parsing map'),
    })
