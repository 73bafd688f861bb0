import pytest
import torch.distributed as dist

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.failure.sudden_ends import explain_sudden_ends


@pytest.fixture(autouse=True)
def current(monkeypatch, tmp_path):
    monkeypatch.setattr(run, 'current', run.Run(opt={'path': {'training_states': str(tmp_path)}, 'dist': False}))


@pytest.mark.parametrize(('message', 'words'), [
    ('DataLoader worker (pid 12) is killed by signal: Killed. ', ['process 12', 'Killed', 'memory ran out']),
    ("DataLoader worker (pid 12) is killed by signal: Bus error. It is possible that dataloader's workers are out of "
     'shared memory. Please try to raise your shared memory limit.', ['process 12', 'Bus error', '--shm-size']),
    ('DataLoader worker (pid 12) is killed by signal: Segmentation fault. ', ['Segmentation fault', 'library']),
    ('DataLoader worker (pid(s) 12, 13) exited unexpectedly', ['process 12, 13', 'memory ran out', '--shm-size']),
])
def test_the_end_of_a_worker_is_explained(message, words, usage_error):
    with usage_error('loader worker', 'num_worker_per_gpu', 'begin again', *words), explain_sudden_ends():
        raise RuntimeError(message)


def test_also_when_it_became_known_inside_something_else(usage_error):
    with usage_error('process 12', 'Killed'), explain_sudden_ends():
        try:
            raise RuntimeError('DataLoader worker (pid 12) is killed by signal: Killed. ')
        except RuntimeError:
            raise UsageError('net_g_5.pth: cannot be saved') from None


@pytest.mark.parametrize('error', [
    RuntimeError('[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1'),
    dist.DistBackendError('NCCL error: remote process exited'),
])
def test_the_end_of_another_process_is_explained(error, usage_error):
    with usage_error('another process of this run has ended', 'begin again'), explain_sudden_ends():
        raise error


@pytest.mark.parametrize('error', [RuntimeError('shape mismatch'), UsageError('a.png: broken'), EOFError('no input'),
                                   ConnectionResetError('of the metric server'), KeyError('x')])
def test_everything_else_passes(error):
    with pytest.raises(type(error)) as caught, explain_sudden_ends():
        raise error
    assert caught.value is error


def test_testing_has_nothing_to_resume(monkeypatch):
    monkeypatch.setattr(run, 'current', run.Run())
    with pytest.raises(UsageError, match='memory$'), explain_sudden_ends():
        raise RuntimeError('DataLoader worker (pid 12) is killed by signal: Killed. ')
