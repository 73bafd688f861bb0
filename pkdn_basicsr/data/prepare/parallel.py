"""A function over many things in several processes, of which a few are under way at a time."""

import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import cv2
import torch

from pkdn_basicsr.errors import UsageError

Task, Result = TypeVar('Task'), TypeVar('Result')

MAX_WORKERS = 8
# A worker takes five seconds to start (it imports torch and basicsr), as much as some 200 pictures take to make.
_TASKS_WORTH_A_WORKER = 200
_UNDER_WAY = 4  # tasks a worker: enough to keep it busy, and the results that wait to be written stay few


def default_workers() -> int:
    """Number of processes unless told: one a core, up to eight."""
    return min(os.cpu_count() or 1, MAX_WORKERS)


@contextmanager
def parallel_map(function: Callable[[Task], Result], tasks: Iterable[Task], num_tasks: int, workers: int) \
        -> Iterator[Iterator[Result]]:
    """Apply a function to all tasks; results come as they are ready, in any order.

    New processes are spawned, not forked: torch and OpenCV may hold threads and locks here, of which a fork would copy
    the locks only and hang. They end with this process, however it ends.

    Args:
        function: Can be pickled, as its tasks and results can.
        tasks: Taken from one by one, a few ahead.
        num_tasks: How many there are.
        workers: Processes at most; few tasks are done in this process.

    Raises:
        UsageError: A process was killed.
    """
    workers = min(workers, num_tasks // _TASKS_WORTH_A_WORKER)
    if workers < 2:
        yield map(function, tasks)
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, context, _start_worker) as pool:
        try:
            yield _results(pool, function, iter(tasks), _UNDER_WAY * workers)
        finally:
            pool.shutdown(cancel_futures=True)


def _results(pool: ProcessPoolExecutor, function: Callable, tasks: Iterator, under_way: int) -> Iterator:
    try:
        pending = {pool.submit(function, task) for task in itertools.islice(tasks, under_way)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            pending |= {pool.submit(function, task) for task in itertools.islice(tasks, len(done))}
    except BrokenProcessPool:
        raise UsageError('a worker process was killed, perhaps for want of memory; what is finished stays: run the '
                         'same command again, with fewer --workers') from None


def _start_worker() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker of a killed process would wait for its next task forever: the pool's pipes stay open in its siblings."""
    multiprocessing.parent_process().join()
    os._exit(1)
