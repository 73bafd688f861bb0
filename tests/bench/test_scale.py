import os

import pytest
import torch

from pkdn_basicsr.bench import scale
from pkdn_basicsr.bench.scale import measure_scaling
from pkdn_basicsr.bench.training import write_options


def test_one_and_two_processes(read, distillation, tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    file = tmp_path / 'written.yml'
    write_options(read(distillation, batch=2), file)
    one, two = measure_scaling(file, 2, [1, 2], repeats=2, warmup=1, rounds=1, folder=tmp_path)
    assert [(point.ranks, point.batch, point.step.count, point.efficiency.count) for point in (one, two)] == [
        (1, 2, 2, 1), (2, 4, 2, 1)]
    assert one.efficiency.median == 1
    assert two.efficiency.median > 0


def test_efficiency_is_that_of_a_rank(tmp_path, monkeypatch):
    steps = {'2': iter([1., 2.]), '4': iter([4., 2.])}
    monkeypatch.setattr(scale, '_run', lambda options, ranks, *_: [next(steps[str(ranks)])])
    two, four = measure_scaling(tmp_path, 3, [2, 4], repeats=1, warmup=0, rounds=2, folder=tmp_path)
    assert (two.efficiency.median, four.efficiency.low, four.efficiency.high) == (1, .4375, .8125)
    assert (four.batch, four.images_per_second.median) == (12, 4.5)


def test_a_failing_process_is_told(tmp_path, usage_error):
    with usage_error('--ranks 1', 'no such option file'):
        measure_scaling(tmp_path / 'nowhere.yml', 2, [1], repeats=1, warmup=0, rounds=1, folder=tmp_path)


def test_more_processes_than_gpus(tmp_path, usage_error, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with usage_error('--ranks', '2', '4'):
        measure_scaling(tmp_path, 2, [1, 4], repeats=1, warmup=0, rounds=1, folder=tmp_path)


def test_processes_end_with_an_interruption(tmp_path, monkeypatch):
    started = []

    class Process(scale.subprocess.Popen):
        def communicate(self):
            started.append(self.pid)
            raise KeyboardInterrupt

    monkeypatch.setattr(scale.subprocess, 'Popen', Process)
    with pytest.raises(KeyboardInterrupt):
        measure_scaling(tmp_path, 2, [1], repeats=1, warmup=0, rounds=1, folder=tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
