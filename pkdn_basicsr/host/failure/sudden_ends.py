"""Processes that end without a word of their own: loader workers, and the others of a distributed run."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.last_checkpoint import how_to_go_on

_WORKER = re.compile(r'DataLoader worker \(pid\D*([\d, ]+)\) (?:is killed by signal: ([\w ]+)|exited unexpectedly)')
_REBUILDING = 'torch/multiprocessing/reductions.py'  # where a batch of a worker that is gone cannot be taken over
_LESS = 'lower datasets.train.num_worker_per_gpu (now {workers}), num_prefetch_queue or batch_size_per_gpu'
_MEMORY = f'most likely memory ran out: {_LESS}, or ask for more memory'
_CAUSES = {
    'Killed': _MEMORY,
    'Bus error': f'most likely shared memory ran out: {_LESS}, or give a container more (docker run --shm-size=8g)',
    None: f'{_MEMORY}, in a container also shared memory (docker run --shm-size=8g)',
}
_OTHER_CAUSE = 'a library in it may have failed: with num_worker_per_gpu: 0 (now {workers}) the run itself ends there'


@contextmanager
def explain_sudden_ends() -> Iterator[None]:
    """Say in one line that a loader worker or another process of the run has ended, why it may have, and what to do.

    torch raises what it knows about a worker wherever the main process happens to be, so that it may come wrapped in
    another error.

    Raises:
        UsageError: Instead of such an error; all others pass.
    """
    try:
        yield
    except Exception as error:
        explanation = next(filter(None, map(_explain, _chain(error))), None)
        if explanation is None:
            raise
        raise UsageError(explanation + _way_on()) from error


def _explain(error: BaseException) -> str | None:
    if worker := _WORKER.search(str(error)):
        return _about_worker(*worker.groups())
    if isinstance(error, ConnectionError | EOFError) and _REBUILDING in ''.join(traceback.format_exception(error)):
        return _about_worker()
    if isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and 'gloo/transport' in str(error)):
        return ('another process of this run has ended: it has said why, or it was killed, most likely because memory '
                f'ran out ({" ".join(str(error).split())[:150]})')
    return None


def _about_worker(pid: str = 'unknown', end: str | None = None) -> str:
    loader = run.current.train_loader
    cause = _CAUSES.get(end, _OTHER_CAUSE).format(workers='unknown' if loader is None else loader.num_workers)
    return f'a loader worker (process {pid}) was ended by the system ({end or "cause unknown"}): {cause}'


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__


def _way_on() -> str:
    return f'; {how_to_go_on(run.current.opt)}' if run.current.opt is not None else ''
