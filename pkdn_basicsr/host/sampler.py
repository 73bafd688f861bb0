"""Sample order and augmentation that depend on the seed, the epoch and the index alone."""

import itertools
import math
from collections.abc import Callable, Iterator

import basicsr.train
import numpy as np
import torch
from basicsr.data.data_sampler import EnlargedSampler
from torch.utils.data import Dataset


class SampleIndex(int):
    """A dataset index that also says which draw it is.

    Any dataset can use it as the `int` it is. A dataset whose augmentation must not depend on workers or ranks seeds
    its generator with (`manual_seed`, `epoch`, `draw`).

    Attributes:
        epoch: Epoch of the run, from 0.
        draw: Position in the enlarged epoch; differs between the copies of one image that `dataset_enlarge_ratio`
            makes.
    """

    epoch: int
    draw: int

    def __new__(cls, value: int, epoch: int, draw: int) -> 'SampleIndex':
        """Make the index `value` of `draw` in `epoch`."""
        index = super().__new__(cls, value)
        index.epoch = epoch
        index.draw = draw
        return index

    def __reduce__(self):
        return SampleIndex, (int(self), self.epoch, self.draw)


class SeededSampler(EnlargedSampler):
    """`EnlargedSampler` whose order depends on the option file's `manual_seed` and which yields `SampleIndex`.

    All ranks share one order, whatever their number, and take turns; where it cannot be divided among them it starts
    over.
    """

    def __init__(self, dataset: Dataset, num_replicas: int, rank: int, ratio: float = 1) -> None:
        super().__init__(dataset, num_replicas, rank, ratio)
        self.draws = math.ceil(len(dataset) * ratio)
        self._start: tuple[int, int, Callable[[], None]] | None = None

    def start_at(self, epoch: int, draws: int, then: Callable[[], None]) -> None:
        """Leave out the first draws of this process in an epoch.

        Args:
            epoch: The epoch that a resumed run goes on with.
            draws: How many of its samples are done.
            then: Called when the epoch begins, before a sample is read; more than once if it begins more than once (the
                host's prefetcher starts a loader that it then throws away).
        """
        self._start = epoch, draws, then

    def __iter__(self) -> Iterator[SampleIndex]:
        seed = getattr(self.dataset, 'opt', {}).get('manual_seed', 0)
        generator = torch.Generator()
        generator.manual_seed(int(np.random.SeedSequence([seed, self.epoch]).generate_state(1)[0]))
        order = torch.randperm(self.draws, generator=generator).tolist()
        mine = itertools.islice(itertools.cycle(order), self.rank, self.total_size, self.num_replicas)
        if self._start and self._start[0] == self.epoch:
            _, done, then = self._start
            mine = itertools.islice(mine, done, None)
            then()
        return (SampleIndex(draw % len(self.dataset), self.epoch, draw) for draw in mine)


def shuffle_by_seed() -> None:
    """Replace the sampler of `basicsr.train`.

    BasicSR 1.4.2 seeds the order with the epoch alone (`data/data_sampler.py:33-35`), so that every `manual_seed`
    sees the faces in the same order, and augmentation draws from worker-local generators, so that a run changes with
    the number of workers; no issue known.
    """
    basicsr.train.EnlargedSampler = SeededSampler
