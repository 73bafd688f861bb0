import numpy as np
import pytest
import torch
from students import make_student
from torch import nn

from pkdn_basicsr.archs.baselines.vdsr_arch import VDSR
from pkdn_basicsr.infer.sizes import SizeRule, find_size_rule, pad_to


@pytest.mark.parametrize(('net', 'scale', 'rule'), [
    (make_student(), 8, SizeRule(1, 1)),
    (make_student(scale=4, num_enc_blocks=[0, 0, 0], num_dec_blocks=[0, 0, 0]), 4, SizeRule(2, 2)),
    (VDSR(scale=3, num_feat=2, num_layers=2), 3, SizeRule(1, 1)),
], ids=['x8', 'x4', 'vdsr'])
def test_the_rule_is_the_networks_own(net, scale, rule):
    assert find_size_rule(net, scale) == rule


class _Picky(nn.Module):
    def forward(self, lq):
        if lq.shape[2] < 12 or lq.shape[2] % 5:
            raise RuntimeError('no')
        return lq.repeat(1, 1, 2, 2)


class _WrongSize(nn.Module):
    def forward(self, lq):
        return torch.zeros(1, 3, 128, 128)


def test_sizes_are_tried_and_results_looked_at(usage_error):
    assert find_size_rule(_Picky(), 2) == SizeRule(15, 5)
    with usage_error('_WrongSize', 'takes 1 of all sizes'):
        find_size_rule(_WrongSize(), 8)


def test_next_side():
    assert [SizeRule(15, 5).next(side) for side in (1, 15, 16, 20, 21)] == [15, 15, 20, 20, 25]
    assert [SizeRule(1, 1).next(side) for side in (1, 2, 17)] == [1, 2, 17]


def test_padding_reflects_on_the_right_and_below_as_often_as_it_takes():
    face = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    padded = pad_to(face, 5, 4)
    assert padded[..., 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [0, 1, 2, 2], [0, 1, 2, 2]]
