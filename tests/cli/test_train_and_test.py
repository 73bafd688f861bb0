import copy
import shutil
import signal
import sys

import pytest
import tiny
import torch
from basicsr.models.sr_model import SRModel


@pytest.fixture(scope='module')
def after_two(tmp_path_factory, tiny_faces):
    """A folder in which `python -m pkdn_basicsr train` ran two of its iterations in a process of its own."""
    cwd = tmp_path_factory.mktemp('after_two')
    opt = tiny.train_options(tiny_faces)
    opt['logger']['use_tb_logger'] = True
    file = tiny.write_options(opt, cwd / 'tiny.yml')
    done = tiny.run_python('-m', 'pkdn_basicsr', 'train', '-opt', file, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd


@pytest.fixture
def trained(after_two, tmp_path):
    """A copy of it."""
    return shutil.copytree(after_two, tmp_path / 'trained')


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def load(file, key='params'):
    return torch.load(file, weights_only=True)[key]


def steps(state):
    """How often the optimizer has stepped."""
    return {int(entry['step']) for entry in load(state, 'optimizers')[0]['state'].values()}


def test_train_writes_under_the_working_directory(trained):
    assert names(trained) == ['experiments', 'tb_logger', 'tiny.yml']
    assert names(trained / 'tb_logger') == names(trained / 'experiments') == ['tiny']
    root = trained / 'experiments' / 'tiny'
    assert names(root / 'models') == ['net_g_1.pth', 'net_g_2.pth', 'net_g_latest.pth']
    assert names(root / 'training_states') == ['1.json', '1.state', '2.json', '2.state']
    assert '# basicsr train -opt' in (root / 'tiny.yml').read_text()
    log, = root.glob('train_tiny_*.log')
    assert 'Validation tiny-val' in log.read_text()


def test_auto_resume_goes_on(trained, basicsr_command):
    status, _, log = basicsr_command(trained, 'train', '-opt', 'tiny.yml', '--auto_resume',
                                     '--force_yml', 'train:total_iter=4')
    assert status == 0
    root = trained / 'experiments' / 'tiny'
    assert names(trained / 'experiments') == ['tiny']
    assert f'Loading PKDNStudent model from {root / "models" / "net_g_2.pth"}' in log
    assert 'Resuming training from epoch: 0, iter: 2.' in log
    assert [iteration for iteration in range(1, 6) if f'iter: {iteration:7d}' in log] == [3, 4]
    assert names(root / 'training_states') == [f'{n}.{kind}' for n in range(1, 5) for kind in ('json', 'state')]
    assert steps(root / 'training_states' / '4.state') == {4}


def test_resumed_training_starts_from_the_networks_it_saved(trained, basicsr_command):
    basicsr_command(trained, 'train', '-opt', 'tiny.yml', '--auto_resume', '--force_yml', 'train:total_iter=3',
                    'train:optim_g:lr=0.0')
    models = trained / 'experiments' / 'tiny' / 'models'
    state = torch.load(trained / 'experiments' / 'tiny' / 'training_states' / '2.state', weights_only=True)
    assert state['optimizers'][0]['param_groups'][0]['lr'] == 0.001  # the state's rate counts, not the option's
    for key in ('params', 'params_ema'):
        before, after = load(models / 'net_g_2.pth', key), load(models / 'net_g_3.pth', key)
        for name in before:
            assert (before[name] - after[name]).abs().max() <= 0.0011, name  # one step of Adam, not a new network


def test_a_run_that_was_interrupted_goes_on(tmp_path, tiny_faces, basicsr_command, monkeypatch):
    opt = tiny.train_options(tiny_faces)
    opt['train']['total_iter'] = 3
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    step = SRModel.optimize_parameters

    def interrupted(self, current_iter):
        if current_iter == 3:
            raise KeyboardInterrupt
        step(self, current_iter)

    with monkeypatch.context() as patch:
        patch.setattr(SRModel, 'optimize_parameters', interrupted)
        assert basicsr_command(tmp_path, 'train', '-opt', file)[0] == 130
    root = tmp_path / 'experiments' / 'tiny'
    assert names(root / 'models') == ['net_g_1.pth', 'net_g_2.pth']

    assert basicsr_command(tmp_path, 'train', '-opt', file, '--auto_resume')[0] == 0
    assert names(root / 'models') == ['net_g_1.pth', 'net_g_2.pth', 'net_g_3.pth', 'net_g_latest.pth']
    assert steps(root / 'training_states' / '3.state') == {3}


def test_auto_resume_elsewhere_names_the_folder_and_leaves_the_experiment_alone(trained, tmp_path, basicsr_command):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    status, out, _ = basicsr_command(elsewhere, 'train', '-opt', trained / 'tiny.yml', '--auto_resume')
    assert status == 0
    assert f'no *.state file in {elsewhere / "experiments" / "tiny" / "training_states"}; starting from zero' in out
    assert names(trained / 'experiments') == names(elsewhere / 'experiments') == ['tiny']


def test_auto_resume_stops_where_the_experiment_has_no_state(trained, basicsr_command):
    states = trained / 'experiments' / 'tiny' / 'training_states'
    shutil.rmtree(states)
    before = names(trained / 'experiments' / 'tiny')
    status, _, err = basicsr_command(trained, 'train', '-opt', 'tiny.yml', '--auto_resume')
    assert status == 2
    assert err.startswith('basicsr train: error: --auto_resume found no *.state file')
    assert err.count('\n') == 1
    assert str(states) in err
    assert names(trained / 'experiments') == ['tiny']
    assert names(trained / 'experiments' / 'tiny') == before


def test_train_again_archives_as_the_host_does(trained, basicsr_command):
    assert basicsr_command(trained, 'train', '-opt', 'tiny.yml')[0] == 0
    experiments = names(trained / 'experiments')
    assert len(experiments) == 2
    assert experiments[0] == 'tiny'
    assert experiments[1].startswith('tiny_archived_')


def test_experiments_root_holds_the_run_and_resumes_from_any_directory(tmp_path, tiny_faces, basicsr_command):
    opt = tiny.train_options(tiny_faces)
    opt['path'] = {'experiments_root': str(tmp_path / 'store'), 'results_root': None}
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    here, there = tmp_path / 'here', tmp_path / 'there'
    for cwd, flags in ((here, []), (there, ['--auto_resume', '--force_yml', 'train:total_iter=3'])):
        cwd.mkdir()
        assert basicsr_command(cwd, 'train', '-opt', file, *flags)[0] == 0
        assert names(cwd) == []
    assert names(tmp_path / 'store') == ['tiny']
    states = [f'{n}.{kind}' for n in range(1, 4) for kind in ('json', 'state')]
    assert names(tmp_path / 'store' / 'tiny' / 'training_states') == states


def test_debug_has_its_own_folder(tmp_path, tiny_faces, basicsr_command):
    file = tiny.write_options(tiny.train_options(tiny_faces), tmp_path / 'tiny.yml')
    assert basicsr_command(tmp_path, 'train', '-opt', file, '--debug')[0] == 0
    assert names(tmp_path / 'experiments') == ['debug_tiny']


def test_optimizers_that_the_release_lacks_train(tmp_path, tiny_faces, basicsr_command):
    opt = tiny.train_options(tiny_faces)
    opt['train']['optim_g'] = {'type': 'AdamW', 'lr': 0.001, 'weight_decay': 0.01}
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    assert basicsr_command(tmp_path, 'train', '-opt', file)[0] == 0


def test_a_plugin_s_network_trains_and_its_average_has_its_statistics(tmp_path, tiny_faces, basicsr_command,
                                                                      install_plugin):
    install_plugin()
    opt = tiny.train_options(tiny_faces)
    opt['network_g'] = {'type': 'PluginNet', 'scale': 4}
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    assert basicsr_command(tmp_path, 'train', '-opt', file)[0] == 0
    saved = tmp_path / 'experiments' / 'tiny' / 'models' / 'net_g_latest.pth'
    average = load(saved, 'params_ema')
    assert average['body.0.num_batches_tracked'] == 2
    assert torch.equal(average['body.0.running_mean'], load(saved)['body.0.running_mean'])
    assert 'faces_plugin' in sys.modules


def options_for_testing(opt, weights, **path):
    opt = copy.deepcopy(opt)
    val = opt['datasets'].pop('val')
    opt['datasets'] = {'test': {**val, 'name': 'tiny-test'}}
    opt['path'] = {'pretrain_network_g': str(weights), 'param_key_g': 'params_ema', **path}
    opt['val'].update(save_img=True, suffix=None)
    del opt['train'], opt['logger']
    return opt


def test_the_test_verb_writes_results_under_the_working_directory(trained, tmp_path, tiny_faces, basicsr_command):
    weights = trained / 'experiments' / 'tiny' / 'models' / 'net_g_latest.pth'
    opt = options_for_testing(tiny.train_options(tiny_faces), weights)
    cwd = tmp_path / 'cwd'
    cwd.mkdir()
    status, _, log = basicsr_command(cwd, 'test', '-opt', tiny.write_options(opt, tmp_path / 'test.yml'))
    assert status == 0
    assert 'param key: [params_ema]' in log
    assert names(cwd) == ['results']
    assert names(cwd / 'results' / 'tiny' / 'visualization' / 'tiny-test') == [f'{n}_tiny.png' for n in range(8)]


def test_ctrl_c_during_a_test_is_one_line(trained, tmp_path, tiny_faces, basicsr_command, monkeypatch):
    weights = trained / 'experiments' / 'tiny' / 'models' / 'net_g_latest.pth'
    file = tiny.write_options(options_for_testing(tiny.train_options(tiny_faces), weights), tmp_path / 'test.yml')
    monkeypatch.setattr(SRModel, 'test', lambda self: signal.raise_signal(signal.SIGINT))
    status, _, err = basicsr_command(tmp_path, 'test', '-opt', file)
    assert status == 130
    assert err.endswith('\nbasicsr test: interrupted\n')


@pytest.mark.parametrize('forced', [False, True])
def test_results_root_holds_the_results(trained, tmp_path, tiny_faces, basicsr_command, forced):
    weights = trained / 'experiments' / 'tiny' / 'models' / 'net_g_latest.pth'
    wish = {} if forced else {'results_root': str(tmp_path / 'store')}
    opt = options_for_testing(tiny.train_options(tiny_faces), weights, experiments_root='unused', **wish)
    flags = ['--force_yml', f'path:results_root={tmp_path / "store"}'] if forced else []
    cwd = tmp_path / 'cwd'
    cwd.mkdir()
    status, *_ = basicsr_command(cwd, 'test', '-opt', tiny.write_options(opt, tmp_path / 'test.yml'), *flags)
    assert status == 0
    assert names(cwd) == []
    assert 'visualization' in names(tmp_path / 'store' / 'tiny')


def test_a_resumed_distillation_keeps_its_teacher(tmp_path, tiny_faces, basicsr_command):
    teacher = tiny.train_options(tiny_faces)
    teacher.update(name='teacher', model_type='PKDNTeacherModel')
    teacher['network_g'].update(type='PKDNTeacher', num_classes=19)
    for dataset in teacher['datasets'].values():
        dataset.update(dataroot_parsing=str(tiny_faces / 'parsing'))
    assert basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(teacher, tmp_path / 't.yml'))[0] == 0

    student = tiny.train_options(tiny_faces)
    student.update(name='student', model_type='DistillationModel', network_t=teacher['network_g'])
    student['network_g']['num_feat'] = 3  # other width: adapters
    student['datasets']['train'].update(dataroot_parsing=str(tiny_faces / 'parsing'))
    weights = tmp_path / 'experiments' / 'teacher' / 'models' / 'net_g_latest.pth'
    student['path'] = {'pretrain_network_t': str(weights), 'param_key_t': 'params_ema'}
    student['train'].update(feature_opt={'type': 'FeatureL1Loss'}, soft_opt={'type': 'L1Loss'})
    file = tiny.write_options(student, tmp_path / 's.yml')
    assert basicsr_command(tmp_path, 'train', '-opt', file)[0] == 0
    status, _, log = basicsr_command(tmp_path, 'train', '-opt', file, '--auto_resume',
                                     '--force_yml', 'train:total_iter=3')
    assert status == 0, log
    assert f'Loading PKDNTeacher model from {weights}, with param key: [params_ema].' in log
    assert 'net_g_2.pth, with param key: [params].' in log
    assert load(tmp_path / 'experiments' / 'student' / 'training_states' / '3.state', 'extra')['adapters']
