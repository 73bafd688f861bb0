"""Kinds of values, optimizers, schedules, losses, files, GPUs and what BasicSR does otherwise than one thinks."""

import pytest
import torch
from basicsr.utils.registry import DATASET_REGISTRY
from PIL import Image


def put(opt, key, value):
    *around, last = key.split('.')
    for name in around:
        opt = opt[name]
    opt[last] = value


@pytest.mark.parametrize(('key', 'wrong', 'right'), [
    ('scale', '4', 4), ('scale', True, 4), ('num_gpu', -1, 0), ('num_gpu', 'automatic', 'auto'),
    ('manual_seed', 1.5, None), ('manual_seed', 2**32, 0), ('train.total_iter', 'many', 2.),
    ('train.total_iter', 0, 100), ('train.total_iter', 1.5, 5e1),
    ('train.warmup_iter', None, -1), ('train.ema_decay', 1.5, 0),
    ('train.optim_g.lr', '1e-4 ', 1e-4), ('train.optim_g.lr', -1, 0), ('train.pixel_opt.loss_weight', 'x', .1),
    ('train.pixel_opt', ['L1Loss'], {'type': 'MSELoss'}), ('train.scheduler.milestones', 5, [5]),
    ('val.val_freq', 0, 5e3), ('val.save_img', 'no', True), ('val.metrics', ['psnr'], None),
    ('logger.print_freq', 0, 1), ('logger.save_checkpoint_freq', -5, 5e3), ('logger.use_tb_logger', 'false', False),
    ('path.pretrain_network_g', True, None), ('path.strict_load_g', 'false', False),
    ('path.ignore_resume_networks', 'network_t', ['network_t']),
    ('datasets.train.batch_size_per_gpu', 2.5, 2), ('datasets.train.num_worker_per_gpu', -1, 0),
    ('datasets.train.gt_size', '32', 32), ('datasets.train.use_hflip', 'true', True),
    ('datasets.train.dataset_enlarge_ratio', 0, 2), ('datasets.train.prefetch_mode', 'gpu', 'cpu'),
    ('datasets.train.on_bad_file', 'ignore', 'skip'), ('datasets.val.val_crop', 'all', None)])
def test_kinds(check, run_options, key, wrong, right):
    put(run_options, key, wrong)
    errors = check(run_options).by_key
    assert errors.keys() == {key}
    assert repr(wrong) in errors[key]
    put(run_options, key, right)
    assert key not in check(run_options).by_key


def test_a_word_suggests_the_nearest(check, run_options):
    run_options['datasets']['train']['on_bad_file'] = 'skipp'
    text = check(run_options).by_key['datasets.train.on_bad_file']
    assert text == "expected one of stop, skip or ~, found 'skipp'; did you mean 'skip'?"


def test_validation_skips_no_bad_files(check, run_options):
    run_options['datasets']['val']['on_bad_file'] = 'skip'
    assert 'skip is for training only' in check(run_options).by_key['datasets.val.on_bad_file']


def test_a_learning_rate_in_short_form_is_a_number(check, run_options, tmp_path):
    check(run_options)
    text = (tmp_path / 'o.yml').read_text()
    assert 'lr: 0.001' in text
    assert check(text.replace('lr: 0.001', 'lr: 1e-3')).errors == []


@pytest.mark.parametrize(('key', 'value', 'where', 'words'), [
    ('optim_g', {'type': 'Adamm', 'lr': 1}, 'optim_g.type', ["did you mean 'Adam'?", 'AdamW']),
    ('optim_g', {'type': ['Adam'], 'lr': 1}, 'optim_g.type', ['is unknown']),
    ('optim_g', {'type': 'Adam', 'lr': 1, 'beta': [.9, .99]}, 'optim_g.beta', ["did you mean 'betas'?"]),
    ('optim_g', {'type': 'Adam', 'lr': 1, 'betas': [.9, 1.5]}, 'optim_g', ['Invalid beta parameter', '1.5']),
    ('optim_g', {'type': 'Adam', 'lr': 1, 'betas': 5}, 'optim_g', ['Adam does not take these values']),
    ('optim_g', {'type': 'Adam', 'lr': 1, 'params': []}, 'optim_g.params', ["no argument 'params'"]),
    ('scheduler', {'type': 'MultiStep', 'milestones': [1]}, 'scheduler.type', ["did you mean 'MultiStepLR'?"]),
    ('scheduler', {'type': 'MultiStepLR'}, 'scheduler.milestones', ['needs the argument milestones']),
    ('scheduler', {'type': 'MultiStepLR', 'milestones': [1], 'gama': 1}, 'scheduler.gama', ["did you mean 'gamma'?"]),
    ('scheduler', {'type': 'CosineAnnealingRestartLR', 'periods': [5], 'restart_weights': [1, 1]}, 'scheduler',
     ['periods and restart_weights should have the same length']),
    ('scheduler', {'type': 'CosineAnnealingRestartLR', 'periods': [1]}, 'scheduler.periods', ['[1] end before', '2']),
    ('pixel_opt', {'type': 'L1Loss', 'reduction': 'average'}, 'pixel_opt.reduction', ['Unsupported reduction']),
    ('pixel_opt', {'loss_weight': 1}, 'pixel_opt.type', ['is missing', 'L1Loss']),
    ('pixel_opt', None, 'pixel_opt', ['SRModel needs pixel_opt or perceptual_opt']),
])
def test_what_training_cannot_use(check, run_options, key, value, where, words):
    run_options['train'][key] = value
    errors = check(run_options).by_key
    assert errors.keys() == {f'train.{where}'}
    for word in words:
        assert word in errors[f'train.{where}']


@pytest.mark.parametrize('value', [{'type': 'SGD', 'lr': .1, 'momentum': .9}, {'type': 'AdamW', 'lr': 1}])
def test_other_optimizers_pass(check, run_options, value):
    run_options['train']['optim_g'] = value
    assert check(run_options).errors == []


@pytest.fixture
def pairs(run_options, tmp_path):
    """Options for the host's own data set, with pictures of 24x40 pixels in a folder of clips."""
    for name, size in (('gt', (40, 24)), ('lq', (10, 6))):
        (tmp_path / name / 'clip').mkdir(parents=True)
        (tmp_path / name / 'clip' / 'notes.txt').write_text('no picture')
        Image.new('RGB', size).save(tmp_path / name / 'clip' / 'x.png')
    run_options['datasets']['train'] = {
        'name': 'pairs', 'type': 'PairedImageDataset', 'dataroot_gt': str(tmp_path / 'gt'),
        'dataroot_lq': str(tmp_path / 'lq'), 'io_backend': {'type': 'disk'}, 'gt_size': 24, 'use_hflip': True,
        'use_rot': False, 'batch_size_per_gpu': 1, 'num_worker_per_gpu': 0}
    return run_options


def test_a_crop_may_not_be_larger_than_the_pictures(check, pairs):
    assert check(pairs).errors == []
    pairs['datasets']['train']['gt_size'] = 28
    assert 'expected at most 24' in check(pairs).by_key['datasets.train.gt_size']
    assert '(40x24), found 28' in check(pairs).by_key['datasets.train.gt_size']


@pytest.mark.parametrize(('phase', 'key', 'value', 'is_wrong'), [
    ('train', 'crop_range', [16, 33], True), ('train', 'crop_range', [16, 32], False), ('val', 'val_crop', 33, True),
    ('val', 'val_crop', 32, False), ('train', 'gt_size', 64, False)])
def test_our_own_crops_are_resized(check, run_options, phase, key, value, is_wrong):
    run_options['datasets'][phase].update({'gt_size': 32, key: value})
    assert (f'datasets.{phase}.{key}' in check(run_options).by_key) == is_wrong


@pytest.mark.parametrize(('changes', 'key', 'words'), [
    ({'dataroot_lq': 'nowhere'}, 'dataroot_lq', ['no such folder', 'nowhere']),
    ({'meta_info_file': 'no.txt'}, 'meta_info_file', ['no such file', 'no.txt']),
    ({'io_backend': {'type': 'lmdb'}}, 'dataroot_gt', ['ends in .lmdb']),
])
def test_data_that_is_not_there(check, pairs, changes, key, words):
    pairs['datasets']['train'].update(changes)
    text = check(pairs).by_key[f'datasets.train.{key}']
    for word in words:
        assert word in text


def test_an_lmdb_is_not_read_as_a_folder(check, pairs, tmp_path):
    (tmp_path / 'gt.lmdb').mkdir()
    pairs['datasets']['train']['dataroot_gt'] = str(tmp_path / 'gt.lmdb')
    assert 'set io_backend.type: lmdb' in check(pairs).by_key['datasets.train.dataroot_gt']


def test_weights_inside_a_network(check, run_options):
    run_options['network_g'] = {'type': 'BasicVSR', 'spynet_path': 'spynet.pth'}
    assert 'no such file' in check(run_options).by_key['network_g.spynet_path']


def test_home_is_expanded(check, run_options, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'w.pth').touch()
    run_options['path']['pretrain_network_g'] = '~/w.pth'
    assert check(run_options).errors == []


@pytest.mark.parametrize(('wanted', 'here', 'dist', 'is_train', 'outcome'), [
    (0, 0, False, True, ''), ('auto', 0, False, True, ''), (1, 0, False, True, 'expected 0 or auto'),
    (1, 0, True, True, 'expected 0 or auto'), (1, 0, False, False, 'expected 0 or auto'), (2, 2, False, True, ''),
    (2, 1, False, True, 'expected at most 1'), (2, 1, False, False, ''), (8, 1, True, True, ''),
    (8, 2, True, True, '2 GPUs here for 3 processes'), (8, 3, True, True, '')])
def test_gpus(check, run_options, monkeypatch, wanted, here, dist, is_train, outcome):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: here)
    if here > 1 and dist:
        monkeypatch.setenv('LOCAL_WORLD_SIZE', '3')
    run_options.update(num_gpu=wanted, network_g={'type': 'Bicubic', 'scale': 4})
    assert outcome in check(run_options, is_train, dist=dist).by_key.get('num_gpu', '')
    assert ('num_gpu' in check(run_options, is_train, dist=dist).by_key) == bool(outcome)


@pytest.mark.parametrize(('change', 'key'), [
    ({'name': 'my_debug_run'}, 'name'), ({'val': None}, 'datasets.val'),
    ({'val': {'val_freq': 1, 'save_img': False}}, 'val'), ({'save_img': True}, 'save_img')])
def test_what_the_host_does_otherwise_than_one_thinks_is_a_warning(check, run_options, change, key):
    result = check({**run_options, **change})
    assert result.errors == []
    warning, = result.warnings
    assert f': {key}: ' in warning


def test_debug_from_the_command_line_is_meant(check, run_options):
    assert check({**run_options, 'name': 'debug_it'}, debug=True).warnings == []


def test_shuffling_cannot_be_switched_off(check, pairs):
    pairs['datasets']['train']['use_shuffle'] = True
    assert check(pairs).warnings == []
    pairs['datasets']['train']['use_shuffle'] = False
    assert 'always shuffled' in check(pairs).warnings[0]


def test_saving_pictures_of_a_test_needs_a_suffix(check, run_options):
    run_options['network_g'] = {'type': 'Bicubic', 'scale': 4}
    run_options['val']['save_img'] = True
    assert check(run_options, is_train=False).by_key.keys() == {'val.suffix'}
    assert check({**run_options, 'model_type': 'FaceSRModel'}, is_train=False).errors == []


def test_a_class_that_fails_in_a_way_of_its_own_is_named(check, run_options, monkeypatch):
    def check_nothing(opt):
        raise ZeroDivisionError('division\nby zero')

    monkeypatch.setattr(DATASET_REGISTRY.get('ParsingMapDataset'), 'check', check_nothing)
    error = check(run_options).by_key['datasets.train']
    assert error == 'ParsingMapDataset: ZeroDivisionError: division by zero'
