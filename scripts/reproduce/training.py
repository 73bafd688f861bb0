"""Train runs, several at a time, each in a process of its own."""

import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import yaml
from plan import Run, write_option_file
from tqdm import tqdm

from pkdn_basicsr.errors import UsageError

_HEADER = 4  # lines that BasicSR puts above the option file that it copies into the experiment


class Trainings:
    """Runs under way and those that wait.

    Args:
        runs: In their order; what one needs stands before it.
        folder: Where option files and logs go.
        jobs: How many at a time.
    """

    def __init__(self, runs: Sequence[Run], folder: Path, jobs: int) -> None:
        self.folder = folder
        self.jobs = jobs
        self.finished = {run.name for run in runs if run.is_finished}
        self.waiting = [run for run in runs if not run.is_finished]
        self.under_way: dict[str, subprocess.Popen] = {}
        for run in runs:
            self._check_options(run)
            write_option_file(run, folder / 'options')

    def go_on(self, seconds: float | None = None) -> bool:
        """Train until all are finished or the time is over, when those under way save and end.

        Returns:
            Whether all are finished.

        Raises:
            UsageError: One of them failed.
        """
        end = time.monotonic() + seconds if seconds else float('inf')
        total = len(self.waiting)
        with tqdm(total=total, unit='run', desc='training') as bar:
            try:
                while (self.waiting or self.under_way) and time.monotonic() < end:
                    if self._start():
                        bar.set_postfix_str(', '.join(self.under_way))
                    time.sleep(1)
                    bar.update(self._collect())
            finally:
                self._stop()
        return not self.waiting and bar.n == total

    def _start(self) -> bool:
        """Start what there is room for; return whether anything was."""
        before = len(self.under_way)
        for run in [run for run in self.waiting if not run.needs or run.needs.name in self.finished]:
            if len(self.under_way) == self.jobs:
                break
            self.waiting.remove(run)
            options = self.folder / 'options' / f'{run.name}.yml'
            with open(self.folder / f'{run.name}.log', 'ab') as log:
                self.under_way[run.name] = subprocess.Popen(
                    ['basicsr', 'train', '-opt', options, '--auto_resume'], stdout=log, stderr=log)
        return len(self.under_way) > before

    def _collect(self) -> int:
        ended = {name: process for name, process in self.under_way.items() if process.poll() is not None}
        for name, process in ended.items():
            del self.under_way[name]
            if process.returncode:
                raise UsageError(f'{name} failed; {self.folder / name}.log tells why')
            self.finished.add(name)
        return len(ended)

    def _stop(self) -> None:
        for process in self.under_way.values():
            process.send_signal(signal.SIGTERM)  # saves and ends
        for process in self.under_way.values():
            process.wait()

    @staticmethod
    def _check_options(run: Run) -> None:
        copied = Path('experiments', run.name, f'{run.name}.yml')
        if not copied.is_file():
            return
        options = yaml.safe_load(''.join(copied.read_text().splitlines(keepends=True)[_HEADER:]))
        if options != run.opt:
            raise UsageError(f'experiments/{run.name} has been trained with other options than those of today: move it '
                             'away to train anew')
