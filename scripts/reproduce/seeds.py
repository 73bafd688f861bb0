"""What teaching gains, over faces and over seeds."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from plan import Run
from scipy import stats

from pkdn_basicsr.report.bootstrap import LEVEL, intervals

_ALONE, _TAUGHT = 'student alone', 'student taught'
_METRIC = 'psnr_dic'


def method_name(run: Run) -> str:
    """Return what a run is called in the comparisons."""
    return run.network if run.seed == 0 else f'{run.network}, seed {run.seed}'


def common_seeds(runs: Sequence[Run]) -> list[int]:
    """Return the seeds of which there is both a student alone and one taught."""
    return sorted(_by_seed(runs, _ALONE).keys() & _by_seed(runs, _TAUGHT).keys())


def seed_table(runs: Sequence[Run], results: Mapping[str, Path]) -> str:
    """Return a table of the gain of the student taught over the student alone, for each set of faces.

    Two 95 % intervals are given: over the faces, paired bootstrap of the gain's mean over the seeds; and over the
    seeds, Student's t of the gain's mean over the faces.

    Args:
        runs: What has been compared, of two seeds at least.
        results: Result folder of the comparison of each set.
    """
    alone, taught = _by_seed(runs, _ALONE), _by_seed(runs, _TAUGHT)
    seeds = common_seeds(runs)
    lines = ['| faces | ' + ' | '.join(f'seed {seed}' for seed in seeds) + ' | mean | over faces | over seeds |',
             '|---' * (len(seeds) + 4) + '|']
    for name, folder in results.items():
        values = _read(folder / 'per_image.csv')
        gains = np.stack([values[taught[seed]] - values[alone[seed]] for seed in seeds], axis=1)
        cells = [name, *(f'{gain:+.3f}' for gain in gains.mean(0)), f'{gains.mean():+.3f}',
                 _text(intervals(gains.mean(1, keepdims=True))[0]), _text(_over_seeds(gains.mean(0)))]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def _by_seed(runs: Sequence[Run], network: str) -> dict[int, str]:
    return {run.seed: method_name(run) for run in runs if run.network == network}


def _over_seeds(means: np.ndarray) -> Sequence[float]:
    return stats.t.interval(LEVEL, len(means) - 1, means.mean(), stats.sem(means))


def _text(interval: Sequence[float]) -> str:
    return f'[{interval[0]:+.3f}, {interval[1]:+.3f}]'


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the values of all faces by method, in the same order."""
    values: dict[str, list[float]] = {}
    with path.open(newline='', encoding='utf-8') as file:
        for row in csv.DictReader(file):
            values.setdefault(row['method'], []).append(float(row[_METRIC]))
    return {method: np.array(column) for method, column in values.items()}
