from pathlib import Path

import pytest
import tiny
import torch

from pkdn_basicsr.bench.training import (
    build_training_model,
    has_trained_teacher,
    read_training_options,
    synthetic_batch,
    write_options,
)
from pkdn_basicsr.models.distillation_model import DistillationModel


def test_schedules_are_constant_and_a_missing_teacher_is_random(read, distillation, tmp_path):
    distillation['path']['pretrain_network_t'] = 'nowhere.pth'
    opt = read(distillation)
    assert list(opt['datasets']) == ['train']
    assert 'schedule' not in opt['train']['feature_opt']
    assert not has_trained_teacher(opt, tmp_path)
    weights = torch.load(opt['path']['pretrain_network_t'], weights_only=True)['params']
    assert torch.equal(build_training_model(opt).net_t.state_dict()['head.weight'], weights['head.weight'])


def test_a_trained_teacher_is_taken(read, distillation, tmp_path):
    trained = Path(read(distillation)['path']['pretrain_network_t'])
    (tmp_path / 'run').mkdir()
    distillation['path']['pretrain_network_t'] = str(trained.rename(tmp_path / 'run' / 'net_g_latest.pth'))
    opt = read(distillation)
    assert opt['path']['pretrain_network_t'] == distillation['path']['pretrain_network_t']
    assert has_trained_teacher(opt, tmp_path)


def test_the_model_is_the_hosts(read, distillation):
    model = build_training_model(read(distillation, 'train:optim_g:lr=0.5'))
    assert isinstance(model, DistillationModel)
    assert model.is_train
    assert model.optimizer_g.param_groups[0]['lr'] == .5


def test_the_batch_has_the_sizes_of_the_file(read, distillation):
    batch = synthetic_batch(read(distillation, batch=3))
    assert {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in batch.items()} == {
        'lq': ((3, 3, 8, 8), torch.float32), 'gt': ((3, 3, 32, 32), torch.float32),
        'parsing': ((3, 32, 32), torch.uint8)}
    assert batch['parsing'].max() == 18  # celebamask_hq
    assert batch['gt'].std() > .2


def test_written_options_are_read_alike(read, distillation, tmp_path):
    opt = read(distillation)
    write_options(opt, tmp_path / 'again.yml')
    assert read_training_options(str(tmp_path / 'again.yml'), [], None, tmp_path) == opt


def test_what_cannot_be_measured_is_said(read, distillation, tiny_faces, usage_error):
    with usage_error('SRModel', 'FaceSRModel'):
        build_training_model(read(tiny.train_options(tiny_faces)))
    with usage_error('FeatureL3'):
        read(distillation, 'train:feature_opt:type=FeatureL3')
    del distillation['datasets']['train']
    with usage_error('datasets.train'):
        read(distillation)


@pytest.mark.parametrize('missing', ['logger', 'train'])
def test_a_missing_section(read, distillation, usage_error, missing):
    del distillation[missing]
    with usage_error(missing):
        read(distillation)
