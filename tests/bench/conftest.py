"""Option files of tiny training runs."""

import pytest
import tiny
import torch

from pkdn_basicsr.bench.training import read_training_options


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def distillation(tiny_faces):
    """Options of a distillation from a teacher of other width, without data for its name and without its weights."""
    opt = tiny.train_options(tiny_faces)
    opt['model_type'] = 'DistillationModel'
    opt['datasets']['train']['dataroot_parsing'] = str(tiny_faces / 'parsing')
    opt['network_t'] = {**opt['network_g'], 'type': 'PKDNTeacher', 'num_classes': 19, 'num_feat': 6}
    opt['train']['feature_opt'] = {'type': 'FeatureL1Loss', 'loss_weight': 10.,
                                   'schedule': {'type': 'linear', 'end_iter': 10}}
    opt['train']['soft_opt'] = {'type': 'L1Loss', 'loss_weight': .1}
    return opt


@pytest.fixture
def without_teacher(distillation):
    """The same student alone."""
    opt = {key: value for key, value in distillation.items() if key != 'network_t'}
    train_opt = {key: value for key, value in opt['train'].items() if key not in ('feature_opt', 'soft_opt')}
    return {**opt, 'model_type': 'FaceSRModel', 'train': train_opt}


@pytest.fixture
def read(tmp_path):
    """`read(opt, *forced)`: options as they are measured, by way of a file."""
    def read_options(opt, *forced, batch=None):
        file = tiny.write_options(opt, tmp_path / 'options.yml')
        return read_training_options(str(file), forced, batch, tmp_path)
    return read_options
