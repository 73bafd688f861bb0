"""`basicsr bench scale`: training steps of one and of several processes with DistributedDataParallel."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.errors import UsageError

_WORKER = 'pkdn_basicsr.bench.scale_worker'


@dataclass(frozen=True)
class ScalePoint:
    """How fast so many processes train.

    Attributes:
        ranks: Processes; 1 trains without DistributedDataParallel, as `basicsr train` does.
        batch: Images of all of them together.
        step: Seconds of a step.
        images_per_second: Of all of them together.
        efficiency: That, as a share of `ranks` times what the first number of ranks reaches per rank, by the rounds'
            medians.
    """

    ranks: int
    batch: int
    step: Spread
    images_per_second: Spread
    efficiency: Spread


def measure_scaling(options: Path, batch: int, ranks: Sequence[int], repeats: int, warmup: int, rounds: int,
                    folder: Path) -> list[ScalePoint]:
    """Train on a batch in memory with each number of processes in turn, started anew in every round.

    On a processor each process has one thread and gloo exchanges gradients, on GPUs each has its own and nccl does.

    Args:
        options: Option file that `training.write_options` has written.
        batch: Its images a process.
        ranks: Numbers of processes.
        repeats: Timed steps of a start.
        warmup: Steps before that.
        rounds: Starts.
        folder: For what the processes report.

    Raises:
        UsageError: There are fewer GPUs, or a process fails; the message has its last line.
    """
    if torch.cuda.is_available() and max(ranks) > torch.cuda.device_count():
        raise UsageError(f'--ranks: expected at most one a GPU, {torch.cuda.device_count()}, found {max(ranks)}')
    starts: dict[int, list[list[float]]] = {number: [] for number in ranks}
    with tqdm(total=rounds * len(ranks), desc='ranks', unit='start') as progress:
        for _ in range(rounds):
            for number, found in starts.items():
                found.append(_run(options, number, repeats, warmup, folder / f'{number}.json'))
                progress.update()
    speeds = {number: [number * batch / Spread.of(seconds).median for seconds in found]
              for number, found in starts.items()}
    per_rank = [speed / ranks[0] for speed in speeds[ranks[0]]]
    points = []
    for number, found in starts.items():
        seconds = [taken for start in found for taken in start]
        points.append(ScalePoint(
            number, number * batch, Spread.of(seconds), Spread.of(number * batch / taken for taken in seconds),
            Spread.of_ratios(speeds[number], [number * speed for speed in per_rank])))
    return points


def _run(options: Path, ranks: int, repeats: int, warmup: int, report: Path) -> list[float]:
    """Return the seconds of the steps of the first process."""
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launcher, '-m', _WORKER, str(options), str(report), str(repeats), str(warmup)]
    process = subprocess.Popen(command, env={**os.environ, 'OMP_NUM_THREADS': '1'}, start_new_session=True, text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        errors = process.communicate()[1]
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)  # torchrun ends its children
        process.wait()
        raise
    if process.returncode:
        said = [line for line in errors.splitlines() if 'Error' in line] or errors.splitlines() or ['it said nothing']
        raise UsageError(f'--ranks {ranks}: a process failed: {said[0].strip()[:300]}')
    return json.loads(report.read_text(encoding='utf-8'))
