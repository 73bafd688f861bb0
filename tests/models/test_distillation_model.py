import copy
import os
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from basicsr.archs import build_network
from basicsr.models import build_model
from basicsr.utils.registry import ARCH_REGISTRY, MODEL_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.models.distillation_model import DistillationModel

KDFSRNET = {'scale': 4, 'num_feat': 4, 'num_blocks': 1}
ALL_LEVELS = ['enc1', 'enc2', 'neck', 'dec2', 'dec1']


def _one_hot(parsing):
    return F.one_hot(parsing.long().where(parsing != 255, 11), 12)[..., :11].permute(0, 3, 1, 2).float()


def _watch_teacher(model):
    """Return a list that grows by one tensor whenever the teacher runs."""
    seen = []
    last = getattr(model.net_t, 'tail', None) or model.net_t.autoencoder.tail
    last.register_forward_hook(lambda _, __, output: seen.append(output))
    return seen


@pytest.fixture
def wide_teacher(distillation_options, teacher_options, set_teacher):
    """Put a teacher twice as wide as the student into `distillation_options`."""
    return set_teacher(distillation_options, {**teacher_options, 'num_feat': 8})


def test_model_is_registered_in_basicsr():
    assert MODEL_REGISTRY.get('DistillationModel') is DistillationModel


# losses

@pytest.mark.parametrize(('iteration', 'factor'), [(1, 0.9), (5, 0.5), (9, 0.1)])
@pytest.mark.parametrize('teacher_width', [4, 8])
@pytest.mark.parametrize(('levels', 'pairs'), [
    (None, dict(zip(ALL_LEVELS, ALL_LEVELS, strict=True))),
    (['neck', 'dec1'], {'neck': 'neck', 'dec1': 'dec1'}),
    ({'neck': 'enc2', 'dec2': 'enc1'}, {'neck': 'enc2', 'dec2': 'enc1'}),
])
def test_losses_are_those_computed_by_hand(distillation_options, teacher_options, set_teacher, batch, iteration,
                                           factor, teacher_width, levels, pairs):
    if levels:
        distillation_options['train']['feature_opt']['levels'] = levels
    distillation_options['train']['soft_opt']['schedule'] = {'type': 'linear', 'end_iter': 20}
    teacher = set_teacher(distillation_options, {**teacher_options, 'num_feat': teacher_width})
    model = build_model(distillation_options)
    model.feed_data(batch)
    losses = model.compute_losses(iteration)

    student = build_network(distillation_options['network_g'])
    student.load_state_dict(model.net_g.state_dict())
    sr, features = student.forward_features(batch['lq'])
    taught_sr, taught = teacher.forward_features(batch['lq'], _one_hot(batch['parsing']))
    by_level = []
    for mine, its in pairs.items():
        feature = features[mine]
        if teacher_width != 4:
            adapter = model.trained.adapters[mine]
            feature = torch.einsum('oc,bchw->bohw', adapter.weight[:, :, 0, 0], feature)
            feature = feature + adapter.bias[None, :, None, None]
        by_level.append((feature - taught[its]).abs().mean().item())
    assert {name: loss.item() for name, loss in losses.items()} == {
        'l_pix': pytest.approx((sr - batch['gt']).abs().mean().item(), rel=1e-5),
        'l_feat': pytest.approx(factor * 10 * sum(by_level) / len(by_level), rel=1e-5),
        'l_soft': pytest.approx((1 - iteration / 20) * 0.1 * (sr - taught_sr).abs().mean().item(), rel=1e-5),
    }


def test_the_student_follows_the_gradient_of_all_losses(distillation_options, wide_teacher, batch):
    distillation_options['train']['optim_g'] = {'type': 'SGD', 'lr': 0.1}
    model = build_model(distillation_options)
    model.feed_data(batch)
    before = {name: p.detach().clone() for name, p in model.trained.named_parameters()}
    gradients = torch.autograd.grad(sum(model.compute_losses(2).values()), list(model.trained.parameters()))
    model.optimize_parameters(2)
    for (name, now), gradient in zip(model.trained.named_parameters(), gradients, strict=True):
        assert gradient.any() or not name.startswith('adapters.')
        torch.testing.assert_close(now.detach(), before[name] - 0.1 * gradient)


@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_distillation_losses_fall_on_one_batch(distillation_options, wide_teacher, batch, train, ema_decay):
    distillation_options['train']['ema_decay'] = ema_decay
    for key in ('feature_opt', 'soft_opt'):
        del distillation_options['train'][key]['schedule']
    logs = train(build_model(distillation_options), batch, range(1, 31))
    for name in ('l_pix', 'l_feat', 'l_soft'):
        assert logs[-1][name] < 0.9 * logs[0][name]


# schedule

@pytest.mark.filterwarnings('ignore:Detected call of `lr_scheduler')
def test_teacher_runs_once_a_step_and_not_after_its_schedules(distillation_options, batch, train):
    model = build_model(distillation_options)
    seen = _watch_teacher(model)
    counts = {iteration: (len(train(model, batch, [iteration])[0]), len(seen)) for iteration in range(8, 14)}
    # at 10 the linear factor is 0 and the constant one still 1
    assert counts == {8: (3, 1), 9: (3, 2), 10: (2, 3), 11: (1, 3), 12: (1, 3), 13: (1, 3)}


def test_teacher_does_not_run_before_its_schedules(distillation_options, batch, train):
    for key in ('feature_opt', 'soft_opt'):
        distillation_options['train'][key]['schedule'] = {'type': 'constant', 'start_iter': 3, 'end_iter': 4}
    model = build_model(distillation_options)
    seen = _watch_teacher(model)
    logs = train(model, batch, range(1, 6))
    assert [sorted(log) for log in logs] == [['l_pix']] * 2 + [['l_feat', 'l_pix', 'l_soft']] * 2 + [['l_pix']]
    assert len(seen) == 2


@pytest.mark.parametrize(('left_out', 'names'), [
    (['feature_opt'], ['l_pix', 'l_soft']), (['soft_opt'], ['l_feat', 'l_pix']),
    (['feature_opt', 'soft_opt'], ['l_pix']),
])
def test_a_loss_that_is_left_out_is_not_there(distillation_options, batch, train, left_out, names):
    for key in left_out:
        del distillation_options['train'][key]
    model = build_model(distillation_options)
    seen = _watch_teacher(model)
    assert sorted(train(model, batch, [1])[0]) == names
    assert len(seen) == (0 if len(left_out) == 2 else 1)


def test_a_wrong_schedule_is_refused(distillation_options, usage_error):
    distillation_options['train']['soft_opt']['schedule'] = {'type': 'linear'}
    with usage_error('train.soft_opt.schedule', 'end_iter'):
        build_model(distillation_options)


# the teacher is frozen

def test_teacher_is_frozen_in_eval_mode_and_outside_the_optimizers(distillation_options, wide_teacher, batch, train,
                                                                   val_loader_without_maps):
    model = build_model(distillation_options)
    seen = _watch_teacher(model)
    before = deepcopy(model.net_t.state_dict())
    train(model, batch, [1, 2])
    model.validation(val_loader_without_maps, 2, None)
    train(model, batch, [3])
    assert not any(module.training for module in model.net_t.modules())
    assert not any(p.requires_grad or p.grad is not None for p in model.net_t.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.net_t.state_dict().items())
    assert len(seen) == 3
    assert not any(output.requires_grad for output in seen)
    trained = {id(p) for optimizer in model.optimizers for group in optimizer.param_groups for p in group['params']}
    assert trained == {id(p) for p in model.trained.parameters()}
    assert trained.isdisjoint(id(p) for p in model.net_t.parameters())


def test_building_the_model_changes_no_statistics_of_the_student(distillation_options, monkeypatch):
    class Normed(ARCH_REGISTRY.get('PKDNStudent')):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            self.head = nn.Sequential(self.head, nn.BatchNorm2d(4))

    monkeypatch.setitem(ARCH_REGISTRY._obj_map, 'Normed', Normed)
    distillation_options['network_g']['type'] = 'Normed'
    model = build_model(distillation_options)
    assert model.net_g.head[1].num_batches_tracked == 0
    assert all(module.training for module in model.net_g.modules())


# levels

def test_an_unknown_level_is_refused_and_the_known_ones_listed(distillation_options, usage_error):
    distillation_options['train']['feature_opt']['levels'] = ['enc1', 'enc7']
    with usage_error("the student has no feature 'enc7'", 'enc1, enc2, neck, dec2, dec1'):
        build_model(distillation_options)


def test_levels_of_unequal_size_are_refused(distillation_options, usage_error):
    distillation_options['train']['feature_opt']['levels'] = {'neck': 'dec1'}
    with usage_error("'neck' of the student is (4, 4)", "'dec1' of the teacher (16, 16)"):
        build_model(distillation_options)


@pytest.mark.parametrize('gt_size', [{}, {'gt_size': None}, {'gt_size': 64}])
def test_features_are_matched_without_gt_size_too(distillation_options, gt_size):
    del distillation_options['datasets']['train']['gt_size']
    distillation_options['datasets']['train'].update(gt_size)
    assert list(build_model(distillation_options).levels) == ALL_LEVELS


# adapters

def test_equal_widths_need_no_adapters(distillation_options):
    model = build_model(distillation_options)
    assert len(model.trained.adapters) == 0
    model.save(0, 1)
    assert sorted(os.listdir(distillation_options['path']['training_states'])) == ['1.json', '1.state']


@pytest.mark.parametrize('loss', ['AttentionTransferLoss', 'AffinityLoss'])
def test_losses_that_compare_positions_need_no_adapters(distillation_options, wide_teacher, batch, train, loss):
    distillation_options['train']['feature_opt']['type'] = loss
    model = build_model(distillation_options)
    assert len(model.trained.adapters) == 0
    assert train(model, batch, [1])[0]['l_feat'] > 0


@pytest.mark.parametrize('loss', ['FeatureL1Loss', 'FeatureL2Loss', 'L1Loss'])
def test_unequal_widths_get_adapters_that_are_trained(distillation_options, wide_teacher, batch, train, loss):
    distillation_options['train']['feature_opt'].update(type=loss, levels=['enc2', 'neck'])
    model = build_model(distillation_options)
    assert list(model.trained.adapters) == ['enc2', 'neck']
    before = deepcopy(model.trained.adapters.state_dict())
    train(model, batch, [1])
    assert all(not torch.equal(value, before[name]) for name, value in model.trained.adapters.state_dict().items())


def test_adapters_learn_at_the_students_rate(distillation_options, wide_teacher, batch, train):
    distillation_options['train']['scheduler'] = {'type': 'MultiStepLR', 'milestones': [2], 'gamma': 0.1}
    model = build_model(distillation_options)
    train(model, batch, [1, 2, 3])
    assert model.get_current_learning_rate() == pytest.approx([0.001, 0.001])


@pytest.mark.filterwarnings('ignore:Detected call of `lr_scheduler')
def test_adapters_cost_no_loss_after_the_schedule(distillation_options, wide_teacher, batch, train):
    model = build_model(distillation_options)
    log = train(model, batch, [11])[0]
    assert log['l_feat'] == 0
    assert 'l_soft' not in log
    assert not any(p.grad.any() for p in model.trained.adapters.parameters())


@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_the_checkpoint_holds_the_student_alone(distillation_options, wide_teacher, student_options, batch, train,
                                                ema_decay):
    distillation_options['train']['ema_decay'] = ema_decay
    model = build_model(distillation_options)
    train(model, batch, [1])
    model.save(0, 1)
    model.save(-1, -1)
    names = list(build_network(student_options).state_dict())
    folder = Path(distillation_options['path']['models'])
    assert sorted(path.name for path in folder.iterdir()) == ['net_g_1.pth', 'net_g_latest.pth']
    for path in folder.iterdir():
        saved = torch.load(path, weights_only=True)
        assert set(saved) == ({'params', 'params_ema'} if ema_decay else {'params'})
        assert all(list(weights) == names for weights in saved.values())
    state = torch.load(f"{distillation_options['path']['training_states']}/1.state", weights_only=True)
    assert state['extra']['adapters']


def _resume_from(opt, iteration):
    models, states = opt['path']['models'], opt['path']['training_states']
    opt['path']['pretrain_network_g'] = f'{models}/net_g_{iteration}.pth'
    torch.manual_seed(99)
    model = build_model(opt)
    model.resume_training(torch.load(f'{states}/{iteration}.state', weights_only=True))
    return model


@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(distillation_options, wide_teacher, batch, train, ema_decay):
    distillation_options['train']['ema_decay'] = ema_decay
    through = build_model(distillation_options)
    train(through, batch, [1, 2, 3])
    through.save(0, 3)
    resumed = _resume_from(distillation_options, 3)
    assert train(through, batch, [4, 5]) == train(resumed, batch, [4, 5])
    nets = [(through.trained, resumed.trained)]
    if ema_decay:
        nets.append((through.net_g_ema, resumed.net_g_ema))
    for expected, found in nets:
        assert all(torch.equal(value, found.state_dict()[name]) for name, value in expected.state_dict().items())


def test_resuming_with_a_loss_without_adapters_is_refused(distillation_options, wide_teacher, batch, train,
                                                          usage_error):
    model = build_model(copy.deepcopy(distillation_options))
    train(model, batch, [1])
    model.save(0, 1)
    distillation_options['train']['feature_opt'] = {'type': 'AffinityLoss'}
    with usage_error('iteration 1', 'does not fit', 'losses', 'option file'):
        _resume_from(distillation_options, 1)


def test_resuming_without_the_adapters_is_refused(distillation_options, wide_teacher, usage_error):
    model = build_model(distillation_options)
    model.save(0, 3)
    path = os.path.join(distillation_options['path']['training_states'], '3.state')
    state = torch.load(path, weights_only=True)
    del state['extra']['adapters']
    torch.save(state, path)
    with usage_error('adapters', 'feature_opt'):
        _resume_from(distillation_options, 3)


# the student begins as the teacher

@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_the_student_and_its_average_begin_as_the_teacher(distillation_options, ema_decay):
    distillation_options['train'].update(begin_as_teacher=True, ema_decay=ema_decay)
    model = build_model(distillation_options)
    expected = build_network(distillation_options['network_g'])
    expected.begin_as(model.net_t)
    for net in [model.net_g] + ([model.net_g_ema] if ema_decay else []):
        assert all(torch.equal(value, net.state_dict()[name]) for name, value in expected.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.net_g.parameters())


def test_a_resumed_run_does_not_begin_again(distillation_options, batch, train):
    distillation_options['train']['begin_as_teacher'] = True
    through = build_model(distillation_options)
    train(through, batch, [1, 2, 3])
    through.save(0, 3)
    distillation_options['path']['resume_state'] = f"{distillation_options['path']['training_states']}/3.state"
    resumed = _resume_from(distillation_options, 3)
    assert train(through, batch, [4, 5]) == train(resumed, batch, [4, 5])


@pytest.mark.parametrize(('change', 'words'), [
    ({'network_g': {'type': 'KDFSRNetStudent', **KDFSRNET}}, ['begin_as_teacher', 'KDFSRNetStudent', 'begin_as']),
    ({'network_g': {'num_feat': 8}}, ['begin_as_teacher', 'num_feat']),
    ({'path': {'pretrain_network_g': 'student.pth'}}, ['begin_as_teacher', 'pretrain_network_g', 'one of them']),
], ids=str)
def test_a_student_that_cannot_begin_as_the_teacher_is_refused(distillation_options, tmp_path, change, words,
                                                               usage_error):
    student = build_network(distillation_options['network_g'])
    torch.save({'params': student.state_dict()}, tmp_path / 'student.pth')
    distillation_options['train']['begin_as_teacher'] = True
    for key, more in change.items():
        if 'type' in more:
            distillation_options[key] = {}
        distillation_options[key].update(more)
    if 'path' in change:
        distillation_options['path']['pretrain_network_g'] = str(tmp_path / 'student.pth')
    with usage_error(*words):
        build_model(distillation_options)


# options that do not fit

@pytest.mark.parametrize('key', ['feature_opt', 'soft_opt'])
def test_a_loss_of_two_values_is_refused_before_a_run(distillation_options, key, usage_error):
    distillation_options['train'][key] = {'type': 'PerceptualLoss', 'layer_weights': {'conv5_4': 1}}
    with usage_error(f'train.{key}: expected a loss of one value', 'train.perceptual_opt'):
        DistillationModel.check(distillation_options)


@pytest.mark.parametrize('path', [None, 'missing/net_g_latest.pth'])
def test_a_missing_teacher_is_refused_and_how_to_train_one_is_told(distillation_options, usage_error, path):
    distillation_options['path']['pretrain_network_t'] = path
    found = os.path.abspath(path) if path else 'is not set'
    with usage_error('path.pretrain_network_t', found, 'basicsr train -opt', 'options/pkdn_teacher.yml'):
        build_model(distillation_options)


def test_distillation_without_network_t_is_refused(distillation_options, usage_error):
    del distillation_options['network_t']
    with usage_error('network_t', 'pretrain_network_t'):
        build_model(distillation_options)


@pytest.mark.parametrize(('changes', 'reason'), [
    ({'type': 'KDFSRNetTeacher', 'num_classes': 11, **KDFSRNET}, 'the weights of a PKDNTeacher'),
    ({'num_feat': 8}, 'size mismatch'),
    ({'scale': 8}, 'trained for scale 4'),
])
def test_weights_of_another_teacher_are_refused_in_one_line(distillation_options, teacher_options, usage_error,
                                                            changes, reason):
    network = changes if 'type' in changes else {**teacher_options, **changes}
    distillation_options['network_t'] = network
    with usage_error(distillation_options['path']['pretrain_network_t'], network['type'], reason):
        build_model(distillation_options)


@pytest.mark.parametrize('content', ['', 'no weights', {'weights': {}}])
def test_a_file_without_weights_is_refused_in_one_line(distillation_options, usage_error, content):
    path = Path(distillation_options['path']['pretrain_network_t'])
    if isinstance(content, str):
        path.write_text(content)
    else:
        torch.save(content, path)
    with usage_error(path, 'PKDNTeacher'):
        build_model(distillation_options)


@pytest.mark.parametrize('key', ['network_g', 'network_t'])
def test_a_network_without_features_is_refused(distillation_options, set_teacher, usage_error, key):
    network = {'type': 'MSRResNet', 'num_feat': 4, 'num_block': 1}
    if key == 'network_t':
        set_teacher(distillation_options, network)
    else:
        distillation_options['network_g'] = network
    with usage_error(f'{key}: MSRResNet', 'forward_features'):
        build_model(distillation_options)


def test_a_batch_without_map_is_refused(distillation_options, batch, train, usage_error):
    del distillation_options['datasets']['train']['type']
    model = build_model(distillation_options)
    del batch['parsing']
    with usage_error('PKDNTeacher', 'dataroot_parsing'):
        train(model, batch, [1])


def test_a_training_set_without_maps_is_refused_when_the_model_is_built(distillation_options, usage_error):
    del distillation_options['datasets']['train']['dataroot_parsing']
    with usage_error('PKDNTeacher', 'datasets.train.dataroot_parsing'):
        build_model(distillation_options)


def test_a_scheme_of_other_classes_is_refused(distillation_options, usage_error):
    distillation_options['datasets']['train']['parsing_scheme'] = 'celebamask_hq'
    with usage_error('num_classes 11', 'celebamask_hq with 19'):
        build_model(distillation_options)


def test_validation_sets_need_no_maps(distillation_options):
    distillation_options['datasets']['val'] = {'type': 'ParsingMapDataset'}
    build_model(distillation_options)


# other pairs of networks

def test_a_teacher_that_takes_no_map_needs_none(distillation_options, student_options, set_teacher, batch, train):
    set_teacher(distillation_options, {**student_options, 'num_feat': 8})
    distillation_options['datasets']['train'] = {'type': 'ParsingMapDataset', 'gt_size': 16}
    del batch['parsing']
    assert sorted(train(build_model(distillation_options), batch, [1])[0]) == ['l_feat', 'l_pix', 'l_soft']


def test_teachers_averaged_weights_are_taken_on_demand(distillation_options):
    path = distillation_options['path']['pretrain_network_t']
    weights = torch.load(path, weights_only=True)['params']
    average = {name: value + 1 if value.is_floating_point() else value for name, value in weights.items()}
    torch.save({'params': weights, 'params_ema': average}, path)
    assert torch.equal(build_model(distillation_options).net_t.tail.weight, weights['tail.weight'])
    distillation_options['path']['param_key_t'] = 'params_ema'
    assert torch.equal(build_model(distillation_options).net_t.tail.weight, average['tail.weight'])


@pytest.mark.parametrize('teacher_width', [4, 6])
def test_kdfsrnet_distils_as_published(distillation_options, set_teacher, batch, train, teacher_width):
    distillation_options['network_g'] = {'type': 'KDFSRNetStudent', **KDFSRNET}
    set_teacher(distillation_options,
                {'type': 'KDFSRNetTeacher', 'num_classes': 11, **KDFSRNET, 'num_feat': teacher_width})
    model = build_model(distillation_options)
    assert len(model.levels) == 9
    assert len(model.trained.adapters) == (0 if teacher_width == 4 else 9)
    assert sorted(train(model, batch, [1])[0]) == ['l_feat', 'l_pix', 'l_soft']


# validation, and the student in the host's own models

@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_validation_rates_the_student_and_a_plain_sr_model_agrees(distillation_options, wide_teacher, batch, train,
                                                                  val_loader_without_maps, ema_decay):
    distillation_options['train']['ema_decay'] = ema_decay
    model = build_model(distillation_options)
    train(model, batch, [1, 2])
    model.validation(val_loader_without_maps, 2, None)
    assert all(module.training for module in model.net_g.modules())
    model.save(-1, -1)

    test_opt = {key: value for key, value in distillation_options.items() if key not in ('network_t', 'train')}
    test_opt.update(model_type='SRModel', is_train=False)
    test_opt['path'] = {'pretrain_network_g': f'{distillation_options["path"]["models"]}/net_g_latest.pth',
                        'param_key_g': 'params_ema' if ema_decay else 'params'}
    tester = build_model(test_opt)
    tester.validation(val_loader_without_maps, 'test', None)
    assert model.metric_results['psnr'] == pytest.approx(tester.metric_results['psnr'], abs=1e-6)


def test_testing_needs_no_teacher(distillation_options, val_loader_without_maps):
    build_model(distillation_options).save(-1, -1)
    test_opt = {key: value for key, value in distillation_options.items() if key not in ('network_t', 'train')}
    test_opt['path'] = {**distillation_options['path'],
                        'pretrain_network_g': f'{distillation_options["path"]["models"]}/net_g_latest.pth'}
    model = build_model({**test_opt, 'is_train': False})
    model.validation(val_loader_without_maps, 'test', None)
    assert model.metric_results['psnr'] > 0


def test_student_trains_in_the_hosts_sr_model(options, batch, train, val_loader):
    model = build_model(options)
    logs = train(model, batch, range(1, 31))
    assert logs[-1]['l_pix'] < 0.9 * logs[0]['l_pix']
    model.validation(val_loader, 30, None)


@pytest.mark.parametrize('network', [{'num_feat': 4, 'type': 'PKDNStudent'}, {'num_feat': 4, 'type': 'SPARNet'},
                                     {'num_feat': 4, 'type': 'KDFSRNetStudent', 'num_blocks': 1}])
def test_our_networks_train_in_the_hosts_srgan_model(options, network):
    options.update(model_type='SRGANModel', scale=8, network_g=network,
                   network_d={'type': 'VGGStyleDiscriminator', 'num_in_ch': 3, 'num_feat': 8, 'input_size': 128})
    options['train'].update(
        optim_d={'type': 'Adam', 'lr': 0.001},
        gan_opt={'type': 'GANLoss', 'gan_type': 'vanilla', 'real_label_val': 1.0, 'fake_label_val': 0.0,
                 'loss_weight': 0.1},
    )
    model = build_model(options)
    before = [p.detach().clone() for p in model.net_g.parameters()]
    model.feed_data({'lq': torch.rand(2, 3, 16, 16), 'gt': torch.rand(2, 3, 128, 128)})
    model.optimize_parameters(1)
    assert {'l_g_pix', 'l_g_gan', 'l_d_real', 'l_d_fake'} <= set(model.get_current_log())
    assert any(not torch.equal(now, old) for now, old in zip(model.net_g.parameters(), before, strict=True))


# two processes

def _alone(case):
    """What one process with the whole batch does."""
    torch.manual_seed(0)  # the first rank's
    model = build_model(case['opt'])
    net = getattr(model, 'trained', model.net_g)
    record = {'gradients': [], 'logs': []}
    for iteration in case['iterations']:
        model.update_learning_rate(iteration)
        model.feed_data(case['batch'])
        model.optimize_parameters(iteration)
        record['gradients'].append({name: p.grad.clone() for name, p in net.named_parameters()})
        record['logs'].append(model.get_current_log())
    record['weights'] = net.state_dict()
    return record


def test_two_processes_with_half_the_batch_each_train_as_one_with_the_whole(
        distillation_options, teacher_options, set_teacher, batch, run_two_processes, tmp_path):
    data = {key: batch[key] for key in ('lq', 'gt', 'parsing')}
    val = [{'lq': batch['lq'][0], 'gt': batch['gt'][0], 'parsing': batch['parsing'][0], 'lq_path': '0.png'}]
    distillation_options['train'].update(optim_g={'type': 'SGD', 'lr': 0.05})
    set_teacher(distillation_options, {**teacher_options, 'num_feat': 8})
    cases = {}
    for name in ('adapters', 'affinity', 'teacher'):
        opt = deepcopy(distillation_options)
        if name == 'affinity':
            opt['train']['feature_opt']['type'] = 'AffinityLoss'
            opt['train']['ema_decay'] = 0.9
        if name == 'teacher':
            opt.update(model_type='PKDNTeacherModel', network_g=teacher_options)
        for key in ('models', 'training_states', 'visualization'):
            opt['path'][key] = str(tmp_path / name / key)
            os.makedirs(opt['path'][key])
        # both losses, the teacher's result alone, and, past the schedules, neither
        cases[name] = {'opt': opt, 'batch': data, 'val': val, 'iterations': [1, 2, 10, 11, 12]}
    ranks = run_two_processes('distributed_worker.py', cases)

    for name, case in cases.items():
        expected = _alone(case)
        first, second = (rank[name] for rank in ranks)
        for found in (first, second):
            for step, gradients in enumerate(expected['gradients']):
                torch.testing.assert_close(found['gradients'][step], gradients, atol=1e-6, rtol=1e-4)
            torch.testing.assert_close(found['weights'], expected['weights'], atol=1e-6, rtol=1e-5)
            assert found['teacher'] == ('NoneType' if name == 'teacher' else 'PKDNTeacher')  # not wrapped
        assert first['logs'] == [pytest.approx(log, rel=1e-4) for log in expected['logs']]
        student = build_network(case['opt']['network_g'])
        student.load_state_dict(torch.load(tmp_path / name / 'models' / 'net_g_12.pth', weights_only=True)['params'])
    kept = {name: torch.load(tmp_path / name / 'training_states' / '12.state', weights_only=True)['extra']
            for name in ('adapters', 'affinity')}
    assert kept['adapters']['adapters']
    assert kept['affinity'] == {}
