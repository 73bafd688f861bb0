import time
from functools import partial

import torch
from torch import nn

from pkdn_basicsr.report.operator_time import heavy_calls, time_over_operators


class Everything(nn.Module):
    """One of each operator that counts, and some that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.up(self.conv(x)))  # two convolutions
        vectors = x.flatten(2).transpose(1, 2)
        vectors = self.linear(vectors)  # one product
        vectors = vectors @ vectors.transpose(1, 2)  # one more
        return torch.fft.irfft2(torch.fft.rfft2(vectors))  # forth and back


def test_convolutions_products_and_transforms_are_found_and_nothing_else():
    calls = heavy_calls(Everything().eval(), [torch.rand(1, 3, 4, 4)])
    names = [call.func.overloadpacket.__name__ for call in calls]
    assert names[:2] == ['convolution', 'convolution']
    assert [name for name in names[2:] if name in ('mm', 'addmm', 'bmm')] == names[2:4]
    assert names[4] == '_fft_r2c'
    assert names[-1] == '_fft_c2r'
    assert 'relu' not in names


def test_a_call_repeats_what_the_network_computed():
    conv = nn.Conv2d(3, 4, 3, padding=1, padding_mode='reflect', bias=False).eval()
    x = torch.rand(2, 3, 5, 6)
    call, = heavy_calls(conv, [x])
    assert torch.equal(call(), conv(x))


def test_time_besides_the_operators_counts(monkeypatch):
    now = [0.]

    def spend(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])
    monkeypatch.setattr('pkdn_basicsr.report.operator_time.heavy_calls', lambda *_: [partial(spend, 1)] * 2)
    assert time_over_operators(spend, [3], repeats=3, warmup=1) == 1.5
