import pytest
import torch

from pkdn_basicsr.bench import stopwatch as module
from pkdn_basicsr.bench.stopwatch import Stopwatch


class _Event:
    """Stands in for a CUDA event: the device comes to it `late` seconds after it was recorded."""

    late = 5.
    waited = False

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self, stream):
        self.moment = module.time.perf_counter() + self.late

    def elapsed_time(self, other):
        assert _Event.waited
        return 1e3 * (other.moment - self.moment)


@pytest.fixture
def clock(monkeypatch):
    """A clock that `pass_time` moves."""
    class Clock:
        now = 100.

        def perf_counter(self):
            return self.now

        def pass_time(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(module, 'time', clock)
    return clock


def run_two_laps(stopwatch, clock):
    clock.pass_time(50)  # before the first lap: nobody's
    stopwatch.lap()
    clock.pass_time(1)
    with stopwatch.part('outer'):
        clock.pass_time(2)
        with stopwatch.part('inner'):
            clock.pass_time(4)
        clock.pass_time(8)
    stopwatch.lap()
    with stopwatch.part('outer'):
        clock.pass_time(16)
    stopwatch.pause()
    with stopwatch.part('outer'):
        clock.pass_time(50)
    return stopwatch.laps()


def test_time_counts_for_the_innermost_part(clock):
    assert run_two_laps(Stopwatch(torch.device('cpu')), clock) == [
        {'rest': 1, 'outer': 10, 'inner': 4}, {'rest': 0, 'outer': 16}]


def test_on_a_gpu_events_are_read_after_waiting(clock, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'Event', _Event)
    monkeypatch.setattr(torch.cuda, 'current_stream', lambda device: None)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: setattr(_Event, 'waited', True))
    assert run_two_laps(Stopwatch(torch.device('cuda')), clock) == [
        {'rest': 1, 'outer': 10, 'inner': 4}, {'rest': 0, 'outer': 16}]


def test_a_part_ends_with_an_exception(clock):
    stopwatch = Stopwatch(torch.device('cpu'))
    stopwatch.lap()
    with pytest.raises(ZeroDivisionError), stopwatch.part('outer'):
        clock.pass_time(2 / (clock.now - 100))
    with stopwatch.part('outer'):
        clock.pass_time(2)
    clock.pass_time(3)
    stopwatch.pause()
    assert stopwatch.laps() == [{'rest': 3, 'outer': 2}]
