"""Where the time of a training step goes, told by the model's own parts."""

from collections.abc import Iterator
from contextlib import contextmanager

from pkdn_basicsr.bench.stopwatch import Stopwatch
from pkdn_basicsr.models.loss_dict_model import LossDictModel

DATA, COPY, TEACHER, STUDENT, LOSSES, BACKWARD, OPTIMIZER = PARTS = (
    'data', 'copy', 'teacher', 'student forward', 'losses', 'backward', 'optimizer')
"""Waiting for a batch; its way to the device; the forward passes; the losses; the gradient, with its exchange between
processes; everything that changes weights, the moving average included."""


class _Timed:
    """A callable whose calls are a part of the lap, and which is otherwise the object that it stands for."""

    def __init__(self, target: object, part: str, stopwatch: Stopwatch) -> None:
        self._target, self._part, self._stopwatch = target, part, stopwatch

    def __call__(self, *args, **kwargs) -> object:
        with self._stopwatch.part(self._part):
            return self._target(*args, **kwargs)

    def __getattr__(self, name: str) -> object:
        return getattr(self._target, name)


@contextmanager
def split_step(model: LossDictModel, stopwatch: Stopwatch) -> Iterator[None]:
    """Let the steps of a model tell the stopwatch where they are.

    Attributes of the model are replaced, not hooks added: a compiled network would be compiled once more for them.

    Args:
        model: In training.
        stopwatch: Has a lap open whenever the model steps.
    """
    trained = next(name for name, value in vars(model).items() if value is model.trained_module())
    replaced = [(owner, name, part, name in vars(owner), getattr(owner, name)) for owner, name, part in (
        (model, 'feed_data', COPY),
        (model, '_ask_teacher', TEACHER),
        (model, trained, STUDENT),
        (model, 'compute_losses', LOSSES),
        (model.step, 'backward', BACKWARD),
        (model.optimizer_g, 'zero_grad', OPTIMIZER),
        (model.step, 'update', OPTIMIZER),
        (model, 'model_ema', OPTIMIZER)) if hasattr(owner, name)]
    try:
        for owner, name, part, _, target in replaced:
            setattr(owner, name, _Timed(target, part, stopwatch))
        yield
    finally:
        for owner, name, _, was_its_own, target in replaced:
            if was_its_own:
                setattr(owner, name, target)
            else:
                delattr(owner, name)
