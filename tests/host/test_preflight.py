import copy

import pytest
import tiny
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from pkdn_basicsr.host.preflight import check_frame, check_run

NETWORK = {'type': 'PKDNStudent', 'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1,
           'num_dec_blocks': [1]}


@ARCH_REGISTRY.register()
class OutlineParser(nn.Conv2d):
    __module__ = 'pkdn_basicsr.archs'  # only networks of ours are run before the run

    def __init__(self, num_classes):
        super().__init__(3, num_classes, 3)
        self.num_classes = num_classes


@pytest.fixture
def run_options(tiny_faces):
    """Options as the host has parsed them."""
    opt = tiny.train_options(tiny_faces)
    opt.update(is_train=True, auto_resume=False)
    for phase, dataset_opt in opt['datasets'].items():
        dataset_opt.update(phase=phase, scale=opt['scale'])
    return opt


def test_what_can_run_passes_and_is_left_as_it_is(run_options):
    before = copy.deepcopy(run_options)
    check_frame(run_options, 'tiny.yml', is_train=True)
    check_run(run_options)
    assert run_options == before


@pytest.mark.parametrize('key', ['name', 'model_type', 'scale', 'num_gpu', 'datasets', 'network_g', 'path', 'train',
                                 'logger'])
def test_a_missing_section_is_named(run_options, key, usage_error):
    del run_options[key]
    with usage_error('tiny.yml', f'the key {key} is missing'):
        check_frame(run_options, 'tiny.yml', is_train=True)


def test_a_test_needs_no_training_sections(run_options):
    for key in ('train', 'logger', 'scale'):
        del run_options[key]
    assert check_frame(run_options, 'tiny.yml', is_train=False) is None


@pytest.mark.parametrize(('change', 'words'), [
    ({'datasets': [1]}, ['datasets must hold keys']),
    ({'path': None}, ['path must hold keys']),
    ({'datasets': {'train': {'name': 'a'}}}, ['datasets.train has no type']),
    ({'datasets': {'val': None}}, ['datasets.val has no name']),
])
def test_a_section_that_is_none_is_named(run_options, change, words, usage_error):
    with usage_error('tiny.yml', *words):
        check_frame({**run_options, **change}, 'tiny.yml', is_train=True)


@pytest.mark.parametrize(('change', 'words'), [
    ({'model_type': 'SRModell'}, ["model_type: 'SRModell'", "did you mean 'SRModel'?"]),
    ({'network_g': {**NETWORK, 'num_feat': 0}}, ['network_g', 'num_feat must be whole numbers of at least 1']),
    ({'network_g': {**NETWORK, 'num_feat': 'abc'}}, ['network_g', 'num_feat', 'abc']),
    ({'network_g': {**NETWORK, 'num_dec_blocks': [1, 1]}}, ['network_g', 'same length']),
    ({'network_g': {**NETWORK, 'num_enc_blocks': [1] * 6, 'num_dec_blocks': [1] * 6}},
     ['network_g', 'multiples of 64', '8x8']),
    ({'network_g': {'type': 'SPARNet', 'scale': 4}}, ['network_g: SPARNet', 'multiples of 8 and at least 64', '32x32']),
    ({'network_g': {'type': 'CTCNet', 'scale': 4}}, ['network_g: CTCNet', 'at least', '32x32']),
    ({'network_g': {'type': 'SwinIR', 'upscale': 4, 'window_size': 5, 'img_size': 10}}, ['network_g: SwinIR', '5x5']),
    ({'path': {'pretrain_network_g': 'nowhere.pth'}}, ['path.pretrain_network_g: no such file', 'nowhere.pth']),
    ({'model_type': 'DistillationModel'}, ['give network_t and path.pretrain_network_t']),
])
def test_what_would_end_the_run_later_is_named_now(run_options, change, words, usage_error):
    with usage_error(*words):
        check_run({**run_options, **change})


def test_a_network_is_given_a_map_only_if_it_takes_one(run_options):
    assert check_run({**run_options, 'network_g': {'type': 'OutlineParser', 'num_classes': 2}}) is None
    assert check_run({**run_options, 'network_t': {**NETWORK, 'type': 'PKDNTeacher', 'num_classes': 2}}) is None


def test_a_data_set_that_cannot_be_built_is_named(run_options, usage_error):
    run_options['datasets']['train']['dataroot_gt'] = 'nowhere'
    with usage_error('dataroot_gt: no such folder', 'nowhere'):
        check_run(run_options)


def test_an_unknown_data_set_suggests_the_nearest(run_options, usage_error):
    run_options['datasets']['val']['type'] = 'ParsingMapDatset'
    with usage_error("datasets.val.type: 'ParsingMapDatset'", "did you mean 'ParsingMapDataset'?"):
        check_run(run_options)


def test_a_cosine_schedule_must_last(run_options, usage_error):
    run_options['train']['scheduler'] = {'type': 'CosineAnnealingRestartLR', 'periods': [1], 'restart_weights': [1]}
    with usage_error('train.scheduler.periods [1] end before total_iter 2'):
        check_run(run_options)
    run_options['train']['scheduler']['periods'] = [1, 1]
    assert check_run(run_options) is None


def test_a_resumed_run_may_miss_the_weights_it_started_from(run_options):
    run_options['path']['pretrain_network_g'] = 'nowhere.pth'
    assert check_run({**run_options, 'auto_resume': True}) is None


def test_testing_without_weights_is_refused_unless_there_is_nothing_to_train(run_options, usage_error):
    run_options['is_train'] = False
    with usage_error('path.pretrain_network_g is not set', 'PKDNStudent'):
        check_run(run_options)
    assert check_run({**run_options, 'network_g': {'type': 'Bicubic', 'scale': 4}}) is None


def test_nothing_is_drawn_from_the_random_generator(run_options):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    check_run(run_options)
    assert torch.rand(1) == expected


def test_a_start_that_fails_leaves_the_finished_run_alone(tmp_path, tiny_faces, basicsr_command):
    finished = tmp_path / 'experiments' / 'tiny' / 'models'
    finished.mkdir(parents=True)
    opt = tiny.train_options(tiny_faces)
    opt['datasets']['train']['dataroot_gt'] = 'nowhere'
    status, _, error = basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    assert status == 2
    assert error.count('\n') == 1
    assert 'dataroot_gt: no such folder' in error
    assert [file.name for file in (tmp_path / 'experiments').iterdir()] == ['tiny']
    assert finished.is_dir()


def test_the_log_file_is_not_lost_by_looking_first(tmp_path, tiny_faces, basicsr_command):
    opt = tiny.train_options(tiny_faces)
    (tmp_path / 'none.txt').write_text('nobody.png\n')
    opt['datasets']['train']['exclude_file'] = str(tmp_path / 'none.txt')
    basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    log, = (tmp_path / 'experiments' / 'tiny').glob('train_tiny_*.log')
    assert '0 of 8 images are left out by' in log.read_text()
