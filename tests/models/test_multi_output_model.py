from copy import deepcopy
from pathlib import Path

import many_outputs
import numpy as np
import pytest
import tiny
import torch
from basicsr.archs import build_network
from basicsr.models import build_model
from basicsr.utils.registry import MODEL_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines import fsrnet_arch  # noqa: F401
from pkdn_basicsr.archs.baselines.kdfsrnet_arch import voc_palette
from pkdn_basicsr.data.parsing_labels import convert_parsing
from pkdn_basicsr.models import multi_output_model
from pkdn_basicsr.models.multi_output_model import MultiOutputModel

FSRNET = {'type': 'FSRNet', 'scale': 4, 'num_feat': 4, 'num_blocks': 1, 'num_hourglasses': 1}


@pytest.fixture
def run(options):
    """New options of a run with `ManyOutputs` and a loss on two of its three outputs."""
    options.update(model_type='MultiOutputModel', network_g={'type': 'ManyOutputs', 'scale': 4})
    options['train']['output_losses'] = {'sr': {'type': 'L1Loss'},
                                         'prior': {'type': 'MSELoss', 'loss_weight': 0.1, 'target': 'parsing'}}
    del options['train']['pixel_opt']
    return options


def _losses(run, batch):
    """A model on a batch: its losses as numbers, and the outputs that they are about."""
    model = build_model(run)
    net = deepcopy(model.net_g)
    model.feed_data(batch)
    losses = {name: loss.item() for name, loss in model.compute_losses(1).items()}
    return losses, net.forward_outputs(batch['lq'])


def _one_hot(parsing):
    return F.one_hot(parsing.long().where(parsing != 255, 11), 12)[..., :11].permute(0, 3, 1, 2).float()


def test_model_is_registered_in_basicsr():
    assert MODEL_REGISTRY.get('MultiOutputModel') is MultiOutputModel


# losses

def test_losses_are_those_computed_by_hand(run, batch):
    losses, outputs = _losses(run, batch)
    shares = F.avg_pool2d(_one_hot(batch['parsing']), 2)
    assert losses == pytest.approx({'l_sr': (outputs['sr'] - batch['gt']).abs().mean().item(),
                                    'l_prior': 0.1 * (outputs['prior'] - shares).square().mean().item()})


def test_fsrnet_trains_with_its_published_loss_on_maps_of_another_scheme(run, batch):
    run['network_g'] = FSRNET
    mse = {'type': 'MSELoss', 'loss_weight': 4.0}
    run['train']['output_losses'] = {
        'coarse': mse, 'sr': mse, 'prior': {'type': 'MSELoss', 'target': 'parsing', 'parsing_scheme': 'fsrnet'}}
    losses, outputs = _losses(run, batch)
    converted = torch.from_numpy(convert_parsing(batch['parsing'].numpy(), 'helen', 'fsrnet'))
    shares = F.avg_pool2d(_one_hot(converted), 2)

    def in_signed_range(name):
        return ((2 * outputs[name] - 1) - (2 * batch['gt'] - 1)).square().mean().item()

    assert losses == pytest.approx({'l_coarse': in_signed_range('coarse'), 'l_sr': in_signed_range('sr'),
                                    'l_prior': (outputs['prior'] - shares).square().mean().item()}, rel=1e-4)


def test_an_output_may_have_several_losses(run, batch):
    run['train']['output_losses'] = {'sr': [{'type': 'L1Loss'}, {'type': 'MSELoss', 'loss_weight': 3}]}
    losses, outputs = _losses(run, batch)
    distance = outputs['sr'] - batch['gt']
    assert losses == pytest.approx({'l_sr_L1Loss': distance.abs().mean().item(),
                                    'l_sr_MSELoss': 3 * distance.square().mean().item()})


def test_a_network_may_paint_the_map_and_make_no_face_at_all(run, batch, train):
    run['train']['output_losses'] = {'picture': {'type': 'L1Loss', 'target': 'colours'}}
    losses, outputs = _losses(run, batch)
    painted = torch.einsum('ck,bkhw->bchw', voc_palette(11), _one_hot(batch['parsing']))
    expected = (outputs['picture'] - F.avg_pool2d(painted, 4)).abs().mean().item()
    assert losses == pytest.approx({'l_picture': expected})
    logs = train(build_model(run), {key: batch[key] for key in ('lq', 'parsing')}, range(1, 31))
    assert logs[-1]['l_picture'] < 0.9 * logs[0]['l_picture']


def test_heatmaps_of_components(run, batch):
    run['network_g']['num_prior'] = 5
    run['train']['output_losses'] = {'prior': {'type': 'MSELoss', 'target': 'components'}}
    losses, outputs = _losses(run, batch)
    parsing = batch['parsing'].numpy()
    parts = [[4], [5], [6], [7, 8, 9], [1]]  # of Helen
    maps = torch.from_numpy(np.stack([np.isin(parsing, part) for part in parts], axis=1)).float()
    expected = (outputs['prior'] - F.avg_pool2d(maps, 2)).square().mean().item()
    assert losses == pytest.approx({'l_prior': expected})


def test_losses_on_the_result_may_be_given_as_elsewhere(run, batch):
    run['train'].update(pixel_opt={'type': 'L1Loss', 'loss_weight': 2.0},
                        output_losses={'picture': {'type': 'L1Loss', 'target': 'colours'}})
    losses, outputs = _losses(run, batch)
    assert list(losses) == ['l_pix', 'l_picture']
    assert losses['l_pix'] == pytest.approx(2 * (outputs['sr'] - batch['gt']).abs().mean().item())


def test_all_losses_are_trained(run, batch, train):
    logs = train(build_model(run), batch, range(1, 61))
    for name in ('l_sr', 'l_prior'):
        assert logs[-1][name] < 0.9 * logs[0][name]


def test_the_map_is_spread_over_classes_once_a_batch_and_only_for_targets(run, batch, train, monkeypatch):
    calls = []
    spread = multi_output_model.parsing_to_one_hot
    monkeypatch.setattr(multi_output_model, 'parsing_to_one_hot', lambda *args: calls.append(1) or spread(*args))
    run['train']['output_losses']['picture'] = {'type': 'L1Loss', 'target': 'colours'}
    train(build_model(deepcopy(run)), batch, [1])
    assert len(calls) == 1
    run['train']['output_losses'] = {'sr': {'type': 'L1Loss'}}
    train(build_model(run), {key: batch[key] for key in ('lq', 'gt')}, [1])
    assert len(calls) == 1


def test_the_options_are_left_without_the_loss_lent_to_the_host(run):
    model = build_model(run)
    assert 'pixel_opt' not in model.opt['train']
    assert model.cri_pix is None


# validation and checkpoints

@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_validation_takes_forward_of_the_averaged_network(run, batch, train, val_loader_without_maps, ema_decay):
    run['train']['ema_decay'] = ema_decay
    model = build_model(run)
    train(model, batch, range(1, 6))
    model.feed_data(batch)
    model.test()
    net = model.net_g_ema if ema_decay else model.net_g
    torch.testing.assert_close(model.output, net(batch['lq']))
    model.validation(val_loader_without_maps, 5, None)
    assert 0 < model.metric_results['psnr'] < 50
    train(model, batch, [6])


@pytest.mark.parametrize('param_key', ['params', 'params_ema'])
def test_checkpoint_is_the_network_alone_and_tests_with_sr_model(run, batch, train, val_loader, param_key):
    run['train']['ema_decay'] = 0.9
    model = build_model(run)
    train(model, batch, [1, 2])
    model.save(-1, -1)
    file = f'{run["path"]["models"]}/net_g_latest.pth'
    saved = torch.load(file, weights_only=True)[param_key]
    assert list(saved) == list(build_network(run['network_g']).state_dict())
    test_opt = {key: value for key, value in run.items() if key != 'train'}
    test_opt['path'].update(pretrain_network_g=file, param_key_g=param_key)
    results = []
    for model_type in ('SRModel', 'MultiOutputModel'):
        tester = build_model({**test_opt, 'model_type': model_type, 'is_train': False})
        tester.validation(val_loader, 'test', None)
        results.append(tester.metric_results['psnr'])
        trained = model.net_g_ema if param_key == 'params_ema' else model.net_g
        tester.feed_data(batch)
        tester.test()
        torch.testing.assert_close(tester.output, trained(batch['lq']))
    assert results[0] == pytest.approx(results[1], abs=1e-6)


def test_basicsr_trains_fsrnet(tmp_path, tiny_faces, basicsr_command):
    opt = tiny.train_options(tiny_faces)
    opt.update(model_type='MultiOutputModel', network_g=dict(FSRNET))
    opt['datasets']['train']['dataroot_parsing'] = str(tiny_faces / 'parsing')
    del opt['train']['pixel_opt']
    opt['train']['output_losses'] = {
        'coarse': {'type': 'MSELoss'}, 'sr': {'type': 'MSELoss'},
        'prior': {'type': 'MSELoss', 'target': 'parsing', 'parsing_scheme': 'fsrnet'}}
    status, _, log = basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'fsrnet.yml'))
    assert status == 0
    for words in ('l_coarse: ', 'l_sr: ', 'l_prior: ', 'Validation tiny-val', '# psnr: '):
        assert words in log
    models = tmp_path / 'experiments' / 'tiny' / 'models'
    first, second = (torch.load(models / f'net_g_{i}.pth', weights_only=True)['params'] for i in (1, 2))
    assert not torch.equal(first['prior_head.weight'], second['prior_head.weight'])

    assert basicsr_command(tmp_path, 'train', '-opt', 'fsrnet.yml', '--auto_resume', '--force_yml',
                           'train:total_iter=3')[0] == 0
    assert (models / 'net_g_3.pth').is_file()


# errors

def test_a_network_of_one_output_is_refused(run, student_options, usage_error):
    run['network_g'] = student_options
    with usage_error('network_g', 'PKDNStudent has no forward_outputs', 'model_type: FaceSRModel'):
        MultiOutputModel.check(run)


def test_missing_losses_are_refused(run, usage_error):
    del run['train']['output_losses']
    with usage_error('train.output_losses'):
        MultiOutputModel.check(run)


def test_a_target_without_maps_is_refused(run, usage_error):
    del run['datasets']['train']['dataroot_parsing']
    with usage_error('train.output_losses.prior', "'parsing'", 'datasets.train.dataroot_parsing'):
        MultiOutputModel.check(run)
    del run['train']['output_losses']['prior']
    MultiOutputModel.check(run)  # the image is enough


def test_in_testing_there_is_nothing_to_check(run):
    run.update(is_train=False, network_g={'type': 'Bicubic'})
    del run['train'], run['datasets']
    MultiOutputModel.check(run)


def test_validation_is_checked_as_in_other_models(run, usage_error):
    run['val']['save_best'] = 'ssim'
    with usage_error('val.save_best', "'ssim'"):
        MultiOutputModel.check(run)


def test_check_runs_when_the_model_is_built_too(run, usage_error):
    run['train']['output_losses']['sr']['target'] = 'image'
    with usage_error('train.output_losses.sr.target', "'image'"):
        build_model(run)


def test_another_data_set_that_returns_no_maps_is_refused(run, batch, usage_error):
    run['datasets']['train'] = {'type': 'MyFaces', 'parsing_scheme': 'helen'}
    model = build_model(run)
    del batch['parsing']
    model.feed_data(batch)
    with usage_error('train.output_losses', 'dataroot_parsing'):
        model.compute_losses(1)


def test_an_output_that_the_network_does_not_have_is_refused(run, batch, usage_error):
    run['train']['output_losses']['coarse'] = {'type': 'L1Loss'}
    model = build_model(run)
    model.feed_data(batch)
    with usage_error("the output 'coarse', which ManyOutputs does not have", 'sr, prior, picture'):
        model.compute_losses(1)


def test_a_loss_on_the_face_of_a_network_that_makes_none_is_refused(run, batch, usage_error):
    run['train']['pixel_opt'] = run['train']['output_losses'].pop('sr')
    model = build_model(run)
    model.trained.net.forward_outputs = lambda lq: {'prior': lq}
    model.feed_data(batch)
    with usage_error("the output 'sr', which ManyOutputs does not have; it has prior"):
        model.compute_losses(1)


@pytest.mark.parametrize(('loss', 'words'), [
    ({'picture': {'type': 'L1Loss'}}, ['train.output_losses.picture', '(4, 3, 4, 4)', "'gt' (4, 3, 16, 16)"]),
    ({'prior': {'type': 'L1Loss', 'target': 'parsing', 'parsing_scheme': 'celebamask_hq'}},
     ['train.output_losses.prior', '(4, 11, 8, 8)', "'parsing' (4, 19, 8, 8)"]),
    ({'prior': {'type': 'L1Loss', 'target': 'components'}}, ['(4, 11, 8, 8)', "'components' (4, 5, 8, 8)"]),
])
def test_a_target_of_another_shape_is_refused(run, batch, loss, words, usage_error):
    run['train']['output_losses'] = loss
    model = build_model(run)
    model.feed_data(batch)
    with usage_error(*words):
        model.compute_losses(1)


# several processes

def test_two_processes_with_half_the_batch_each_train_as_one_with_the_whole(run, batch, run_two_processes):
    run['train']['optim_g'] = {'type': 'SGD', 'lr': 0.05}
    run['train']['output_losses']['picture'] = {'type': 'L1Loss', 'target': 'colours'}
    some = deepcopy(run)
    del some['train']['output_losses']['picture']
    some['find_unused_parameters'] = True
    data = {key: batch[key] for key in ('lq', 'gt', 'parsing')}
    cases = {name: {'opt': opt, 'batch': data} for name, opt in (('all outputs', run), ('some outputs', some))}
    ranks = run_two_processes('multi_output_worker.py', cases)

    for name, case in cases.items():
        torch.manual_seed(0)
        gradients, logs = _train_twice(build_model(case['opt']), data)
        for found in (rank[name] for rank in ranks):
            torch.testing.assert_close(found['gradients'], gradients, atol=1e-6, rtol=1e-4)
        assert ranks[0][name]['logs'] == [pytest.approx(log, rel=1e-4) for log in logs]
    assert list(gradients[0]) == [name for name, _ in many_outputs.ManyOutputs().named_parameters()
                                  if not name.startswith('picture_head')]
    saved = torch.load(Path(run['path']['models']) / 'net_g_2.pth', weights_only=True)['params']
    assert list(saved) == list(many_outputs.ManyOutputs().state_dict())


def _train_twice(model, data):
    gradients, logs = [], []
    for iteration in (1, 2):
        model.update_learning_rate(iteration)
        model.feed_data(data)
        model.optimize_parameters(iteration)
        gradients.append({name: parameter.grad.clone() for name, parameter in model.net_g.named_parameters()
                          if parameter.grad is not None})
        logs.append(model.get_current_log())
    return gradients, logs
