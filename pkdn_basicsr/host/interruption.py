"""Signals during training: it saves first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from basicsr.models.base_model import BaseModel
from basicsr.utils import get_root_logger

from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.last_checkpoint import command_from

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_AGREE_EVERY = 10  # iterations; processes must save together, and asking each other every time would cost

_received = 0


@contextmanager
def save_on_signals() -> Iterator[None]:
    """While training: SIGTERM and Ctrl-C save after the iteration under way and end the run, SIGUSR1 (as Slurm sends it
    before it takes a machine away) saves and goes on. A second Ctrl-C or SIGTERM ends the run at once.

    The exit status is 130 after Ctrl-C, 143 after SIGTERM. Works in a main thread only, like all signal handlers.
    """  # noqa: D205
    global _received
    _received = 0
    old = {number: signal.signal(number, _note) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def heed_signals() -> None:
    """Wrap `BaseModel.update_learning_rate`, with which BasicSR begins every iteration.

    BasicSR 1.4.2 knows no signals: Ctrl-C ends in a traceback, and everything since the last checkpoint is lost; no
    issue known.
    """
    update = BaseModel.update_learning_rate

    def update_learning_rate(self: BaseModel, current_iter: int, *args, **kwargs) -> None:
        number = _agreed(self, current_iter)
        if number:
            _save(self, current_iter - 1, number)
        update(self, current_iter, *args, **kwargs)

    BaseModel.update_learning_rate = update_learning_rate


def _note(number: int, _) -> None:
    global _received
    if _received in (signal.SIGINT, signal.SIGTERM) and number != signal.SIGUSR1:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    if _received not in (signal.SIGINT, signal.SIGTERM):
        _received = number


def _agreed(model: BaseModel, current_iter: int) -> int:
    """Return the signal to heed now: with several processes the one that any of them has received."""
    global _received
    number = _received
    if model.opt['dist']:
        if current_iter % _AGREE_EVERY:
            return 0
        numbers = torch.tensor([number], device=model.device)
        dist.all_reduce(numbers, dist.ReduceOp.MAX)
        number = int(numbers.item())
    _received = 0
    return number


def _save(model: BaseModel, iteration: int, number: int) -> None:
    logger, name = get_root_logger(), signal.Signals(number).name
    if iteration != run.current.saved_iter:  # a checkpoint is left as it is, also by a run that has just resumed it
        model.save(run.current.train_sampler.epoch, iteration)
        logger.info(f'{name}: saved iteration {iteration}.')
    if number == signal.SIGUSR1:
        return
    if model.opt['rank'] == 0:
        print(f'{name}: stopped after iteration {iteration}; go on with: {command_from(model.opt, iteration)}',
              flush=True)
    raise SystemExit(128 + number)
