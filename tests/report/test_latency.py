import pytest
import torch
from torch import nn

from pkdn_basicsr.report import latency
from pkdn_basicsr.report.latency import NetworkCost, format_costs, measure_latency, measure_networks, median_latency


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


def test_networks():
    shapes = []
    nets = {'conv': nn.Conv2d(3, 4, 3, padding=1), 'dropout': nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout())}
    for net in nets.values():
        net.register_forward_hook(lambda module, inputs, output: shapes.append((inputs[0].shape[0], module.training)))
    conv, dropout = measure_networks(nets, batch_sizes=[1, 3], repeats=2, warmup=1, lq_size=(4, 6))
    assert (conv.name, conv.parameters, conv.macs) == ('conv', 3 * 4 * 9 + 4, 3 * 4 * 9 * 24)
    assert (dropout.name, dropout.parameters, dropout.macs) == ('dropout', 12, 9 * 24)
    for cost in (conv, dropout):
        assert list(cost.latency) == [1, 3]
        assert all(seconds > 0 for seconds in cost.latency.values())
    assert shapes[:12] == [(1, False)] * 6 + [(3, False)] * 6  # 2 networks, 1 + 2 rounds, for each batch size


def test_table():
    costs = [
        NetworkCost('Big', 5_204_000, 13_700_000_000, {1: 0.2, 8: 1.6}),
        NetworkCost('Small', 40_000, 250_000_000, {1: 0.05, 8: 0.8}),
    ]
    header, big, small = format_costs(costs, references=['Big', 'NotMeasured']).splitlines()
    assert header.split('  ')[0] == 'network'
    assert header.count('/ Big') == 2
    assert 'NotMeasured' not in header
    assert big.split() == ['Big', '5.20', '13.70', '200.0', '1.00', '1600.0', '1.00']
    assert small.split() == ['Small', '0.04', '0.25', '50.0', '0.25', '800.0', '0.50']
    assert len(header) == len(big) == len(small)
