import copy
from pathlib import Path

import pytest
import tiny
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pkdn_basicsr.host.option_check.check import find_problems, prepared
from pkdn_basicsr.host.option_check.problems import Problems

NETWORK = {'type': 'PKDNStudent', 'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1,
           'num_dec_blocks': [1]}

MANY = """name: many mistakes
model_type: SRModel
scale: 4
num_gpu: 0
datasets:
  train:
    name: faces
    type: ParsingMapDataset
    dataroot_gt: {gt}
    gt_sise: 32
    batch_size_per_gpu: two
    num_worker_per_gpu: 0
network_g: {{type: PKDNStuden, scale: 4}}
path: {{pretrain_netwrk_g: ~}}
train:
  optim_g: {{type: Adm, lr: 1e-4}}
  scheduler: {{type: MultiStepLR, milestone: [1]}}
  total_iter: 2
  total_iter: 3
  pixel_opt: {{type: L1Loss, reduction: average}}
logger: {{print_freq: 0, save_checkpoint_freq: 1, use_tb_logger: false}}
"""


@ARCH_REGISTRY.register()
class OutlineParser(nn.Conv2d):
    __module__ = 'pkdn_basicsr.archs'  # only networks of ours are run before the run

    def __init__(self, num_classes):
        super().__init__(3, num_classes, 3)
        self.num_classes = num_classes


def test_what_can_run_passes_and_is_left_as_it_is(check, run_options):
    before = copy.deepcopy(run_options)
    result = check(run_options)
    assert (result.errors, result.warnings) == ([], [])
    assert run_options == before


def test_everything_is_told_at_once_with_its_line(check, tiny_faces):
    errors = check(MANY.format(gt=tiny_faces / 'gt')).errors
    assert [error.split(': ')[:2] for error in errors] == [
        ['o.yml:10', 'datasets.train.gt_sise'],
        ['o.yml:11', 'datasets.train.batch_size_per_gpu'],
        ['o.yml:13', 'network_g.type'],
        ['o.yml:14', 'path.pretrain_netwrk_g'],
        ['o.yml:16', 'train.optim_g.type'],
        ['o.yml:17', 'train.scheduler.milestone'],
        ['o.yml:19', "the key 'total_iter' stands already in line 18; delete one of the two"],
        ['o.yml:20', 'train.pixel_opt.reduction'],
        ['o.yml:21', 'logger.print_freq'],
    ]
    for number, words in enumerate([
            "did you mean 'gt_size'?", 'expected a whole number of at least 1', "did you mean 'PKDNStudent'?",
            "did you mean 'pretrain_network_g'?", "did you mean 'Adam'?", "did you mean 'milestones'?", 'line 18',
            'none | mean | sum', 'a number of iterations above 0']):
        assert words in errors[number].replace("['none', 'mean', 'sum']", 'none | mean | sum')


def test_what_is_forced_has_no_line(check, run_options):
    errors = check(run_options, force=['logger:print_freq=0', 'train:optim_g:lr=fast', 'scale=x']).errors
    assert sorted(error.rpartition(', ')[0] for error in errors) == [
        '--force_yml: logger.print_freq: expected a number of iterations above 0',
        '--force_yml: scale: expected a whole number of at least 1',
        '--force_yml: train.optim_g.lr: expected a number of at least 0']


def test_a_forced_value_mends_the_file(check, run_options):
    run_options['logger']['print_freq'] = 0
    assert check(run_options).by_key.keys() == {'logger.print_freq'}
    assert check(run_options, force=['logger:print_freq=1']).errors == []


@pytest.mark.parametrize(('change', 'key', 'words'), [
    ({'model_type': 'SRModell'}, 'model_type', ["'SRModell'", "did you mean 'SRModel'?"]),
    ({'network_g': {**NETWORK, 'num_feat': 0}}, 'network_g.num_feat', ['must be whole numbers of at least 1']),
    ({'network_g': {**NETWORK, 'num_feat': 'abc'}}, 'network_g.num_feat', ['abc']),
    ({'network_g': {**NETWORK, 'num_dec_blocks': [1, 1]}}, 'network_g.num_enc_blocks', ['same length']),
    ({'network_g': {'type': 'SPARNet', 'scale': 4}}, 'network_g', ['SPARNet', 'at least 64', '32x32']),
    ({'network_g': {'type': 'CTCNet', 'scale': 4}}, 'network_g', ['CTCNet', 'at least', '32x32']),
    ({'network_g': {'type': 'SwinIR', 'upscale': 4, 'window_size': 5, 'img_size': 10}}, 'network_g', ['SwinIR', '5x5']),
    ({'path': {'pretrain_network_g': 'nowhere.pth'}}, 'path.pretrain_network_g', ['no such file', 'nowhere.pth']),
    ({'path': {'resume_state': 'nowhere.state'}}, 'path.resume_state', ['no such file', 'nowhere.state']),
    ({'path': {'experiment_root': 'here'}}, 'path.experiment_root', ["did you mean 'experiments_root'?", 'folder']),
    ({'path': {'pretrain_network_d': 'x.pth'}}, 'path.pretrain_network_d', ['there is no network_d']),
    ({'network_d': {'type': 'UNetDiscriminatorSN', 'num_in_ch': 3}}, 'network_d', ['SRGANModel', 'does not know it']),
    ({'name': 5}, 'name', ['must be a word, found 5']),
    ({'name': 'a/b'}, 'name', ["a folder's name"]),
    ({'datasets': [1]}, 'datasets', ['must hold keys and values, found [1]']),
    ({'path': None}, 'path', ['must hold keys and values, found None']),
    ({'num_gpu': 'all'}, 'num_gpu', ['or auto', "'all'"]),
])
def test_what_would_end_the_run_later_is_named_now(check, run_options, change, key, words):
    text = check({**run_options, **change}).by_key[key]
    for word in words:
        assert word in text


@pytest.mark.parametrize('key', ['name', 'model_type', 'scale', 'num_gpu', 'datasets', 'network_g', 'path', 'train',
                                 'logger', 'train.total_iter', 'train.scheduler', 'train.optim_g', 'train.optim_g.lr',
                                 'logger.print_freq', 'logger.use_tb_logger', 'val.val_freq', 'val.save_img',
                                 'datasets.train', 'datasets.train.name', 'datasets.train.type',
                                 'datasets.train.gt_size', 'datasets.train.batch_size_per_gpu',
                                 'datasets.val.dataroot_gt'])
def test_what_is_missing_is_named(check, run_options, key):
    *around, last = key.split('.')
    outer = run_options
    for name in around:
        outer = outer[name]
    del outer[last]
    assert 'is missing' in check(run_options).by_key[key]


def test_a_test_needs_no_training_sections(check, run_options):
    for key in ('train', 'logger', 'scale'):
        del run_options[key]
    run_options['network_g'] = {'type': 'Bicubic', 'scale': 4}
    del run_options['datasets']
    run_options['datasets'] = {}
    assert check(run_options, is_train=False).errors == []
    del run_options['val']
    assert check(run_options, is_train=False).by_key.keys() == {'val'}


def test_a_network_is_given_a_map_only_if_it_takes_one(check, run_options):
    run_options['network_g'] = {'type': 'OutlineParser', 'num_classes': 2}
    assert check(run_options).errors == []
    run_options['network_g'] = {**NETWORK, 'type': 'PKDNTeacher', 'num_classes': 2}
    assert check(run_options).errors == []


def test_a_teacher_that_is_missing_is_told_once_and_how_to_train_it(check, run_options):
    run_options.update(model_type='DistillationModel', network_t=NETWORK)
    run_options['path']['pretrain_network_t'] = 'experiments/pkdn/models/net_g_latest.pth'
    errors = check(run_options).errors
    assert len(errors) == 1
    assert 'path.pretrain_network_t: no such file' in errors[0]
    assert 'name: pkdn' in errors[0]
    del run_options['network_t'], run_options['path']['pretrain_network_t']
    assert 'network_t' in check(run_options).by_key


def test_a_schedule_of_a_loss_is_read(check, run_options, tmp_path):
    (tmp_path / 't.pth').touch()
    run_options.update(model_type='DistillationModel', network_t=NETWORK)
    run_options['path']['pretrain_network_t'] = str(tmp_path / 't.pth')
    run_options['train']['feature_opt'] = {'type': 'FeatureL1Loss', 'schedule': {'type': 'linear', 'end_iter': 1}}
    assert check(run_options).errors == []
    run_options['train']['feature_opt']['schedule'] = {'typ': 'linear'}
    assert check(run_options).by_key.keys() == {'train.feature_opt.schedule'}


def test_a_data_set_whose_class_refuses_it_is_named(check, run_options):
    run_options['datasets']['train']['gt_size'] = 30
    by_key = check(run_options).by_key
    assert by_key['datasets.train.gt_size'].endswith('gt_size 30 is not a multiple of scale 4; the nearest is 32')


def test_an_unknown_data_set_suggests_the_nearest(check, run_options):
    run_options['datasets']['val']['type'] = 'ParsingMapDatset'
    result = check(run_options)
    assert "did you mean 'ParsingMapDataset'?" in result.by_key['datasets.val.type']
    assert (len(result.errors), result.warnings) == (1, [])


def test_a_resumed_run_may_miss_the_weights_it_started_from(check, run_options):
    run_options['path']['pretrain_network_g'] = 'nowhere.pth'
    assert check(run_options, auto_resume=True).errors == []


def test_testing_without_weights_is_refused_unless_there_is_nothing_to_train(check, run_options):
    key = 'path.pretrain_network_g'
    assert f'{key} is not set: testing PKDNStudent' in check(run_options, is_train=False).by_key[key]
    run_options['network_g'] = {'type': 'Bicubic', 'scale': 4}
    assert check(run_options, is_train=False).errors == []


def test_nothing_is_drawn_from_the_random_generator(check, run_options):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    check(run_options)
    assert torch.rand(1) == expected


VALUES = st.recursive(st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=3),
                      lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(max_size=3), part, max_size=2))


@given(st.data())
@settings(max_examples=150)
def test_any_value_in_any_place_is_taken_or_told_in_one_line(data):
    opt = tiny.train_options(Path('nowhere'))
    for _ in range(data.draw(st.integers(1, 3))):
        section = opt
        key = data.draw(st.sampled_from(list(section)))
        while isinstance(section[key], dict) and section[key] and data.draw(st.booleans()):
            section = section[key]
            key = data.draw(st.sampled_from(list(section)))
        section[key] = data.draw(VALUES)
    problems = Problems()
    find_problems(prepared(opt, data.draw(st.booleans())), problems)
    assert not any('\n' in line for line in problems.error_lines() + problems.warning_lines())


def test_a_start_that_fails_leaves_the_finished_run_alone(tmp_path, tiny_faces, basicsr_command):
    finished = tmp_path / 'experiments' / 'tiny' / 'models'
    finished.mkdir(parents=True)
    opt = tiny.train_options(tiny_faces)
    opt['datasets']['train']['dataroot_gt'] = 'nowhere'
    opt['logger']['print_freq'] = 0
    status, _, error = basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    assert status == 2
    first, second = error.splitlines()
    assert first.startswith(f'basicsr train: error: {tmp_path}/tiny.yml:10: datasets.train.dataroot_gt: no such folder')
    assert 'logger.print_freq' in second
    assert [file.name for file in (tmp_path / 'experiments').iterdir()] == ['tiny']
    assert finished.is_dir()


@pytest.mark.parametrize('variable', ['LOCAL_RANK', 'SLURM_LOCALID'])
def test_one_process_of_a_machine_speaks_for_all(tmp_path, tiny_faces, basicsr_command, monkeypatch, variable):
    opt = {**tiny.train_options(tiny_faces), 'nam': 1, 'name': 'debug'}
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    monkeypatch.setenv(variable, '1')
    assert basicsr_command(tmp_path, 'train', '-opt', file) == (2, '', '')
    monkeypatch.setenv(variable, '0')
    status, out, error = basicsr_command(tmp_path, 'train', '-opt', file)
    assert (status, out.count('warning: '), error.count('error: ')) == (2, 1, 1)
    monkeypatch.setenv(variable, '1')
    assert basicsr_command(tmp_path, 'train', '-opt', 'nowhere.yml')[2] == ''
    assert basicsr_command(tmp_path, 'train', '-opt', file, '--force_yml', 'nothing:a=1')[2] == ''


def test_several_processes_say_it_once_and_end(tmp_path, tiny_faces):
    opt = {**tiny.train_options(tiny_faces), 'nam': 1}
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    done = tiny.run_python('-m', 'torch.distributed.run', '--nproc_per_node', '2', '--master_port', '29743', '-m',
                           'pkdn_basicsr', 'train', '-opt', file, '--launcher', 'pytorch', cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.count('basicsr train: error: ') == 1
    assert [path.name for path in tmp_path.iterdir()] == ['tiny.yml']


def test_the_log_file_is_not_lost_by_looking_first(tmp_path, tiny_faces, basicsr_command):
    opt = tiny.train_options(tiny_faces)
    (tmp_path / 'none.txt').write_text('nobody.png\n')
    opt['datasets']['train']['exclude_file'] = str(tmp_path / 'none.txt')
    basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    log, = (tmp_path / 'experiments' / 'tiny').glob('train_tiny_*.log')
    assert '0 of 8 images are left out by' in log.read_text()
