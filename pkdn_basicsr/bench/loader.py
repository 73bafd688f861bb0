"""`basicsr bench data`: how many training samples the loader of an option file makes, by number of workers."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from basicsr.data import build_dataloader
from basicsr.utils.registry import DATASET_REGISTRY
from torch.utils.data import Dataset
from tqdm import tqdm

from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.check import prepared
from pkdn_basicsr.host.option_check.keys import check_dataset
from pkdn_basicsr.host.option_check.kinds import check_kinds
from pkdn_basicsr.host.option_check.problems import Problems, section
from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.host.sampler import SeededSampler


@dataclass(frozen=True)
class LoaderSpeed:
    """How fast a loader is.

    Attributes:
        workers: Its processes; 0 is none but the training's own.
        images_per_second: Over the rounds.
        per_worker: As a multiple of the first number of workers' speed, by neighbours.
    """

    workers: int
    images_per_second: Spread
    over_first: Spread


def open_training_set(file: OptionFile) -> tuple[Dataset, dict]:
    """Build the training set of an option file, of which nothing else counts.

    Returns:
        The set, and its options as the host completes them.

    Raises:
        UsageError: There is none, an option of it is missing or wrong, or it cannot be read.
    """
    train = section(file.opt, 'datasets', 'train')
    if not train:
        raise UsageError(f'{file.path}: datasets.train is missing, the set whose loader is to be measured')
    opt = prepared({'scale': file.opt.get('scale'), 'manual_seed': file.opt.get('manual_seed'),
                    'datasets': {'train': train}}, is_train=True)
    problems = Problems(file)
    check_dataset(opt, 'train', problems)
    check_kinds(opt, problems)
    problems.refuse()
    dataset_opt = {**opt['datasets']['train'], 'manual_seed': opt['manual_seed'] or 0}
    return DATASET_REGISTRY.get(dataset_opt['type'])(dict(dataset_opt)), dataset_opt


def measure_loader(dataset: Dataset, dataset_opt: Mapping, workers: Sequence[int], images: int, rounds: int) \
        -> list[LoaderSpeed]:
    """Read batches as BasicSR does, all numbers of workers in turn; a round of each before that is not timed.

    Args:
        dataset: What `open_training_set` returned.
        dataset_opt: Its options, of which the batch counts.
        workers: Numbers of workers.
        images: How many to read in a round, at least; whole batches are read.
        rounds: Timed rounds.
    """
    batch = dataset_opt['batch_size_per_gpu']
    batches = math.ceil(images / batch)
    speeds: dict[int, list[float]] = {number: [] for number in workers}
    with tqdm(total=(rounds + 1) * len(workers), desc='reading', unit='round') as progress:
        for round_index in range(rounds + 1):
            for number in workers:
                seconds = _read(dataset, dataset_opt, number, batches)
                if round_index:  # the first one fills the system's file cache
                    speeds[number].append(batches * batch / seconds)
                progress.update()
    first = speeds[workers[0]]
    return [LoaderSpeed(number, Spread.of(found), Spread.of_ratios(found, first)) for number, found in speeds.items()]


def _read(dataset: Dataset, dataset_opt: Mapping, workers: int, batches: int) -> float:
    """Return the seconds of so many batches, after each worker has started and delivered one."""
    total = (workers + batches) * dataset_opt['batch_size_per_gpu']
    sampler = SeededSampler(dataset, 1, 0, max(1., total / len(dataset)))
    loader = build_dataloader(dataset, {**dataset_opt, 'num_worker_per_gpu': workers}, num_gpu=0, sampler=sampler,
                              seed=dataset_opt['manual_seed'])
    stream = iter(loader)
    for _ in range(workers):
        next(stream)
    start = time.perf_counter()
    for _ in range(batches):
        next(stream)
    return time.perf_counter() - start
