import pytest
import torch

from pkdn_basicsr.bench.bare_loop import BareLoop, why_no_bare_loop
from pkdn_basicsr.bench.step import train_step
from pkdn_basicsr.bench.training import build_training_model, synthetic_batch


def both(opt):
    """Three steps of the model and of the bare loop; returns their losses."""
    model, batch = build_training_model(opt), synthetic_batch(opt)
    loop, losses = BareLoop(opt, model), []
    for _ in range(3):
        train_step(model, batch)
        losses.append((float(sum(model.log_dict.values())), float(loop.step(batch))))
    return model, loop, losses


def assert_same(model, loop, losses):
    for of_model, of_loop in losses:
        assert of_loop == pytest.approx(of_model, rel=1e-4)
    assert losses[0][0] != losses[2][0]
    for mine, other in zip(model.net_g.parameters(), loop.student.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-4)


def test_distillation_trains_as_the_model_does(read, distillation):
    model, loop, losses = both(read(distillation))
    assert_same(model, loop, losses)
    assert len(loop.adapters) > 0
    for mine, other in zip(model.trained.adapters.parameters(), loop.adapters.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-4)


@pytest.mark.parametrize('left_out', ['feature_opt', 'soft_opt'])
def test_distillation_with_one_loss(read, distillation, left_out):
    del distillation['train'][left_out]
    assert_same(*both(read(distillation)))


def test_a_student_that_begins_as_the_teacher(read, distillation):
    distillation['network_g']['num_feat'] = distillation['network_t']['num_feat']
    distillation['train']['begin_as_teacher'] = True
    model, loop, losses = both(read(distillation))
    assert_same(model, loop, losses)
    assert len(loop.adapters) == 0


def test_student_alone(read, without_teacher):
    model, loop, losses = both(read(without_teacher))
    assert_same(model, loop, losses)
    assert loop.teacher is None


def test_teacher(read, distillation):
    distillation.update(model_type='PKDNTeacherModel', network_g=distillation.pop('network_t'))
    for key in ('feature_opt', 'soft_opt'):
        del distillation['train'][key]
    assert_same(*both(read(distillation)))


def test_the_average_follows_the_student(read, distillation):
    _, loop, _ = both(read(distillation))
    average, student = (next(net.parameters()) for net in (loop.average.module, loop.student))
    assert not torch.equal(average, student)


def test_half_precision(read, distillation):
    _, _, losses = both(read(distillation, 'train:amp=bf16'))
    assert losses[0][1] == pytest.approx(losses[0][0], rel=1e-2)


@pytest.mark.parametrize(('forced', 'word'), [
    ('train:amp=fp16', 'train.amp'), ('train:grad_clip=1', 'train.grad_clip')])
def test_what_it_does_not_do(read, distillation, forced, word):
    assert word in why_no_bare_loop(read(distillation, forced))


def test_models_that_it_does_not_know(distillation):
    assert 'MultiOutputModel' in why_no_bare_loop({**distillation, 'model_type': 'MultiOutputModel'})


def test_options_that_are_off_do_not_matter(read, distillation):
    assert why_no_bare_loop(read(distillation, 'train:compile=false', 'train:grad_clip=~')) is None
