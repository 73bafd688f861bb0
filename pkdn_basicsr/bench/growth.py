"""`basicsr bench growth`: whether a sample costs the same in a data set of any size.

The pictures of a set are links to a few toy faces (in an LMDB: copies), since what is in question is what grows with
the number of names: lists, look-ups, folders and orders. How fast the disk is on what it has not yet read is not.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from torch.utils.data import default_collate
from tqdm import tqdm

from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.data.lmdb_file import write_lmdb
from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.data.prepare.toy import write_toy_faces
from pkdn_basicsr.host.sampler import SeededSampler

SIDE = 64  # of the stored pictures, which are the samples
_DRAWN = 64  # different ones; file systems allow some ten thousand links to a file
_BATCH = 8
_KINDS = ('images', 'parsing')


@dataclass(frozen=True)
class GrowthPoint:
    """What a data set of one size costs.

    Attributes:
        files: Faces in it.
        opening: Seconds to list and match them, once a run, divided by the faces.
        ordering: Seconds to shuffle them, once an epoch, divided by the faces.
        sample: Seconds to read a sample.
        over_first: `sample` as a multiple of that in the first set, by neighbours.
    """

    files: int
    opening: float
    ordering: float
    sample: Spread
    over_first: Spread


def measure_growth(files: Sequence[int], samples: int, rounds: int, folder: Path, lmdb: bool = False) \
        -> list[GrowthPoint]:
    """Make data sets, and read samples of all of them in turn, in the order of training.

    Args:
        files: Numbers of faces; one that comes twice counts once.
        samples: How many to read in a round.
        rounds: Timed rounds, after one that is not.
        folder: For the data sets.
        lmdb: Store them as LMDBs, not as folders.
    """
    files = list(dict.fromkeys(files))
    write_toy_faces(folder / 'toys', _DRAWN, seed=0, size=SIDE)
    sets, opening = {}, {}
    for count in tqdm(files, 'making sets', unit='set'):
        roots = _make_set(folder, count, lmdb)
        start = time.perf_counter()
        sets[count] = _open(roots, lmdb)
        opening[count] = (time.perf_counter() - start) / count
    ordering = {count: _seconds_to_order(dataset) / count for count, dataset in sets.items()}
    orders = {count: iter(SeededSampler(dataset, 1, 0, -(-samples * (rounds + 1) // count)))
              for count, dataset in sets.items()}
    seconds: dict[int, list[float]] = {count: [] for count in files}
    for round_index in tqdm(range(rounds + 1), 'reading', unit='round'):
        for count, dataset in sets.items():
            taken = _seconds_to_read(dataset, list(islice(orders[count], samples)))
            if round_index:
                seconds[count].append(taken / samples)
    return [GrowthPoint(count, opening[count], ordering[count], Spread.of(taken),
                        Spread.of_ratios(taken, seconds[files[0]])) for count, taken in seconds.items()]


def _make_set(folder: Path, count: int, lmdb: bool) -> dict[str, Path]:
    """Return where the pictures and maps of a set of so many faces are."""
    roots = {}
    for kind in _KINDS:
        drawn = sorted((folder / 'toys' / kind).iterdir())
        names = {f'{index:06}': drawn[index % len(drawn)] for index in range(count)}
        roots[kind] = folder / f'{count}' / (f'{kind}.lmdb' if lmdb else kind)
        roots[kind].parent.mkdir(parents=True, exist_ok=True)
        if lmdb:
            write_lmdb(roots[kind], names)
            continue
        roots[kind].mkdir()
        for name, file in names.items():
            os.link(file, roots[kind] / f'{name}.png')
    return roots


def _open(roots: Mapping[str, Path], lmdb: bool) -> ParsingMapDataset:
    return ParsingMapDataset({
        'name': 'growth', 'phase': 'train', 'scale': 8, 'gt_size': SIDE, 'use_hflip': True,
        'io_backend': {'type': 'lmdb' if lmdb else 'disk'}, 'dataroot_gt': str(roots['images']),
        'dataroot_parsing': str(roots['parsing'])})


def _seconds_to_order(dataset: ParsingMapDataset) -> float:
    start = time.perf_counter()
    next(iter(SeededSampler(dataset, 1, 0)))
    return time.perf_counter() - start


def _seconds_to_read(dataset: ParsingMapDataset, indices: Sequence[int]) -> float:
    start = time.perf_counter()
    for first in range(0, len(indices), _BATCH):
        default_collate([dataset[index] for index in indices[first:first + _BATCH]])
    return time.perf_counter() - start
