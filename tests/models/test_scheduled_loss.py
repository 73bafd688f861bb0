from copy import deepcopy

import pytest
import torch
from basicsr.losses.basic_loss import L1Loss
from basicsr.utils.registry import LOSS_REGISTRY
from torch import nn

from pkdn_basicsr.losses import AffinityLoss
from pkdn_basicsr.models.scheduled_loss import ScheduledLoss

CPU = torch.device('cpu')


@pytest.mark.parametrize('train_opt', [{}, {'feature_opt': None}, {'feature_opt': {}}])
def test_an_absent_loss_is_none(train_opt):
    assert ScheduledLoss.from_options(train_opt, 'feature_opt', CPU) is None


def test_loss_and_schedule_get_their_own_arguments_and_the_options_stay():
    train_opt = {'feature_opt': {'type': 'AffinityLoss', 'loss_weight': 3.0, 'max_size': 5, 'levels': ['neck'],
                                 'schedule': {'type': 'linear', 'start_iter': 10, 'end_iter': 20}}}
    before = deepcopy(train_opt)
    scheduled = ScheduledLoss.from_options(train_opt, 'feature_opt', CPU)
    assert train_opt == before
    assert isinstance(scheduled.loss, AffinityLoss)
    assert (scheduled.loss.loss_weight, scheduled.loss.max_size) == (3.0, 5)
    assert [scheduled.schedule(iteration) for iteration in (9, 10, 15, 20, 21)] == [0, 1, 0.5, 0, 0]


@pytest.mark.parametrize('schedule', [{}, {'schedule': None}])
def test_without_schedule_a_loss_always_counts_fully(schedule):
    scheduled = ScheduledLoss.from_options({'soft_opt': {'type': 'L1Loss', **schedule}}, 'soft_opt', CPU)
    assert isinstance(scheduled.loss, L1Loss)
    assert [scheduled.schedule(iteration) for iteration in (1, 10**7)] == [1, 1]


@pytest.mark.parametrize(('schedule', 'word'), [
    ({'type': 'linear'}, 'end_iter'),
    ({'type': 'linaer', 'end_iter': 5}, 'linaer'),
    ({'end': 5}, 'end'),
    ('linear', "expected its arguments, like {type: linear, end_iter: 5000}, found 'linear'"),
    ({'end_iter': '5e3'}, "end_iter must be a whole number, but is '5e3'"),
    ({'start_iter': 0.5}, 'start_iter must be a whole number, but is 0.5'),
    ({'start_iter': 5, 'end_iter': 5}, 'later than start_iter 5'),
])
def test_a_wrong_schedule_is_refused_by_its_place_in_the_file(usage_error, schedule, word):
    with usage_error('train.soft_opt.schedule', word):
        ScheduledLoss.from_options({'soft_opt': {'type': 'L1Loss', 'schedule': schedule}}, 'soft_opt', CPU)


def test_buffers_of_a_loss_lie_on_the_device(monkeypatch):
    monkeypatch.setitem(LOSS_REGISTRY._obj_map, 'LossWithNorm', lambda: nn.BatchNorm2d(3))
    train_opt = {'feature_opt': {'type': 'LossWithNorm'}}
    scheduled = ScheduledLoss.from_options(train_opt, 'feature_opt', torch.device('meta'))
    assert scheduled.loss.running_mean.device.type == 'meta'
