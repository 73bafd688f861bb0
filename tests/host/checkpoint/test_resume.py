import basicsr.train
import pytest
import torch


@pytest.fixture
def experiment(tmp_path):
    """The options of an experiment with the given states and their networks; `resume` is on."""
    def make(iterations=(), networks=('network_g',), auto_resume=True, **path):
        root = tmp_path / 'experiments' / 'faces'
        for iteration in iterations:
            for folder in ('models', 'training_states'):
                (root / folder).mkdir(parents=True, exist_ok=True)
            torch.save({'epoch': 1, 'iter': iteration, 'optimizers': [{'weight': torch.ones(1)}], 'schedulers': []},
                       root / 'training_states' / f'{iteration}.state')
            (root / 'models' / f'net_g_{iteration}.pth').touch()
        return {'name': 'faces', 'auto_resume': auto_resume, 'rank': 0, **{network: {} for network in networks},
                'path': {'experiments_root': str(root), 'models': str(root / 'models'),
                         'training_states': str(root / 'training_states'), **path}}
    return make


def test_auto_resume_takes_the_highest_number_not_the_last_name(experiment, tmp_path):
    opt = experiment([9, 10])
    state = basicsr.train.load_resume_state(opt)
    assert state['iter'] == 10
    assert opt['path']['resume_state'].endswith('10.state')
    assert opt['path']['pretrain_network_g'] == str(tmp_path / 'experiments' / 'faces' / 'models' / 'net_g_10.pth')


def test_the_state_is_on_the_cpu(experiment):
    state = basicsr.train.load_resume_state(experiment([1]))
    assert state['optimizers'][0]['weight'].device.type == 'cpu'


def test_the_working_directory_does_not_matter(experiment, tmp_path, monkeypatch):
    opt = experiment([3])
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    assert basicsr.train.load_resume_state(opt)['iter'] == 3


def test_auto_resume_of_a_new_experiment_names_the_folder_and_starts(experiment, tmp_path, capsys):
    assert basicsr.train.load_resume_state(experiment()) is None
    assert str(tmp_path / 'experiments' / 'faces' / 'training_states') in capsys.readouterr().out


def test_auto_resume_stops_at_an_experiment_without_state(experiment, tmp_path, usage_error):
    (tmp_path / 'experiments' / 'faces').mkdir(parents=True)
    with usage_error(tmp_path / 'experiments' / 'faces' / 'training_states', 'found no *.state', 'exists'):
        basicsr.train.load_resume_state(experiment())
    assert [folder.name for folder in (tmp_path / 'experiments').iterdir()] == ['faces']


def test_without_resume_nothing_is_loaded(experiment):
    assert basicsr.train.load_resume_state(experiment([1], auto_resume=False)) is None
    assert basicsr.train.load_resume_state(experiment([1], auto_resume=False, resume_state=None)) is None


def test_a_named_state_is_loaded(experiment, tmp_path):
    state = tmp_path / 'experiments' / 'faces' / 'training_states' / '4.state'
    opt = experiment([4, 5], auto_resume=False, resume_state=str(state))
    assert basicsr.train.load_resume_state(opt)['iter'] == 4
    assert opt['path']['pretrain_network_g'].endswith('net_g_4.pth')


def test_a_named_state_that_is_missing(experiment, tmp_path, usage_error):
    with usage_error('path.resume_state', tmp_path / 'no.state'):
        basicsr.train.load_resume_state(experiment(auto_resume=False, resume_state=str(tmp_path / 'no.state')))


@pytest.mark.parametrize('keep', [0, 100])
def test_a_state_that_was_cut_off_while_written(experiment, tmp_path, keep, usage_error):
    opt = experiment([1, 2])
    state = tmp_path / 'experiments' / 'faces' / 'training_states' / '2.state'
    state.write_bytes(state.read_bytes()[:keep])
    with usage_error(state, 'no complete training state'):
        basicsr.train.load_resume_state(opt)


def test_a_state_whose_network_is_missing(experiment, tmp_path, usage_error):
    opt = experiment([2])
    (tmp_path / 'experiments' / 'faces' / 'models' / 'net_g_2.pth').unlink()
    with usage_error('2.state', tmp_path / 'experiments' / 'faces' / 'models' / 'net_g_2.pth'):
        basicsr.train.load_resume_state(opt)


def test_a_teacher_keeps_its_file_and_its_key(experiment):
    opt = experiment([2], networks=('network_g', 'network_t'), pretrain_network_t='teacher.pth',
                     param_key_t='params_ema', param_key_g='params_ema')
    basicsr.train.load_resume_state(opt)
    assert opt['path']['pretrain_network_t'] == 'teacher.pth'
    assert opt['path']['param_key_t'] == 'params_ema'
    assert opt['path']['param_key_g'] == 'params'


@pytest.mark.parametrize('ignored', ['network_identity', ['network_identity']])
def test_networks_that_the_file_ignores_stay_ignored_beside_the_teacher(experiment, ignored):
    opt = experiment([2], networks=('network_g', 'network_identity', 'network_t'), ignore_resume_networks=ignored,
                     pretrain_network_identity='identity.pth', pretrain_network_t='teacher.pth')
    basicsr.train.load_resume_state(opt)
    assert opt['path']['pretrain_network_identity'] == 'identity.pth'
    assert opt['path']['pretrain_network_t'] == 'teacher.pth'
    assert opt['path']['pretrain_network_g'].endswith('net_g_2.pth')
