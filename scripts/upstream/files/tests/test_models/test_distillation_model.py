import copy
import os

import pytest
import torch
import yaml
from basicsr.archs.pkdn_arch import PKDNStudent, PKDNTeacher
from basicsr.losses.distillation_loss import FeatureL1Loss
from basicsr.models.distillation_model import DistillationModel
from basicsr.models.pkdn_teacher_model import PKDNTeacherModel

opt_str = r"""
scale: 4
num_gpu: 0
manual_seed: 0
is_train: True
dist: False

datasets:
  train:
    type: ParsingMapDataset
    dataroot_parsing: parsing
    parsing_scheme: helen
    gt_size: 16

# network structures
network_g:
  type: PKDNStudent
  scale: 4
  num_feat: 4
  num_enc_blocks: [1]
  num_neck_blocks: 1
  num_dec_blocks: [1]

network_t:
  type: PKDNTeacher
  num_classes: 11
  scale: 4
  num_feat: 6
  num_enc_blocks: [1]
  num_neck_blocks: 1
  num_dec_blocks: [1]

# path
path:
  pretrain_network_g: ~
  teacher_param_key: params_ema
  ignore_resume_networks: [network_t]
  resume_state: ~

# training settings
train:
  ema_decay: 0.9
  optim_g:
    type: Adam
    lr: !!float 1e-2

  scheduler:
    type: MultiStepLR
    milestones: [100]

  # losses
  pixel_opt:
    type: L1Loss
  feature_opt:
    type: FeatureL1Loss
    loss_weight: 10.0
    levels: [enc1, neck]
    schedule:
      type: linear
      end_iter: 4
  soft_opt:
    type: L1Loss
    loss_weight: 0.1

val: ~
"""


def make_data():
    return {
        'gt': torch.rand((2, 3, 16, 16)),
        'lq': torch.rand((2, 3, 4, 4)),
        'parsing': torch.randint(0, 11, (2, 16, 16), dtype=torch.uint8),
    }


def make_teacher(folder):
    """Train a teacher for one iteration and return the student's options."""
    opt = yaml.safe_load(opt_str)
    opt['path']['models'] = opt['path']['training_states'] = str(folder)
    opt['path']['pretrain_network_t'] = str(folder / 'net_g_1.pth')

    teacher_opt = copy.deepcopy(opt)
    teacher_opt['network_g'] = teacher_opt.pop('network_t')
    model = PKDNTeacherModel(teacher_opt)
    assert isinstance(model.net_g, PKDNTeacher)
    model.feed_data(make_data())
    model.optimize_parameters(1)
    assert list(model.log_dict) == ['l_pix']
    model.test()
    assert model.output.shape == (2, 3, 16, 16)
    model.save(0, 1)
    return opt


def test_distillationmodel(tmp_path):
    """Test model: PKDNTeacherModel and DistillationModel"""
    opt = make_teacher(tmp_path)

    # build model
    model = DistillationModel(copy.deepcopy(opt))
    # test attributes
    assert isinstance(model.net_g, PKDNStudent)
    assert isinstance(model.net_t, PKDNTeacher)
    assert isinstance(model.feature_loss.loss, FeatureL1Loss)
    # the adapters are trained but are no part of the student
    assert set(model.trained.adapters) == {'enc1', 'neck'}
    assert model.trained.adapters['neck'].weight.shape == (6, 4, 1, 1)
    # the averaged weights of the teacher
    teacher_weights = torch.load(opt['path']['pretrain_network_t'])['params_ema']
    assert all(torch.equal(value, teacher_weights[key]) for key, value in model.net_t.state_dict().items())

    # ----------------- test optimize_parameters -------------------- #
    adapter = model.trained.adapters['neck'].weight.detach().clone()
    for current_iter in range(1, 6):
        model.feed_data(make_data())
        model.optimize_parameters(current_iter)
        # the schedule of the features falls to 0 at iteration 4
        assert (model.log_dict['l_feat'] > 0) == (current_iter < 4)
        assert model.log_dict['l_soft'] > 0
    assert model.output.shape == (2, 3, 16, 16)
    assert not torch.equal(adapter, model.trained.adapters['neck'].weight)
    # the teacher is frozen
    assert all(torch.equal(value, teacher_weights[key]) for key, value in model.net_t.state_dict().items())

    # ----------------- test save and resume -------------------- #
    model.save(0, 5)
    assert set(torch.load(tmp_path / 'net_g_5.pth')) == {'params', 'params_ema'}
    opt['path']['pretrain_network_g'] = str(tmp_path / 'net_g_5.pth')
    opt['path']['resume_state'] = str(tmp_path / '5.state')
    resumed = DistillationModel(copy.deepcopy(opt))
    resumed.resume_training(torch.load(tmp_path / '5.state'))
    data = make_data()
    for each in (model, resumed):
        each.feed_data(data)
        each.optimize_parameters(2)
    for key, value in model.trained.state_dict().items():
        assert torch.equal(value, resumed.trained.state_dict()[key])

    # ----------------- without a teacher -------------------- #
    os.remove(opt['path']['pretrain_network_t'])
    with pytest.raises(ValueError, match='train the teacher first'):
        DistillationModel(opt)
