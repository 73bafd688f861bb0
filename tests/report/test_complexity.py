import dataclasses
import subprocess
import sys

import pytest
import torch
from torch import nn

from pkdn_basicsr.report.complexity import Macs, count_macs, count_parameters


class _TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3, padding=1)
        self.prior = nn.Conv2d(5, 4, 1)

    def forward(self, lq, parsing):
        return self.image(lq) + self.prior(parsing)


def _small_net():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 5, stride=2, padding=2),
                         nn.PixelShuffle(2))  # fmt: skip


def test_parameters():
    assert count_parameters(_small_net()) == (3 * 8 * 9 + 8) + (8 * 12 * 25 + 12)


def test_frozen_and_shared_parameters():
    net = _small_net()
    net[0].requires_grad_(False)
    assert count_parameters(net) == 8 * 12 * 25 + 12
    assert count_parameters(nn.Sequential(net[2], net[2])) == 8 * 12 * 25 + 12


@pytest.mark.parametrize(('height', 'width'), [(16, 16), (8, 20)])
def test_macs_against_the_formula(height, width):
    macs = count_macs(_small_net(), (height, width))
    assert macs.total == 3 * 8 * 9 * height * width + 8 * 12 * 25 * (height // 2) * (width // 2)
    assert macs.skipped == {'aten::pixel_shuffle': 1}


def test_macs_of_two_inputs():
    macs = count_macs(_TwoInputs(), (6, 6), extra_inputs=(torch.zeros(1, 5, 6, 6),))
    assert macs == Macs(total=(3 * 4 * 9 + 5 * 4) * 36, skipped={'aten::add': 1})


def test_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Macs(1, {}).total = 2


def test_network_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    net.train()
    net[2].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    first = count_macs(net)
    assert [module.training for module in net.modules()] == [True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert count_macs(net) == first


def test_says_nothing():
    # in a fresh process, because mmengine's logger keeps the stream that it first saw
    code = """
from pkdn_basicsr.archs.baselines import KDFSRNetStudent
from pkdn_basicsr.report.complexity import count_macs
net = KDFSRNetStudent(num_feat=4, num_blocks=1)
net.never_called = net.upsample.__class__(2)
assert count_macs(net).skipped
"""
    finished = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert (finished.stdout, finished.stderr) == ('', '')


def test_import_does_not_pull_mmengine():
    code = 'import sys, pkdn_basicsr.report.complexity; sys.exit("mmengine.analysis" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
