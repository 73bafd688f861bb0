"""`basicsr bench step`: the training step of option files on a batch in memory, part by part and beside a bare loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pkdn_basicsr.bench.bare_loop import BareLoop, why_no_bare_loop
from pkdn_basicsr.bench.memory import peak_memory
from pkdn_basicsr.bench.roofline import Rates, Roofline, convolution_format, count_work
from pkdn_basicsr.bench.split import PARTS, split_step
from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.bench.stopwatch import REST, Stopwatch
from pkdn_basicsr.bench.training import ITERATION, build_training_model, synthetic_batch
from pkdn_basicsr.models.loss_dict_model import LossDictModel
from pkdn_basicsr.report.latency import measure_latency


@dataclass(frozen=True)
class StepResult:
    """How long a step takes.

    Attributes:
        batch: Images in it.
        images_per_second: Of the undivided step.
        parts: Seconds of its parts.
        parts_together: Seconds of their sum; beside `step` it tells whether the split can be trusted.
        step: Seconds of the undivided step.
        bare_loop: Seconds of a bare PyTorch loop's step; None where there is no bare loop.
        over_bare_loop: The undivided step as a multiple of the bare loop's, by neighbours.
        no_bare_loop: Why there is none.
        peak_memory: Bytes of tensors that a step has at most beyond what is there between steps.
        roofline: The undivided step beside the device's rates.
    """

    batch: int
    images_per_second: Spread
    parts: dict[str, Spread]
    parts_together: Spread
    step: Spread
    bare_loop: Spread | None
    over_bare_loop: Spread | None
    no_bare_loop: str | None
    peak_memory: int
    roofline: Roofline


class _Subject:
    """One option file's model with its batch, its bare loop and its stopwatch."""

    def __init__(self, opt: Mapping) -> None:
        self.opt = opt
        self.model = build_training_model(opt)
        self.batch = synthetic_batch(opt)
        self.no_bare_loop = why_no_bare_loop(opt)
        self.bare_loop = None if self.no_bare_loop else BareLoop(opt, self.model)
        self.stopwatch = Stopwatch(self.model.device)

    def calls(self) -> dict[str, Callable[[], object]]:
        """Return what takes turns."""
        calls = {'step': self.step, 'divided': self.divided_step}
        return calls if self.bare_loop is None else {**calls, 'bare_loop': lambda: self.bare_loop.step(self.batch)}

    def step(self) -> None:
        train_step(self.model, self.batch)

    def divided_step(self) -> None:
        self.stopwatch.lap()
        with split_step(self.model, self.stopwatch):
            self.step()
        self.stopwatch.pause()

    def result(self, seconds: Mapping[str, Sequence[float]], rates: Rates) -> StepResult:
        step, batch = seconds['step'], len(self.batch['gt'])
        laps = self.stopwatch.laps()[-len(step):]  # the others were the warm-up
        bare = seconds.get('bare_loop')
        with self.model.step_options.uncompiled():
            work = count_work(self.step)
        self.model.optimizer_g.zero_grad()  # what a step gives back of the last one is not counted
        peak = peak_memory(self.step, self.model.device)
        number_format = convolution_format(self.opt['train'].get('amp'), self.model.device)
        return StepResult(
            batch, Spread.of(batch / taken for taken in step), spreads_of_parts(laps),
            Spread.of(sum(lap.values()) for lap in laps), Spread.of(step), Spread.of(bare) if bare else None,
            Spread.of_ratios(step, bare) if bare else None, self.no_bare_loop, peak,
            Roofline.of(work, rates, number_format, Spread.of(step).median))


def measure_steps(options: Mapping[str, Mapping], repeats: int, warmup: int, rates: Rates) -> dict[str, StepResult]:
    """Measure the steps of option files, all in turn: undivided, divided, bare loop.

    Args:
        options: What `read_training_options` returned, by name.
        repeats: Timed rounds.
        warmup: Rounds before that.
        rates: What the device can do.

    Returns:
        Results by name.
    """
    subjects = {name: _Subject(opt) for name, opt in options.items()}
    calls = {(name, kind): call for name, subject in subjects.items() for kind, call in subject.calls().items()}
    seconds = measure_latency(calls, repeats, warmup, 'steps')
    return {name: subject.result({kind: taken for (whose, kind), taken in seconds.items() if whose == name}, rates)
            for name, subject in subjects.items()}


def train_step(model: LossDictModel, batch: Mapping[str, Tensor]) -> None:
    """Do what BasicSR's pipeline does with a batch."""
    model.update_learning_rate(ITERATION, warmup_iter=-1)
    model.feed_data(batch)
    model.optimize_parameters(ITERATION)


def spreads_of_parts(laps: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Return the spread of each part's seconds over laps; a part that is in some of them took none of the others."""
    return {part: Spread.of(lap.get(part, 0.) for lap in laps) for part in (*PARTS, REST)
            if any(part in lap for lap in laps)}


def training_device(opt: Mapping) -> torch.device:
    """Return where the host trains."""
    on_gpu = torch.cuda.is_available() if opt['num_gpu'] == 'auto' else opt['num_gpu'] > 0
    return torch.device('cuda' if on_gpu else 'cpu')
