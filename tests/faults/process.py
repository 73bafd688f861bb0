"""The `basicsr` command in processes of its own, which may be killed, without waiting for its imports.

They are forked from a server that has imported the package and done nothing else: half a second instead of five.
"""

import multiprocessing
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['pkdn_basicsr.cli.train', 'pkdn_basicsr.cli.test', 'pytest', 'tiny'])


@dataclass
class Command:
    """A command that is running or has ended.

    Attributes:
        process: Its process.
        output: Where it writes what it says, both streams together.
    """

    process: BaseProcess
    output: Path

    def wait(self, timeout: float = 120) -> tuple[int, str]:
        """Return the exit status (negative: the signal) and what was said."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.kill()
            raise TimeoutError(f'killed after {timeout} s; it had said: {self.said()[-2000:]}')
        return self.process.exitcode, self.said()

    def said(self) -> str:
        """Return what was said until now."""
        return self.output.read_text(encoding='utf-8', errors='replace') if self.output.exists() else ''

    def kill(self) -> None:
        """Kill it with its loader workers, by kill -9."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has ended, or has no group of its own yet
            self.process.kill()
        self.process.join()


def start(cwd: Path, *arguments: str | Path, first: Callable[[], None] | None = None, **env: str) -> Command:
    """Start `basicsr ARGUMENTS` in a folder; `first` is called in its process before, and must be picklable."""
    output = cwd.with_name(f'{cwd.name}_said') / f'{os.urandom(4).hex()}.txt'
    output.parent.mkdir(exist_ok=True)
    process = _CONTEXT.Process(target=_main, args=(cwd, [str(part) for part in arguments], output, first, env))
    process.start()
    return Command(process, output)


def run(cwd: Path, *arguments: str | Path, first: Callable[[], None] | None = None, **env: str) -> tuple[int, str]:
    """Return the exit status of `basicsr ARGUMENTS` and what it said."""
    return start(cwd, *arguments, first=first, **env).wait()


def start_two(cwd: Path, *arguments: str | Path, first: Callable[[], None] | None = None) -> list[Command]:
    """Start `basicsr ARGUMENTS --launcher pytorch` as two processes that know of each other, as torchrun does."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    return [start(cwd, *arguments, '--launcher', 'pytorch', first=first, RANK=str(rank), LOCAL_RANK=str(rank),
                  WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)) for rank in (0, 1)]


def assert_refused(status, said, *words, verb='train'):
    """The run ended with an error of ours in one line that has all words, and nothing that only a programmer reads."""
    assert 'Traceback' not in said, said
    last = said.rstrip().splitlines()[-1]
    assert last.startswith(f'basicsr {verb}: error: '), said[-3000:]
    for word in words:
        assert str(word) in last
    assert status == 2


def at_iteration(number: int, do: Callable[[], None], rank: int | None = None) -> Callable[[], None]:
    """Return what makes a process `do` something when an iteration begins; `rank`: in that process only."""
    return partial(_at_iteration, number, do, rank)


def _at_iteration(number: int, do: Callable[[], None], rank: int | None) -> None:
    from basicsr.models.base_model import BaseModel
    update = BaseModel.update_learning_rate

    def update_learning_rate(self: BaseModel, current_iter: int, *args, **kwargs) -> None:
        if current_iter == number and rank in (None, self.opt['rank']):
            do()
        update(self, current_iter, *args, **kwargs)

    BaseModel.update_learning_rate = update_learning_rate


def _main(cwd: Path, arguments: list[str], output: Path, first: Callable[[], None] | None, env: dict) -> None:
    import torch

    from pkdn_basicsr.cli import main

    os.setsid()
    os.chdir(cwd)
    torch.set_num_threads(1)  # as under torchrun: sums of more threads differ in the last bit
    os.environ.update(env)
    with output.open('w') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout.reconfigure(write_through=False)  # as without PYTHONUNBUFFERED
    sys.argv = ['basicsr', *arguments]
    try:
        if first:
            first()
        status = main()
    except SystemExit as leave:
        status = leave.code
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.exit(status)
