import random
import signal
import sys
import threading

import numpy as np
import pytest
from basicsr.data import build_dataloader
from torch.utils.data import Dataset

from pkdn_basicsr.host.checkpoint.random_states import undisturbed_random_states
from pkdn_basicsr.host.failure import lost_workers
from pkdn_basicsr.host.failure.lost_workers import told_afterwards, worker_init_fn


@pytest.fixture
def handler():
    """What torch installs: it raises where the main thread is."""
    def fail(number, frame):
        raise RuntimeError('DataLoader worker (pid 12) is killed by signal: Killed. ')

    old = signal.signal(signal.SIGCHLD, fail)
    yield fail
    signal.signal(signal.SIGCHLD, old)


def test_the_end_of_a_worker_waits_for_the_end_of_the_block(handler):
    done = []

    def work():
        with told_afterwards():
            signal.raise_signal(signal.SIGCHLD)
            done.append(True)

    with pytest.raises(RuntimeError, match='pid 12'):
        work()
    assert done
    assert signal.getsignal(signal.SIGCHLD) is handler


def test_nothing_happened_is_nothing_told(handler):
    with told_afterwards():
        pass
    assert signal.getsignal(signal.SIGCHLD) is handler


def test_an_error_of_the_block_is_not_lost(handler):
    def work():
        with told_afterwards():
            signal.raise_signal(signal.SIGCHLD)
            raise OSError('disk full')

    with pytest.raises(RuntimeError, match='pid 12') as caught:
        work()
    assert isinstance(caught.value.__context__, OSError)


def test_without_a_handler_nothing_is_changed(handler):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with told_afterwards():
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL


def test_a_thread_leaves_signals_to_the_main_one(handler):
    found = []

    def work():
        with told_afterwards():
            found.append(signal.getsignal(signal.SIGCHLD))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [handler]


class _PrintsAnError(Dataset):
    """A data set whose loader workers meet an error outside of it."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        sys.excepthook(type(self.error), self.error, None)
        return index


@pytest.mark.parametrize(('error', 'is_printed'), [
    (ConnectionResetError('reset by peer'), False), (BrokenPipeError(), False), (KeyError('a bug'), True)])
def test_a_worker_that_is_cut_off_prints_nothing(capfd, error, is_printed):
    opt = {'phase': 'train', 'batch_size_per_gpu': 1, 'num_worker_per_gpu': 1}
    loader = build_dataloader(_PrintsAnError(error), opt, sampler=[0], seed=0)
    assert len(list(loader)) == 1
    assert (type(error).__name__ in capfd.readouterr().err) is is_printed


def test_workers_are_seeded_as_the_host_seeds_them():
    states = []
    for init in (worker_init_fn, lost_workers._init_worker):
        with undisturbed_random_states():
            hook = sys.excepthook
            init(worker_id=1, num_workers=2, rank=3, seed=4)
            sys.excepthook = hook
            states.append((np.random.rand(), random.random()))
    assert states[0] == states[1]
