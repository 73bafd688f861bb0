import csv
import os

import numpy as np
import pytest
import tiny
import torch
import yaml
from basicsr.archs import build_network
from basicsr.metrics import calculate_psnr
from basicsr.models import build_model
from basicsr.utils import tensor2img
from basicsr.utils.registry import METRIC_REGISTRY
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from pkdn_basicsr.models import FaceSRModel
from pkdn_basicsr.models.validation_history import add_to_history


@pytest.fixture
def face_options(options):
    """Options of FaceSRModel, with a metric for the test to steer."""
    options['model_type'] = 'FaceSRModel'
    options['datasets']['val'] = {'name': 'tiny-val'}
    return options


@pytest.fixture
def steered(face_options):
    """A model whose metric `score` (lower is better) reads the list it returns, one entry a face."""
    scores = []

    def calculate_score(img, img2, **kwargs):
        return scores.pop(0)

    METRIC_REGISTRY._do_register('calculate_score', calculate_score)
    face_options['val'] = {'metrics': {'score': {'type': 'calculate_score', 'better': 'lower'}}, 'save_best': 'score'}
    yield build_model(face_options), scores
    del METRIC_REGISTRY._obj_map['calculate_score']


def rows_of(path):
    with open(path, encoding='utf-8') as file:
        return list(csv.DictReader(file))


def test_trains_as_the_host_s_model(options, face_options, batch, train):
    nets = []
    for name in ('SRModel', 'FaceSRModel'):
        torch.manual_seed(0)
        model = build_model({**options, 'model_type': name, 'train': {**options['train'], 'optim_g': {
            'type': 'Adam', 'lr': 0.01}}})
        train(model, batch, [1, 2])
        nets.append(model.net_g.state_dict())
    assert all(torch.equal(nets[0][key], nets[1][key]) for key in nets[0])


def test_every_face_s_values_are_those_of_a_plain_loop(face_options, val_loader, tmp_path):
    model = build_model(face_options)
    model.validation(val_loader, 7, None)
    rows = rows_of(tmp_path / 'log' / 'per_image' / 'tiny-val_7.csv')
    expected = []
    for face in val_loader:
        with torch.no_grad():
            result = tensor2img([model.net_g.eval()(face['lq'])])
        expected.append(calculate_psnr(result, tensor2img([face['gt']]), crop_border=0))
    assert [row['image'] for row in rows] == ['0.png', '1.png']
    assert [float(row['psnr']) for row in rows] == pytest.approx(expected, abs=1e-6)
    assert model.metric_results['psnr'] == pytest.approx(np.mean(expected), abs=1e-6)


def test_validation_leaves_the_network_in_training(face_options, val_loader):
    model = build_model(face_options)
    model.validation(val_loader, 7, None)
    assert model.net_g.training


def test_the_best_network_is_saved_and_a_worse_one_is_not(steered, val_loader, tmp_path):
    model, scores = steered
    name, parameter = next(model.net_g.named_parameters())
    saved = []
    for iteration, values in ((1, [3., 5.]), (2, [2., 2.]), (3, [4., 1.])):
        scores += values
        with torch.no_grad():
            parameter.fill_(iteration)
        model.validation(val_loader, iteration, None)
        best = torch.load(tmp_path / 'models' / 'net_g_best_score.pth', weights_only=True)
        saved.append(int(best['params'][name].flatten()[0]))
    assert saved == [1, 2, 2]
    assert model.best_metric_results['tiny-val']['score'] == {'better': 'lower', 'val': 2., 'iter': 2}


def test_the_best_file_holds_what_a_checkpoint_holds(face_options, val_loader, tmp_path):
    face_options['train']['ema_decay'] = 0.5
    face_options['val']['save_best'] = ['psnr']
    model = build_model(face_options)
    model.validation(val_loader, 1, None)
    model.save(0, 1)
    best, checkpoint = (torch.load(tmp_path / 'models' / f'net_g_{label}.pth', weights_only=True)
                        for label in ('best_psnr', '1'))
    assert best.keys() == checkpoint.keys() == {'params', 'params_ema'}
    assert all(torch.equal(best[key][name], checkpoint[key][name]) for key in best for name in best[key])


def test_with_several_validation_sets_each_has_its_best_network(face_options, val_loader, tmp_path):
    face_options['datasets'] = {**face_options['datasets'], 'val_2': {'name': 'other'}}
    face_options['val']['save_best'] = 'psnr'
    build_model(face_options).validation(val_loader, 1, None)
    assert os.listdir(tmp_path / 'models') == ['net_g_best_psnr_tiny-val.pth']


def test_a_resumed_run_knows_the_best_result_before_it(steered, val_loader, tmp_path):
    model, scores = steered
    for iteration, score in ((1, 9.), (2, 3.), (3, 5.), (4, 1.)):
        scores += [score, score]
        model.validation(val_loader, iteration, None)
    state = {'epoch': 0, 'iter': 3, 'optimizers': [model.optimizer_g.state_dict()],
             'schedulers': [model.schedulers[0].state_dict()]}
    train_opt = {**model.opt['train'], 'optim_g': {'type': 'Adam', 'lr': 0.01},  # the host takes out the types
                 'scheduler': {'type': 'MultiStepLR', 'milestones': [1000]}}
    resumed = build_model({**model.opt, 'train': train_opt, 'model_type': 'FaceSRModel'})
    resumed.resume_training(state)
    assert resumed.best_metric_results['tiny-val']['score'] == {'better': 'lower', 'val': 3., 'iter': 2}
    os.remove(tmp_path / 'models' / 'net_g_best_score.pth')
    scores += [4., 4.]
    resumed.validation(val_loader, 4, None)
    assert os.listdir(tmp_path / 'models') == []  # 4 is no better than the 3 before the resume
    assert [float(row['mean']) for row in rows_of(tmp_path / 'log' / 'validation.csv')] == [9, 3, 5, 4]


def test_a_face_without_a_value_is_left_out_of_the_mean_and_counted(steered, val_loader, caplog):
    model, scores = steered
    scores += [float('nan'), 2.]
    model.validation(val_loader, 1, None)
    assert model.metric_results == {'score': 2.}
    assert 'score has no finite value on 1 of 2 faces' in caplog.text


def test_a_mean_that_is_not_known_is_no_best_one(steered, val_loader, tmp_path):
    model, scores = steered
    scores += [float('nan')] * 2
    model.validation(val_loader, 1, None)
    assert os.listdir(tmp_path / 'models') == []


def test_tensorboard_shows_the_first_faces(face_options, val_loader, batch, tmp_path):
    face_options['val']['panels'] = 1
    with SummaryWriter(tmp_path / 'tb') as writer:
        build_model(face_options).validation(val_loader, 5, writer)
    events = EventAccumulator(str(tmp_path / 'tb'))
    events.Reload()
    assert events.Tags()['images'] == ['tiny-val/0.png']
    (image,) = events.Images('tiny-val/0.png')
    assert (image.step, image.width, image.height) == (5, 48, 16)
    assert events.Scalars('metrics/tiny-val/psnr')[0].step == 5


def test_the_validation_after_training_counts_as_the_last_iteration(face_options, val_loader, tmp_path):
    face_options['train']['total_iter'] = 7
    build_model(face_options).validation(val_loader, 8, None)
    assert os.listdir(tmp_path / 'log' / 'per_image') == ['tiny-val_7.csv']


def test_faces_without_truth_are_super_resolved_but_not_compared(face_options, batch, usage_error, tmp_path):
    class Faces(list):
        opt = {'name': 'real'}  # noqa: RUF012

    loader = DataLoader(Faces([{'lq': batch['lq'][0], 'lq_path': 'a.png'}]))
    model = build_model(face_options)
    with usage_error('val.metrics.psnr', 'a.png', 'dataroot_gt'):
        model.validation(loader, 1, None)
    model.opt['val']['metrics'] = None
    model.validation(loader, 1, None, save_img=True)
    assert (tmp_path / 'visualization' / 'a' / 'a_1.png').is_file()


@pytest.mark.parametrize(('val', 'words'), [
    ({'save_best': 'psn', 'metrics': {'psnr': {}}}, ['val.save_best', 'psn', 'psnr']),
    ({'save_best': ['psnr']}, ['val.save_best', 'none']),
    ({'panels': 'all'}, ['val.panels', "'all'"]),
    ({'panels': -1}, ['val.panels', '-1']),
    ({'save_best': 5}, ['val.save_best', '5']),
    ({'save_best': 's/s', 'metrics': {'s/s': {}}}, ['val.save_best', 's/s', 'without /']),
])
def test_what_val_asks_for_is_checked_before_a_run(val, words, usage_error):
    with usage_error(*words):
        FaceSRModel.check({'val': val})


@pytest.mark.parametrize('names', [['a', 'a'], ['a', 'b/c'], ['..']])
def test_validation_sets_that_would_write_the_same_files_are_refused(names, usage_error):
    with usage_error('datasets', names[-1]):
        FaceSRModel.check({'val': {}, 'datasets': {f'val_{index}': {'name': name} for index, name in enumerate(names)}})


def test_a_history_of_something_else_is_named(steered, usage_error, tmp_path):
    model, _ = steered
    (tmp_path / 'log' / 'validation.csv').write_text('a,b\n1,2\n')
    with usage_error('validation.csv', 'move it away'):
        model.resume_training({'epoch': 0, 'iter': 1, 'optimizers': [model.optimizer_g.state_dict()],
                               'schedulers': [model.schedulers[0].state_dict()]})


def test_a_history_keeps_every_digit(tmp_path):
    add_to_history(tmp_path / 'h.csv', 1, 'a', {'psnr': 1 / 3})
    assert float(rows_of(tmp_path / 'h.csv')[0]['mean']) == 1 / 3


def test_three_ranks_write_the_values_of_one(tiny_faces, tmp_path):
    opt = tiny.train_options(tiny_faces)
    torch.manual_seed(0)
    weights = tmp_path / 'net.pth'
    torch.save({'params': build_network(opt['network_g']).state_dict()}, weights)
    opt.update(model_type='FaceSRModel', datasets={'test': opt['datasets']['val']},
               path={'pretrain_network_g': str(weights)})
    (tmp_path / 'test.yml').write_text(yaml.safe_dump(opt))
    command = ['-m', 'pkdn_basicsr', 'test', '-opt', tmp_path / 'test.yml']
    torchrun = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '3']  # 8 faces: unequal shares
    tables = []
    for case in (command, [*torchrun, *command, '--launcher', 'pytorch']):
        folder = tmp_path / str(len(case))
        folder.mkdir()
        done = tiny.run_python(*case, cwd=folder)
        assert done.returncode == 0, done.stderr
        tables.append((folder / 'results' / 'tiny' / 'per_image' / 'tiny-val.csv').read_bytes())
    assert tables[0].count(b'\n') == 9
    assert tables[0] == tables[1]
