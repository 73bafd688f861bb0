import pytest
import torch
from basicsr.models.base_model import BaseModel
from torch import nn

from pkdn_basicsr.host import run
from pkdn_basicsr.host.failure import finite


@pytest.fixture
def model(tmp_path):
    """A model of the host that can save."""
    return BaseModel({'num_gpu': 0, 'is_train': True, 'dist': False, 'rank': 0, 'logger': {},
                      'path': {'models': str(tmp_path / 'models'), 'training_states': str(tmp_path / 'states')}})


@pytest.mark.parametrize('value', [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize('is_average', [False, True])
def test_weights_that_are_not_finite_never_reach_the_disk(model, tmp_path, value, is_average, usage_error):
    net, average = nn.Linear(2, 3), nn.Linear(2, 3)
    model.save_network([net, average], 'net_g', 1, ['params', 'params_ema'])
    before = (tmp_path / 'models' / 'net_g_1.pth').read_bytes()
    (average if is_average else net).bias.data[1] = value
    for iteration in (1, 2, -1, 'best_psnr'):
        with usage_error('net_g', '1 of 4', 'bias', 'train.grad_clip'):
            model.save_network([net, average], 'net_g', iteration, ['params', 'params_ema'])
    assert [path.name for path in (tmp_path / 'models').iterdir()] == ['net_g_1.pth']
    assert (tmp_path / 'models' / 'net_g_1.pth').read_bytes() == before


def test_a_buffer_may_hold_infinity(model, tmp_path):
    net = nn.Linear(2, 3)
    net.register_buffer('mask', torch.tensor(-torch.inf))
    model.save_network(net, 'net_g', 1)
    assert (tmp_path / 'models' / 'net_g_1.pth').is_file()


def test_a_network_without_parameters_is_saved(model, tmp_path):
    model.save_network(nn.Identity(), 'net_g', 1)
    assert (tmp_path / 'models' / 'net_g_1.pth').is_file()


def test_losses_of_the_host_s_models_are_looked_at(model, monkeypatch, usage_error):
    monkeypatch.setattr(run, 'current', run.Run(iteration=7, files=['gt/a.png', 'gt/b.png']))
    model.optimizers = [torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.02)]
    assert model.reduce_loss_dict({'l_pix': torch.tensor(1.), 'out_d_real': torch.tensor(torch.inf)})['l_pix'] == 1
    with usage_error('iteration 7: l_pix = nan, l_g_gan = inf, at learning rate 0.02', 'the batch a.png, b.png of gt'):
        model.reduce_loss_dict({'l_pix': torch.tensor(torch.nan), 'l_g_gan': torch.tensor(torch.inf),
                                'l_percep': torch.tensor(1.)})


@pytest.mark.parametrize(('files', 'end'), [
    ([], ''),
    (['/d/gt/x/a.png', '/d/gt/y/a.png'], ', with the batch x/a.png, y/a.png of /d/gt'),
    (['baboon', 'comic'], ', with the batch baboon, comic'),
])
def test_the_batch_is_named_as_shortly_as_is_clear(files, end):
    assert finite.describe(1, {'l': torch.nan}, [0.5, 0.5], files) == f'iteration 1: l = nan, at learning rate 0.5{end}'


def test_several_learning_rates_are_told():
    assert 'learning rate 0.5, 0.001' in finite.describe(1, {'l': torch.nan}, [0.5, 0.001], [])
