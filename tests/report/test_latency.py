import pytest
import torch
from torch import nn

from pkdn_basicsr.report import latency
from pkdn_basicsr.report.latency import measure_latency, median_latency, network_latency


class _Clock:
    """Stands in for the clock; a call advances it by what the call is said to cost."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def perf_counter(self):
        return self.now

    def forward(self, name, seconds):
        def call():
            self.calls.append(name)
            self.now += seconds * len(self.calls)

        return call


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(latency, 'time', clock)
    return clock


def test_calls_take_turns(clock):
    measure_latency({'a': clock.forward('a', 1), 'b': clock.forward('b', 1)}, repeats=2, warmup=1)
    assert clock.calls == ['a', 'b', 'a', 'b', 'a', 'b']


def test_times_without_the_warmup(clock):
    seconds = measure_latency({'a': clock.forward('a', 1), 'b': clock.forward('b', 10)}, repeats=2, warmup=1)
    assert seconds == {'a': [3, 5], 'b': [40, 60]}


def test_waits_for_the_gpu_inside_the_measurement(clock, monkeypatch):
    pending = [5.0]  # left over from before, and nobody's here

    def synchronize():
        while pending:
            clock.now += pending.pop()

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: True)
    monkeypatch.setattr(torch.cuda, 'synchronize', synchronize)
    forwards = {'a': lambda: pending.append(1.0), 'b': lambda: pending.append(2.0)}
    assert measure_latency(forwards, repeats=2, warmup=0) == {'a': [1, 1], 'b': [2, 2]}


def test_no_repeats():
    with pytest.raises(ValueError, match='at least 1 repeat'):
        measure_latency({'a': lambda: None}, repeats=0, warmup=1)


def test_median():
    assert median_latency({'a': [1.0, 9.0, 2.0], 'b': [4.0, 2.0]}) == {'a': 2.0, 'b': 3.0}


def test_networks_take_turns_on_their_inputs():
    seen = []
    nets = {'one': nn.Conv2d(3, 4, 3), 'two': nn.Bilinear(2, 2, 1)}
    for name, net in nets.items():
        net.register_forward_hook(lambda _, inputs, output, name=name: seen.append(
            (name, *(len(tensor) for tensor in inputs), torch.is_inference_mode_enabled())))
    inputs = {'one': [torch.rand(5, 3, 4, 4)], 'two': [torch.rand(6, 2), torch.rand(6, 2)]}
    seconds = network_latency(nets, inputs, repeats=1, warmup=1)
    assert seen == [('one', 5, True), ('two', 6, 6, True)] * 2
    assert list(seconds) == ['one', 'two']
    assert min(seconds.values()) > 0
