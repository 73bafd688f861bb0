import random
import sys

import basicsr.test
import basicsr.train
import pytest
import tiny
import torch

from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.weights.shipped import shipped_or_path, shipped_weights


@pytest.fixture
def parse(tmp_path, tiny_faces, monkeypatch):
    """Parse the tiny training options, with `path` as given, as the host's pipelines do."""
    def run(*arguments, path=None, is_train=True, **changes):
        opt = {**tiny.train_options(tiny_faces), 'path': path or {}, **changes}
        if not is_train:
            opt['network_g'] = {'type': 'Bicubic', 'scale': 4}  # needs no weights
        file = tiny.write_options(opt, tmp_path / 'options.yml')
        monkeypatch.setattr(sys, 'argv', ['basicsr train', '-opt', str(file), *arguments])
        module = basicsr.train if is_train else basicsr.test
        return module.parse_options(str(tmp_path / 'cwd'), is_train=is_train)[0]
    return run


def test_without_wishes_everything_is_under_the_root_of_the_pipeline(parse, tmp_path):
    root = tmp_path / 'cwd' / 'experiments' / 'tiny'
    assert parse()['path'] == {'experiments_root': str(root), 'models': str(root / 'models'), 'log': str(root),
                               'training_states': str(root / 'training_states'),
                               'visualization': str(root / 'visualization')}
    root = tmp_path / 'cwd' / 'results' / 'tiny'
    assert parse(is_train=False)['path'] == {'results_root': str(root), 'log': str(root),
                                             'visualization': str(root / 'visualization')}


@pytest.mark.parametrize('is_train', [True, False])
def test_weights_may_be_shipped_ones_by_their_name(parse, is_train):
    path = parse(path={'pretrain_network_g': 'pkdn_student_small_x8'}, is_train=is_train)['path']['pretrain_network_g']
    assert path == str(shipped_weights('pkdn_student_small_x8'))


def test_a_shipped_teacher_may_teach(parse):
    student = {'type': 'PKDNStudent', 'scale': 4, 'num_feat': 4}
    opt = parse(path={'pretrain_network_t': 'pkdn_teacher_small_x8'}, model_type='DistillationModel',
                network_g=student, network_t={**student, 'type': 'PKDNTeacher', 'num_classes': 19})
    assert opt['path']['pretrain_network_t'] == shipped_or_path('pkdn_teacher_small_x8')


def test_weights_of_no_such_name_are_refused(parse, usage_error):
    with usage_error('path.pretrain_network_g', 'pkdn_studnet_small_x8'):
        parse(path={'pretrain_network_g': 'pkdn_studnet_small_x8'})


@pytest.mark.parametrize(('is_train', 'key'), [(True, 'experiments_root'), (False, 'results_root')])
def test_the_wished_root_holds_a_folder_of_the_name(parse, tmp_path, is_train, key):
    opt = parse(path={key: str(tmp_path / 'wished')}, is_train=is_train)
    root = tmp_path / 'wished' / 'tiny'
    assert opt['path'][key] == str(root)
    assert opt['path']['log'] == str(root)
    assert opt['path']['visualization'] == str(root / 'visualization')
    if is_train:
        assert opt['path']['models'] == str(root / 'models')
        assert opt['path']['training_states'] == str(root / 'training_states')


@pytest.mark.parametrize(('is_train', 'other'), [(True, 'results_root'), (False, 'experiments_root')])
@pytest.mark.parametrize('value', [None, 'elsewhere'])
def test_the_other_root_makes_no_folder(parse, is_train, other, value):
    assert other not in parse(path={other: value}, is_train=is_train)['path']


def test_a_relative_root_is_under_the_working_directory(parse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse(path={'experiments_root': 'here'})['path']['models'] == str(tmp_path / 'here' / 'tiny' / 'models')


def test_home_is_expanded_in_a_root(parse, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert parse(path={'experiments_root': '~/e'})['path']['experiments_root'] == str(tmp_path / 'e' / 'tiny')


@pytest.mark.parametrize(('forced', 'expected'), [
    (['path:experiments_root=/forced'], '/forced/tiny'),
    (['path:experiments_root=/first', 'path:experiments_root=/last'], '/last/tiny'),
    (['name=other'], '/wished/other'),
])
def test_force_yml_wins(parse, forced, expected):
    assert parse('--force_yml', *forced, path={'experiments_root': '/wished'})['path']['experiments_root'] == expected


def test_force_yml_can_take_a_root_back(parse, tmp_path):
    opt = parse('--force_yml', 'path:experiments_root=~', path={'experiments_root': '/wished'})
    assert opt['path']['experiments_root'] == str(tmp_path / 'cwd' / 'experiments' / 'tiny')


def test_debug_renames_the_folder_under_a_wished_root_too(parse):
    opt = parse('--debug', path={'experiments_root': '/wished'})
    assert opt['path']['models'] == '/wished/debug_tiny/models'
    assert opt['val']['val_freq'] == 8


def test_every_dataset_learns_the_seed(parse):
    opt = parse(manual_seed=7)
    assert [dataset['manual_seed'] for dataset in opt['datasets'].values()] == [7, 7]


def test_without_a_seed_datasets_learn_the_drawn_one(parse):
    opt = parse(manual_seed=None)
    assert isinstance(opt['manual_seed'], int)
    assert opt['datasets']['train']['manual_seed'] == opt['manual_seed'] == torch.initial_seed()


def test_a_forced_seed_is_the_one_that_counts(parse):
    parse(manual_seed=7)
    expected = torch.rand(3), random.random()
    opt = parse('--force_yml', 'manual_seed=7', manual_seed=0)
    assert opt['datasets']['train']['manual_seed'] == 7
    assert torch.equal(torch.rand(3), expected[0])
    assert random.random() == expected[1]


def test_networks_and_losses_are_checked(parse, usage_error):
    with usage_error('network_g', "did you mean 'num_feat'?"):
        parse(network_g={'type': 'PKDNStudent', 'scale': 4, 'num_fat': 4})


def test_read_option_file_keeps_the_order_and_the_host_s_numbers(tmp_path):
    file = tmp_path / 'o.yml'
    file.write_text('b: !!float 1e-4\na: ~\nc: [1, 2]\n')
    assert list(read_option_file(str(file)).items()) == [('b', 1e-4), ('a', None), ('c', [1, 2])]


@pytest.mark.parametrize(('text', 'words'), [
    ('a: [1\nb: 2\n', ['not valid YAML']),
    ('just words', ['expected keys and values', 'str']),
    ('', ['expected keys and values', 'NoneType']),
    ('- 1\n', ['list']),
])
def test_read_option_file_says_what_is_wrong(tmp_path, text, words, usage_error):
    file = tmp_path / 'o.yml'
    file.write_text(text)
    with usage_error(file, *words):
        read_option_file(str(file))


def test_a_missing_option_file_is_named_with_its_folder(tmp_path, monkeypatch, usage_error):
    monkeypatch.chdir(tmp_path)
    with usage_error('no such option file', tmp_path / 'nothing.yml'):
        read_option_file('nothing.yml')


def test_a_metric_that_cannot_be_computed_is_left_out_aloud(parse, capsys):
    metrics = {'psnr': {'type': 'calculate_psnr', 'crop_border': 0},
               'lpips': {'type': 'calculate_lpips', 'weights': 'nowhere.pth', 'on_missing': 'skip'}}
    opt = parse(val={'val_freq': 1, 'save_img': False, 'metrics': metrics})
    assert list(opt['val']['metrics']) == ['psnr']
    assert 'val.metrics.lpips: n/a: LPIPS needs the weights of alex' in capsys.readouterr().out
