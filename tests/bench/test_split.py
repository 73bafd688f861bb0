import pytest
import torch

from pkdn_basicsr.bench.split import split_step
from pkdn_basicsr.bench.step import train_step
from pkdn_basicsr.bench.stopwatch import Stopwatch
from pkdn_basicsr.bench.training import build_training_model, synthetic_batch


class _Log(Stopwatch):
    """A stopwatch that remembers which parts were begun."""

    def __init__(self):
        super().__init__(torch.device('cpu'))
        self.begun = []

    def part(self, name):
        self.begun.append(name)
        return super().part(name)


@pytest.fixture
def measured(read, distillation):
    """A model, its batch, and its stopwatch."""
    opt = read(distillation)
    return build_training_model(opt), synthetic_batch(opt), _Log()


def test_every_part_of_a_step_is_seen(measured):
    model, batch, stopwatch = measured
    with split_step(model, stopwatch):
        stopwatch.lap()
        train_step(model, batch)
        stopwatch.pause()
    assert sorted(stopwatch.begun) == ['backward', 'copy', 'losses', 'optimizer', 'optimizer', 'optimizer',
                                       'student forward', 'teacher']
    lap, = stopwatch.laps()
    assert set(lap) == {'copy', 'teacher', 'student forward', 'losses', 'backward', 'optimizer', 'rest'}
    assert min(lap.values()) > 0


def test_a_divided_step_computes_the_same_and_leaves_the_model_as_it_was(measured, read, distillation):
    _, batch, stopwatch = measured
    opt = read(distillation)
    undivided, divided = (build_training_model(opt) for _ in range(2))
    divided.net_g.load_state_dict(undivided.net_g.state_dict())
    divided.trained.adapters.load_state_dict(undivided.trained.adapters.state_dict())
    trained = divided.trained
    with split_step(divided, stopwatch):
        train_step(divided, batch)
    assert divided.trained is trained
    assert 'feed_data' not in vars(divided)
    assert 'backward' not in vars(divided.step)
    assert 'zero_grad' not in vars(divided.optimizer_g)
    train_step(undivided, batch)
    for mine, other in zip(divided.net_g.parameters(), undivided.net_g.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_the_model_is_restored_after_an_error(measured):
    model, _, stopwatch = measured
    trained = model.trained
    with pytest.raises(KeyError), split_step(model, stopwatch):
        raise KeyError
    assert model.trained is trained
