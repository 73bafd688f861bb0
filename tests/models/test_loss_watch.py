import pytest
import torch
from basicsr.models import build_model

from pkdn_basicsr.host import run
from pkdn_basicsr.models import loss_watch


@pytest.fixture(autouse=True)
def current(monkeypatch):
    monkeypatch.setattr(run, 'current', run.Run())


@pytest.fixture
def face_options(options):
    options['model_type'] = 'FaceSRModel'
    return options


@pytest.fixture
def step(batch):
    """`step(model, iteration, factor)`: a step on a batch whose truth is multiplied by a factor."""
    def do(model, iteration, factor=1.):
        run.current.files = [f'/gt/{iteration}a.png', f'/gt/{iteration}b.png']
        model.update_learning_rate(iteration)
        model.feed_data({**batch, 'gt': batch['gt'] * factor})
        model.optimize_parameters(iteration)
    return do


def everything(tmp_path):
    return sorted(path.name for path in tmp_path.rglob('*.*') if path.is_file())


@pytest.mark.parametrize('factor', [torch.nan, torch.inf])
@pytest.mark.parametrize('accumulate', [1, 2])
def test_the_first_bad_iteration_is_named_exactly(face_options, step, factor, accumulate, usage_error):
    face_options['train']['accumulate'] = accumulate
    model = build_model(face_options)
    for iteration in range(1, 6):
        step(model, iteration, factor if iteration == 3 else 1.)
    value = 'nan' if factor != factor else 'inf'
    with usage_error(f'iteration 3: l_pix = {value}, at learning rate 0.01, with the batch 3a.png, 3b.png of /gt',
                     'there is no checkpoint yet'):
        model.get_current_log()


def test_only_the_bad_losses_are_named(distillation_options, step):
    model = build_model(distillation_options)
    model.soft_loss.loss.forward = lambda *_: torch.tensor(torch.nan, requires_grad=True)
    step(model, 1)
    with pytest.raises(ValueError, match=r'^iteration 1: l_soft = nan, at'):
        model.get_current_log()


def test_a_gradient_norm_that_is_not_finite_is_named_where_it_began(face_options, step, usage_error):
    face_options['train']['grad_clip'] = 1.
    model = build_model(face_options)
    step(model, 1)
    handle = next(model.net_g.parameters()).register_hook(lambda gradient: gradient * torch.nan)
    step(model, 2)
    handle.remove()
    step(model, 3)
    with usage_error('iteration 2: grad_norm = nan', '2a.png'):
        model.get_current_log()


def test_a_gradient_that_overflows_in_half_precision_is_no_fault(face_options, step):
    face_options['train'].update(amp='fp16', grad_clip=1.)
    model = build_model(face_options)
    model.step.scaler = torch.amp.GradScaler('cpu', init_scale=2.**40)
    step(model, 1)
    assert model.get_current_log()['skipped_steps'] == 1


def test_a_loss_that_is_not_finite_in_half_precision_is_one(face_options, step, usage_error):
    face_options['train']['amp'] = 'fp16'
    model = build_model(face_options)
    step(model, 1, torch.nan)
    with usage_error('iteration 1: l_pix = nan'):
        model.get_current_log()


def test_nothing_of_it_is_saved_and_the_last_good_checkpoint_is_named(face_options, step, tmp_path, usage_error):
    face_options['train']['ema_decay'] = 0.5
    model = build_model(face_options)
    step(model, 1)
    model.save(0, 1)
    before = everything(tmp_path)
    step(model, 2, torch.nan)
    with usage_error('iteration 2', 'the last good checkpoint is iteration 1; go on with: ', '--auto_resume'):
        model.save(0, 2)
    assert everything(tmp_path) == before


def test_it_is_not_validated(face_options, step, val_loader, usage_error):
    model = build_model(face_options)
    step(model, 1, torch.nan)
    with usage_error('iteration 1'):
        model.validation(val_loader, 1, None, False)


def test_iterations_that_nobody_asks_about_are_looked_at_before_they_become_many(face_options, step, monkeypatch,
                                                                                 usage_error):
    monkeypatch.setattr(loss_watch, '_AT_MOST', 3)
    model = build_model(face_options)
    step(model, 1, torch.nan)
    step(model, 2)
    with usage_error('iteration 1'):
        step(model, 3)


def test_what_was_looked_at_is_forgotten(face_options, step):
    model = build_model(face_options)
    step(model, 1)
    model.get_current_log()
    model.get_current_log()
    assert not model.loss_watch._unseen


def test_two_processes_stop_together_for_the_fault_of_one(options, batch, run_two_processes):
    options['model_type'] = 'FaceSRModel'
    first, second = run_two_processes('loss_watch_worker.py', {'nan': {'opt': options, 'batch': batch}})
    assert first['nan'] == second['nan']
    assert first['nan']['ended_at'] == 5
    assert first['nan']['message'].startswith(
        'iteration 3: l_pix = nan, at learning rate 0.01, with the batch 1_3.png of /gt; the run stops')
