import pytest
import torch
from basicsr.models.base_model import BaseModel

MODEL = BaseModel({'num_gpu': 0, 'is_train': True})
IN_MASTER = ['Adam', 'AdamW', 'Adamax', 'SGD', 'ASGD', 'RMSprop', 'Rprop']


def weight():
    return torch.nn.Parameter(torch.ones(2))


@pytest.mark.parametrize('name', [*IN_MASTER, 'NAdam', 'RAdam'])
def test_every_optimizer_of_torch_steps(name):
    parameter = weight()
    optimizer = MODEL.get_optimizer(name, [parameter], lr=0.1)
    assert type(optimizer) is getattr(torch.optim, name)
    parameter.square().sum().backward()
    optimizer.step()
    assert (parameter < 1).all()


def test_arguments_arrive():
    group = MODEL.get_optimizer('AdamW', [weight()], lr=0.1, weight_decay=0.5, betas=[0.8, 0.9]).param_groups[0]
    assert (group['lr'], group['weight_decay'], tuple(group['betas'])) == (0.1, 0.5, (0.8, 0.9))


def test_an_unknown_name_is_answered_with_the_nearest(usage_error):
    with usage_error("'AdamX'", "did you mean 'Adam", 'SGD'):
        MODEL.get_optimizer('AdamX', [weight()], lr=0.1)


def test_the_base_class_is_no_optimizer(usage_error):
    with usage_error("'Optimizer'"):
        MODEL.get_optimizer('Optimizer', [weight()], lr=0.1)
