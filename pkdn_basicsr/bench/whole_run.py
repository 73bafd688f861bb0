"""`basicsr bench step --train`: the iterations of BasicSR's own pipeline, beside a bare loop in the same process."""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import basicsr.train
from basicsr.utils.registry import DATASET_REGISTRY
from tqdm import tqdm

from pkdn_basicsr.bench.bare_loop import BareLoop, why_no_bare_loop
from pkdn_basicsr.bench.split import DATA, split_step
from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.bench.step import spreads_of_parts
from pkdn_basicsr.bench.stopwatch import Stopwatch
from pkdn_basicsr.bench.training import write_options
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.models.loss_dict_model import LossDictModel
from pkdn_basicsr.report.latency import measure_latency


@dataclass(frozen=True)
class Rounds:
    """How a run is cut into pieces between which the bare loop runs.

    Attributes:
        count: Pieces.
        iterations: Measured iterations of each, and steps of the bare loop after it.
        warmup: Iterations before them. While the bare loop runs, the loader's workers get ahead by as many batches as
            they may hold; these must be used up first.
    """

    count: int
    iterations: int
    warmup: int

    @property
    def length(self) -> int:
        """Iterations of a piece."""
        return self.warmup + self.iterations

    @property
    def total(self) -> int:
        """Iterations of the run."""
        return self.count * self.length


@dataclass(frozen=True)
class WholeRunResult:
    """How long an iteration of `basicsr train` takes: loader, sampler, copy, step, log.

    Attributes:
        batch: Images in it.
        images_per_second: Of the iteration.
        parts: Seconds of its parts, waiting for data among them.
        iteration: Seconds of the iteration.
        data_share: Of all measured iterations together, what was spent waiting for data.
        bare_loop: Seconds of a bare PyTorch loop's step on the last batch, held in memory.
        over_bare_loop: The iteration as a multiple of the bare loop's step.
    """

    batch: int
    images_per_second: Spread
    parts: dict[str, Spread]
    iteration: Spread
    data_share: float
    bare_loop: Spread
    over_bare_loop: Spread


def measure_whole_run(opt: Mapping, rounds: Rounds, folder: Path) -> WholeRunResult:
    """Run BasicSR's train pipeline, without checkpoints on the way, and measure its iterations.

    Args:
        opt: What `read_training_options` returned; its training set is read.
        rounds: How long.
        folder: What the run writes goes there.

    Raises:
        UsageError: There is no bare loop for this file, or anything at which `basicsr train` stops.
    """
    reason = why_no_bare_loop(opt)
    if reason:
        raise UsageError(f'bench step --train: {reason}; leave out --train')
    file, watch = folder / f'{opt["name"]}.yml', _Watch(opt, rounds)
    write_options(_options_of_run(opt, rounds), file)
    with ExitStack() as stack:
        stack.enter_context(_replaced(sys, 'argv', ['basicsr train', '-opt', str(file)]))
        stack.enter_context(_replaced(basicsr.train, 'build_model', watch.keep(basicsr.train.build_model, stack)))
        for prefetcher in ('CPUPrefetcher', 'CUDAPrefetcher'):
            watched = watch.over(getattr(basicsr.train, prefetcher))
            stack.enter_context(_replaced(basicsr.train, prefetcher, watched))
        basicsr.train.train_pipeline(str(folder))
    return watch.result()


def batches_ahead(opt: Mapping) -> int:
    """Return how many batches the workers of a file's loader may have ready: two each, as in `DataLoader`."""
    return 2 * opt['datasets']['train'].get('num_worker_per_gpu', 0)


class _Watch:
    """Stands between the pipeline and its batches, where an iteration ends and the next begins."""

    def __init__(self, opt: Mapping, rounds: Rounds) -> None:
        self.opt, self.rounds = opt, rounds
        self.batches = 0
        self.bare_seconds: list[float] = []

    def keep(self, build_model, stack: ExitStack):
        """Return `build_model` whose model is watched until the stack ends."""
        def build(opt: dict) -> LossDictModel:
            model = build_model(opt)
            self.stopwatch = Stopwatch(model.device)
            self.bare_loop = BareLoop(self.opt, model)
            stack.enter_context(split_step(model, self.stopwatch))
            self.progress = stack.enter_context(tqdm(total=self.rounds.total, desc='basicsr train', unit='iteration'))
            return model
        return build

    def over(self, prefetcher: type) -> type:
        """Return a prefetcher of the host that tells when it is asked for a batch."""
        watch = self

        class Watched(prefetcher):
            def next(self) -> dict | None:
                watch.end_iteration()
                with watch.stopwatch.part(DATA):
                    batch = super().next()
                watch.batch = watch.batch if batch is None else batch
                return batch

        return Watched

    def end_iteration(self) -> None:
        done = self.batches
        if done and done % self.rounds.length == 0:
            self.stopwatch.pause()
            self._run_bare_loop()
        self.stopwatch.lap()
        self.batches += 1
        self.progress.update(0 < done <= self.rounds.total)

    def result(self) -> WholeRunResult:
        length, laps = self.rounds.length, self.stopwatch.laps()
        laps = [lap for start in range(0, self.rounds.total, length)
                for lap in laps[start + self.rounds.warmup:start + length]]
        whole = [sum(lap.values()) for lap in laps]
        count = len(self.batch['gt'])
        return WholeRunResult(
            count, Spread.of(count / taken for taken in whole), spreads_of_parts(laps), Spread.of(whole),
            sum(lap[DATA] for lap in laps) / sum(whole), Spread.of(self.bare_seconds),
            Spread.of_ratios(whole, self.bare_seconds))

    def _run_bare_loop(self) -> None:
        seconds = measure_latency({'step': lambda: self.bare_loop.step(self.batch)}, self.rounds.iterations, warmup=1)
        self.bare_seconds += seconds['step']


def _options_of_run(opt: Mapping, rounds: Rounds) -> dict:
    """Return options of a run of so many iterations within one epoch, which saves nothing on its way."""
    train_opt, logger, dataset_opt = dict(opt['train']), dict(opt['logger']), dict(opt['datasets']['train'])
    train_opt['total_iter'] = rounds.total
    if sum(train_opt['scheduler'].get('periods', [math.inf])) < rounds.total:
        train_opt['scheduler'] = {**train_opt['scheduler'], 'periods': [rounds.total], 'restart_weights': [1]}
    logger['print_freq'] = min(logger['print_freq'], rounds.iterations)
    logger['save_checkpoint_freq'] = rounds.total + 1
    logger.pop('wandb', None)
    samples = (rounds.total + 1) * dataset_opt['batch_size_per_gpu']
    own = {**dataset_opt, 'phase': 'train', 'scale': opt['scale']}
    dataset_opt['dataset_enlarge_ratio'] = max(dataset_opt.get('dataset_enlarge_ratio', 1), math.ceil(
        samples / len(DATASET_REGISTRY.get(dataset_opt['type'])(own))))
    return {**opt, 'train': train_opt, 'logger': logger, 'datasets': {'train': dataset_opt}}


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    saved = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, saved)
