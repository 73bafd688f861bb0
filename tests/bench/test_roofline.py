import pytest
import torch
from torch import nn

from pkdn_basicsr.bench.roofline import Rates, Roofline, Work, convolution_format, count_work, measure_rates


def test_multiply_accumulates_of_a_step():
    net, face = nn.Conv2d(3, 5, 3, padding=1, bias=False), torch.rand(2, 3, 8, 8)
    forward = 2 * 5 * 8 * 8 * 3 * 9
    assert count_work(lambda: net(face)).macs == forward
    assert count_work(lambda: net(face).sum().backward()).macs == 2 * forward  # the gradient of weights alone
    face.requires_grad_()
    assert count_work(lambda: net(face).sum().backward()).macs == 3 * forward


def test_bytes_are_those_of_operands_and_results():
    one, other = torch.rand(2, 100, 10)
    assert count_work(lambda: one + other).moved == 3 * 4000
    assert count_work(lambda: one.add_(other)).moved == 3 * 4000
    assert count_work(lambda: one @ other.t()).moved == 2 * 4000 + 40_000
    assert count_work(lambda: one.view(10, 100).t()[2:]).moved == 0
    assert count_work(lambda: torch.cat([one, other])).moved == 4 * 4000


def test_comparison_with_the_rates():
    roofline = Roofline.of(Work(macs=600, moved=80), Rates({'fp32': 100., 'bf16': 200.}, 20.), 'bf16', seconds=12.)
    assert (roofline.macs_seconds, roofline.moved_seconds, roofline.share) == (3., 4., .25)


def test_rates_are_per_second_and_of_the_faster_kind(monkeypatch):
    seconds = {'copy': 2., 'fp32 product': 4., 'fp32 convolution': 8., 'bf16 product': 4., 'bf16 convolution': .001}

    def measured(calls, repeats, warmup):
        assert all(call() is not None for call in calls.values())
        return {name: [seconds[name]] for name in calls}

    monkeypatch.setattr('pkdn_basicsr.bench.roofline.measure_latency', measured)
    rates = measure_rates(torch.device('cpu'), side=32, size=1000)
    convolution = 2 * 2 * 3 * 3 * 4 * 4  # channels in, out, kernel, picture
    assert rates == Rates({'fp32': 32 ** 3 / 4, 'bf16': pytest.approx(convolution / .001)}, 2 * 1000 / 2)


def test_number_format():
    cpu = torch.device('cpu')
    assert [convolution_format(amp, cpu) for amp in (None, 'bf16', 'fp16')] == ['fp32', 'bf16', 'bf16']
    assert convolution_format(None, torch.device('cuda')) == 'tf32'  # cuDNN's default
