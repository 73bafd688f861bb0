import pytest
import torch
from basicsr.archs import build_network
from basicsr.models import build_model
from basicsr.utils.registry import MODEL_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.models.pkdn_teacher_model import PKDNTeacherModel


@pytest.fixture
def teacher_run(options, teacher_options):
    options.update(model_type='PKDNTeacherModel', network_g=teacher_options)
    return options


def _one_hot(parsing):
    return F.one_hot(parsing.long().where(parsing != 255, 11), 12)[..., :11].permute(0, 3, 1, 2).float()


def test_model_is_registered_in_basicsr():
    assert MODEL_REGISTRY.get('PKDNTeacherModel') is PKDNTeacherModel


@pytest.mark.parametrize('network', [None, {'type': 'KDFSRNetTeacher', 'num_classes': 11, 'scale': 4, 'num_feat': 4,
                                            'num_blocks': 1}])
def test_loss_falls_on_one_batch(teacher_run, batch, train, network):
    if network:
        teacher_run['network_g'] = network
    logs = train(build_model(teacher_run), batch, range(1, 31))
    assert [list(log) for log in logs] == [['l_pix']] * 30
    assert logs[-1]['l_pix'] < 0.9 * logs[0]['l_pix']


def test_first_loss_is_l1_of_the_networks_result_with_the_true_map(teacher_run, batch, train):
    model = build_model(teacher_run)
    expected = (model.net_g(batch['lq'], _one_hot(batch['parsing'])) - batch['gt']).abs().mean().item()
    assert train(model, batch, [1])[0] == {'l_pix': pytest.approx(expected)}


def test_validation_uses_the_averaged_weights(teacher_run, batch, train):
    teacher_run['train']['ema_decay'] = 0.9
    model = build_model(teacher_run)
    train(model, batch, range(1, 6))
    model.feed_data(batch)
    model.test()
    prior = _one_hot(batch['parsing'])
    torch.testing.assert_close(model.output, model.net_g_ema(batch['lq'], prior))
    assert not torch.allclose(model.output, model.net_g(batch['lq'], prior), atol=1e-4)


def test_validation_without_average_uses_the_trained_weights(teacher_run, batch, train):
    model = build_model(teacher_run)
    train(model, batch, range(1, 6))
    model.feed_data(batch)
    model.test()
    expected = model.net_g(batch['lq'], _one_hot(batch['parsing'])).detach()
    torch.testing.assert_close(model.output, expected)
    assert not model.output.requires_grad


@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_the_hosts_validation_runs_and_training_goes_on(teacher_run, batch, train, val_loader, ema_decay):
    teacher_run['train']['ema_decay'] = ema_decay
    model = build_model(teacher_run)
    train(model, batch, [1])
    model.validation(val_loader, 1, None)
    assert 0 < model.metric_results['psnr'] < 50
    assert model.net_g.training
    if ema_decay:
        assert not model.net_g_ema.training
    train(model, batch, [2])


def test_network_is_evaluated_in_eval_mode(teacher_run, batch):
    model, modes = build_model(teacher_run), []
    model.net_g.tail.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    model.feed_data(batch)
    model.test()
    assert modes == [False]


def test_checkpoint_loads_for_testing_and_gives_the_same_psnr(teacher_run, batch, train, val_loader):
    model = build_model(teacher_run)
    train(model, batch, [1, 2])
    model.validation(val_loader, 2, None)
    model.save(-1, -1)
    saved = torch.load(f'{teacher_run["path"]["models"]}/net_g_latest.pth', weights_only=True)
    build_network(teacher_run['network_g']).load_state_dict(saved['params'])
    teacher_run['path']['pretrain_network_g'] = f'{teacher_run["path"]["models"]}/net_g_latest.pth'
    test_opt = {key: value for key, value in teacher_run.items() if key != 'train'}
    tester = build_model({**test_opt, 'is_train': False})
    tester.validation(val_loader, 'test', None)
    assert tester.metric_results == model.metric_results


def test_a_batch_without_map_is_refused(teacher_run, batch, usage_error):
    model = build_model(teacher_run)
    del batch['parsing']
    with usage_error('PKDNTeacher', 'dataroot_parsing'):
        model.feed_data(batch)


def test_a_set_without_maps_is_refused_when_the_model_is_built(teacher_run, usage_error):
    teacher_run['datasets']['val'] = {'type': 'ParsingMapDataset'}
    with usage_error('PKDNTeacher', 'datasets.val.dataroot_parsing'):
        build_model(teacher_run)


def test_a_scheme_of_other_classes_is_refused_when_the_model_is_built(teacher_run, usage_error):
    teacher_run['datasets']['train']['parsing_scheme'] = 'celebamask_hq'
    with usage_error('num_classes 11', 'datasets.train', 'celebamask_hq with 19'):
        build_model(teacher_run)
