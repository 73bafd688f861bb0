import copy
import math

import pytest
import torch
from basicsr.models import build_model
from basicsr.utils.registry import MODEL_REGISTRY
from torch.utils.data import DataLoader

from pkdn_basicsr.archs.face_parser_arch import FaceParser
from pkdn_basicsr.losses.parsing_loss import ParsingLoss
from pkdn_basicsr.models.face_parser_model import FaceParserModel
from pkdn_basicsr.models.validation_history import read_history

CLASSES = ['background', 'skin', 'l_brow', 'r_brow', 'l_eye', 'r_eye', 'nose', 'u_lip', 'mouth', 'l_lip', 'hair']


class Faces(list):
    opt = {'name': 'tiny-val', 'parsing_scheme': 'helen'}  # noqa: RUF012


class Scalars:
    """TensorBoard's writer."""

    def __init__(self):
        self.seen = {}

    def add_scalar(self, name, value, iteration):
        self.seen[name, iteration] = value


@pytest.fixture
def parser_run(options):
    options.update(model_type='FaceParserModel',
                   network_g={'type': 'FaceParser', 'num_classes': 11, 'num_feat': [8, 8], 'num_blocks': [1, 1]})
    options['train'].update(pixel_opt={'type': 'ParsingLoss', 'dice_weight': 0.5}, total_iter=100)
    del options['val']['metrics']
    return options


@pytest.fixture
def faces(batch):
    """Three faces, of which the second has unknown pixels; class 10 (hair) never occurs."""
    batch['parsing'].clamp_(max=9)
    batch['parsing'][1, :3] = 255
    return Faces({key: values[i] for key, values in batch.items()} for i in range(3))


def set_results(model, faces):
    """Intersection over union of all faces together, from sets of pixels, with the network called by hand."""
    net = getattr(model, 'net_g_ema', model.net_g).eval()
    with torch.no_grad():
        predicted = [net(face['gt'][None])[0].argmax(0).flatten().tolist() for face in faces]
    model.net_g.train()
    truth = [face['parsing'].flatten().tolist() for face in faces]
    pixels = [pair for pairs in zip(truth, predicted, strict=True) for pair in zip(*pairs, strict=True)]
    pixels = [pair for pair in pixels if pair[0] != 255]
    ious = {f'iou_{name}': sum(t == p == k for t, p in pixels) / sum(k in pair for pair in pixels)
            for k, name in enumerate(CLASSES) if any(t == k for t, _ in pixels)}
    return {'miou': sum(ious.values()) / len(ious), **ious}


def test_model_is_registered_in_basicsr():
    assert MODEL_REGISTRY.get('FaceParserModel') is FaceParserModel


def test_loss_falls_on_one_batch_and_lq_is_not_used(parser_run, batch, train):
    del batch['lq']
    logs = train(build_model(parser_run), batch, range(1, 31))
    assert [list(log) for log in logs] == [['l_parsing']] * 30
    assert logs[-1]['l_parsing'] < 0.9 * logs[0]['l_parsing']


def test_first_loss_is_that_of_the_scores_of_the_true_face(parser_run, batch, train):
    model = build_model(parser_run)
    expected = ParsingLoss(dice_weight=0.5)(model.net_g(batch['gt']), batch['parsing']).item()
    assert train(model, batch, [1])[0] == {'l_parsing': pytest.approx(expected)}


@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_validation_counts_over_all_faces_at_once(parser_run, batch, train, faces, ema_decay):
    parser_run['train']['ema_decay'] = ema_decay
    model = build_model(parser_run)
    train(model, batch, range(1, 11))
    model.validation(DataLoader(faces), 10, None)
    assert model.net_g.training
    expected = set_results(model, faces)
    assert model.metric_results == pytest.approx(expected)
    assert expected['miou'] > 0
    assert 'iou_hair' not in expected
    per_face = [set_results(model, [face])['miou'] for face in faces]
    assert model.metric_results['miou'] != pytest.approx(sum(per_face) / 3)
    train(model, batch, [11])


def test_the_best_mean_is_remembered_with_its_iteration(parser_run, train, batch, faces):
    model, loader = build_model(parser_run), DataLoader(faces)
    train(model, batch, range(1, 21))
    model.validation(loader, 20, None)
    best = model.metric_results['miou']
    torch.nn.init.zeros_(model.net_g.tail.weight)
    model.validation(loader, 30, None)
    assert model.metric_results['miou'] < best
    assert model.best_metric_results == {'tiny-val': {'miou': {'better': 'higher', 'val': best, 'iter': 20}}}


def test_a_resumed_run_knows_the_best_mean_before_it(parser_run, train, batch, faces):
    model, loader = build_model(copy.deepcopy(parser_run)), DataLoader(faces)
    train(model, batch, range(1, 21))
    model.validation(loader, 20, None)
    torch.nn.init.zeros_(model.net_g.tail.weight)
    model.validation(loader, 30, None)
    resumed = build_model(parser_run)
    resumed.resume_training({'epoch': 0, 'iter': 30, 'optimizers': [model.optimizer_g.state_dict()],
                             'schedulers': [model.schedulers[0].state_dict()]})
    assert resumed.best_metric_results == model.best_metric_results
    assert resumed.best_metric_results['tiny-val']['miou']['iter'] == 20


def test_the_history_has_every_value(parser_run, faces, tmp_path):
    model = build_model(parser_run)
    model.validation(DataLoader(faces), 7, None)
    assert read_history(tmp_path / 'log' / 'validation.csv') == [
        (7, 'tiny-val', metric, mean) for metric, mean in model.metric_results.items()]


def test_tensorboard_gets_every_value(parser_run, faces):
    model, scalars = build_model(parser_run), Scalars()
    model.validation(DataLoader(faces), 7, scalars)
    assert scalars.seen == {(f'metrics/tiny-val/{name}', 7): value for name, value in model.metric_results.items()}


def test_the_hosts_last_validation_is_that_of_the_last_iteration(parser_run, faces):
    model = build_model(parser_run)
    model.validation(DataLoader(faces), 101, None)
    assert model.best_metric_results['tiny-val']['miou']['iter'] == 100


@pytest.mark.parametrize('rank', [0, 1])
def test_the_first_of_several_processes_validates(parser_run, faces, rank):
    model = build_model(parser_run)
    model.opt.update(dist=True, rank=rank)
    model.validation(DataLoader(faces), 1, None)
    assert hasattr(model, 'metric_results') == (rank == 0)


def test_checkpoint_loads_for_testing_and_gives_the_same_result(parser_run, batch, train, faces):
    model = build_model(parser_run)
    train(model, batch, range(1, 4))
    model.validation(DataLoader(faces), 3, None)
    model.save(-1, -1)
    path = f'{parser_run["path"]["models"]}/net_g_latest.pth'
    FaceParser.from_state_dict(torch.load(path, weights_only=True)['params'])
    parser_run['path']['pretrain_network_g'] = path
    tester = build_model({**{key: value for key, value in parser_run.items() if key != 'train'}, 'is_train': False})
    tester.validation(DataLoader(faces), 'tiny', None)
    assert tester.metric_results == model.metric_results
    assert not math.isnan(tester.metric_results['miou'])


def test_a_batch_without_map_is_refused(parser_run, batch, usage_error):
    model = build_model(parser_run)
    del batch['parsing']
    with usage_error('FaceParserModel', 'dataroot_parsing'):
        model.feed_data(batch)


def test_a_scheme_of_other_classes_is_refused_when_the_model_is_built(parser_run, usage_error):
    parser_run['datasets']['train']['parsing_scheme'] = 'celebamask_hq'
    with usage_error('num_classes 11', 'datasets.train', 'celebamask_hq with 19'):
        build_model(parser_run)


@pytest.mark.parametrize(('place', 'key', 'value', 'words'), [
    ('val', 'metrics', {'psnr': {'type': 'calculate_psnr'}}, ['val.metrics', 'intersection over union']),
    ('val', 'save_img', True, ['val.save_img', 'false']),
    ('train', 'pixel_opt', {'type': 'ParsingLoss', 'class_frequencies': [0.1] * 19},
     ['train.pixel_opt.class_frequencies', '11 classes of network_g', 'found 19'])])
def test_what_it_cannot_do_is_refused_before_a_run(parser_run, place, key, value, words, usage_error):
    FaceParserModel.check(parser_run)
    parser_run[place][key] = value
    with usage_error(*words):
        FaceParserModel.check(parser_run)


def test_without_num_classes_the_loss_must_have_those_of_the_network_s_default(parser_run, usage_error):
    parser_run['network_g'].pop('num_classes')
    parser_run['train']['pixel_opt'] = {'type': 'ParsingLoss', 'class_frequencies': [0.1] * 11}
    with usage_error('train.pixel_opt.class_frequencies', '19 classes of network_g', 'found 11'):
        FaceParserModel.check(parser_run)
