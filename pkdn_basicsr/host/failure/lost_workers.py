"""Loader workers that end: when torch tells of it, and what those that are left say."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import basicsr.data

_init_worker = basicsr.data.worker_init_fn


def keep_abandoned_workers_quiet() -> None:
    """Wrap the host's `worker_init_fn`: a worker that is cut off while it hands over a batch prints no traceback.

    It is cut off because the run stops, and the run says why. In BasicSR 1.4.2 (`data/__init__.py:97-101`)
    each worker prints one of its own; no issue known.
    """
    basicsr.data.worker_init_fn = worker_init_fn


def worker_init_fn(worker_id: int, num_workers: int, rank: int, seed: int) -> None:
    """Seed a worker as the host does, and mend what it prints of errors in its own threads."""
    _init_worker(worker_id, num_workers, rank, seed)
    sys.excepthook = _print_unless_cut_off


@contextmanager
def told_afterwards() -> Iterator[None]:
    """Hear of loader workers that end meanwhile only at the end of this block.

    torch raises the error in its handler of SIGCHLD, wherever the main thread is; in the middle of `torch.save` the
    writer's destructor then finds its file closed, and the process is aborted without a message.
    """
    handler = signal.getsignal(signal.SIGCHLD)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    ended = []
    signal.signal(signal.SIGCHLD, lambda number, _: ended.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler)
        if ended:
            signal.raise_signal(signal.SIGCHLD)


def _print_unless_cut_off(kind: type[BaseException], error: BaseException, trace) -> None:
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)
