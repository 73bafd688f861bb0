import sys

import basicsr.train
import pytest
from basicsr.utils.logger import initialized_logger

from pkdn_basicsr.bench.whole_run import Rounds, batches_ahead, measure_whole_run


@pytest.fixture(autouse=True)
def fresh_log_file(monkeypatch):
    """The host opens one log file per process."""
    monkeypatch.setattr('basicsr.utils.logger.initialized_logger', {})
    initialized_logger.clear()


def test_iterations_of_the_pipeline(read, distillation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = basicsr.train.build_model, basicsr.train.CPUPrefetcher, list(sys.argv)
    (tmp_path / 'scratch').mkdir()
    found = measure_whole_run(read(distillation), Rounds(count=2, iterations=3, warmup=1), tmp_path / 'scratch')
    assert list(found.parts) == ['data', 'copy', 'teacher', 'student forward', 'losses', 'backward', 'optimizer',
                                 'rest']
    assert {spread.count for spread in (found.iteration, found.bare_loop, found.over_bare_loop, *found.parts.values())
            } == {6}
    assert found.batch == 2
    assert 0 < found.data_share < 1
    assert found.iteration.high <= sum(part.high for part in found.parts.values()) * 1.5
    assert (basicsr.train.build_model, basicsr.train.CPUPrefetcher, sys.argv) == before
    log, = (tmp_path / 'scratch' / 'experiments' / 'tiny').glob('*.log')
    assert 'iter:       8' in log.read_text()
    assert not (tmp_path / 'experiments').exists()


def test_no_bare_loop(read, distillation, tmp_path, usage_error):
    with usage_error('train.grad_clip', '--train'):
        measure_whole_run(read(distillation, 'train:grad_clip=1'), Rounds(1, 1, 0), tmp_path)


def test_what_a_loader_has_ready(read, distillation):
    assert batches_ahead(read(distillation, 'datasets:train:num_worker_per_gpu=3')) == 6
