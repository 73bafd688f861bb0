import pytest
import torch
from basicsr.models import build_model
from basicsr.utils.registry import LOSS_REGISTRY
from torch import nn

from pkdn_basicsr.models.loss_dict_model import LossDictModel


class _TwoLosses(LossDictModel):
    def compute_losses(self, current_iter):
        self.output = self.net_g(self.lq)
        return {'l_mean': self.output.mean(), 'l_size': current_iter * self.output.square().mean()}


class _Perceptual(nn.Module):
    """Stands for the host's PerceptualLoss, which returns a pair of which either may be None."""

    def __init__(self, style):
        super().__init__()
        self.style = style

    def forward(self, output, gt):
        loss = 3 * (output - gt).square().mean()
        return (None, loss) if self.style else (loss, None)


@pytest.fixture
def perceptual_loss(monkeypatch):
    monkeypatch.setitem(LOSS_REGISTRY._obj_map, 'FakePerceptualLoss', _Perceptual)


@pytest.fixture
def sgd_options(options):
    options['train']['optim_g'] = {'type': 'SGD', 'lr': 0.1}
    return options


def test_every_step_follows_the_gradient_of_the_sum_of_that_step_alone(sgd_options, batch):
    model = _TwoLosses(sgd_options)
    model.feed_data(batch)
    for iteration in (1, 2):
        before = [p.detach().clone().requires_grad_() for p in model.net_g.parameters()]
        names = [name for name, _ in model.net_g.named_parameters()]
        output = torch.func.functional_call(model.net_g, dict(zip(names, before, strict=True)), (batch['lq'],))
        mean, size = output.mean(), iteration * output.square().mean()
        gradients = torch.autograd.grad(mean + size, before)
        model.optimize_parameters(iteration)
        for now, old, gradient in zip(model.net_g.parameters(), before, gradients, strict=True):
            torch.testing.assert_close(now, old - 0.1 * gradient)
        assert model.get_current_log() == pytest.approx({'l_mean': mean.item(), 'l_size': size.item()})


def test_the_average_follows_only_where_it_is_asked_for(sgd_options, batch):
    assert not hasattr(_TwoLosses(sgd_options), 'net_g_ema')
    sgd_options['train'].update(ema_decay=0.75, optim_g={'type': 'SGD', 'lr': 0.1},
                                scheduler={'type': 'MultiStepLR', 'milestones': [1000]})
    model = _TwoLosses(sgd_options)
    before = [p.detach().clone() for p in model.net_g.parameters()]
    model.feed_data(batch)
    model.optimize_parameters(1)
    for average, old, now in zip(model.net_g_ema.parameters(), before, model.net_g.parameters(), strict=True):
        torch.testing.assert_close(average.data, 0.75 * old + 0.25 * now)


def test_without_losses_of_its_own_a_model_has_the_hosts(options, batch, train):
    model = LossDictModel(options)
    expected = {'l_pix': (model.net_g(batch['lq']) - batch['gt']).abs().mean().item()}
    assert train(model, batch, [1]) == [pytest.approx(expected)]


def test_nothing_is_fetched_from_the_device_before_the_log_is_asked_for(sgd_options, batch, monkeypatch):
    sgd_options['train']['grad_clip'] = 1.0
    model = _TwoLosses(sgd_options)

    def refuse(tensor):
        raise AssertionError('the host waited for the device')

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, 'item', refuse)
        model.feed_data(batch)
        model.optimize_parameters(1)
    assert not any(loss.requires_grad for loss in model.log_dict.values())  # nor is the graph kept alive
    assert {name: type(value) for name, value in model.get_current_log().items()} == {
        'l_mean': float, 'l_size': float, 'grad_norm': float}


@pytest.mark.parametrize(('style', 'name'), [(False, 'l_percep'), (True, 'l_style')])
@pytest.mark.parametrize('with_pixel_loss', [True, False])
def test_reconstruction_losses_are_the_hosts_pixel_and_perceptual_loss(options, batch, perceptual_loss, style, name,
                                                                       with_pixel_loss):
    options['train']['perceptual_opt'] = {'type': 'FakePerceptualLoss', 'style': style}
    if not with_pixel_loss:
        del options['train']['pixel_opt']
    model = LossDictModel(options)
    model.feed_data(batch)
    model.output = batch['gt'] + 0.5
    expected = {'l_pix': 0.5, name: 3 * 0.25} if with_pixel_loss else {name: 3 * 0.25}
    found = {key: value.item() for key, value in model.reconstruction_losses().items()}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize('model_type', ['PKDNTeacherModel', 'DistillationModel'])
def test_both_models_train_with_the_perceptual_loss(distillation_options, teacher_options, batch, perceptual_loss,
                                                    train, model_type):
    distillation_options['model_type'] = model_type
    if model_type == 'PKDNTeacherModel':
        distillation_options['network_g'] = teacher_options
    distillation_options['train']['perceptual_opt'] = {'type': 'FakePerceptualLoss', 'style': False}
    model = build_model(distillation_options)
    logs = train(model, batch, [1])
    expected = 3 * (model.output - batch['gt']).square().mean().item()
    assert logs[0]['l_percep'] == pytest.approx(expected)
    assert 'l_style' not in logs[0]
