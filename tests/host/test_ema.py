import torch
from basicsr.models.base_model import BaseModel
from torch import nn


def model_with_average():
    """A host's model whose network and average both have BatchNorm and start alike."""
    model = BaseModel({'num_gpu': 0, 'is_train': True})
    model.net_g, model.net_g_ema = nn.BatchNorm1d(2), nn.BatchNorm1d(2).eval()
    return model


def test_the_average_carries_the_buffers_of_the_network():
    model = model_with_average()
    for _ in range(3):
        model.net_g(torch.randn(8, 2) + 5)
        model.model_ema(decay=0.9)
    assert model.net_g_ema.num_batches_tracked == 3
    assert model.net_g_ema.running_mean.min() > 1
    assert torch.equal(model.net_g_ema.running_mean, model.net_g.running_mean)
    assert torch.equal(model.net_g_ema.running_var, model.net_g.running_var)


def test_buffers_are_copied_not_shared():
    model = model_with_average()
    model.model_ema(decay=0.9)
    model.net_g(torch.randn(8, 2) + 5)
    assert model.net_g_ema.running_mean.tolist() == [0, 0]


def test_parameters_are_still_averaged():
    model = model_with_average()
    nn.init.constant_(model.net_g.weight, 3.)
    model.model_ema(decay=0.75)
    assert model.net_g_ema.weight.tolist() == [1.5, 1.5]


def test_decay_zero_copies_everything():
    model = model_with_average()
    model.net_g(torch.randn(8, 2) + 5)
    nn.init.constant_(model.net_g.weight, 3.)
    model.model_ema(0)
    for name, value in model.net_g.state_dict().items():
        assert torch.equal(model.net_g_ema.state_dict()[name], value), name
