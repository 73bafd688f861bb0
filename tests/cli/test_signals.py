"""Ctrl-C, SIGTERM and SIGUSR1 during a training."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import tiny
import torch
from basicsr.models.sr_model import SRModel


def options(tiny_faces, total_iter=8):
    opt = tiny.train_options(tiny_faces)
    opt['train']['total_iter'] = total_iter
    opt['logger']['save_checkpoint_freq'] = 1000
    return opt


@pytest.fixture
def train(monkeypatch, basicsr_command, tiny_faces):
    """Train, with `flags` or going on; `at` an iteration the process gets a signal."""
    def run(folder, at=None, number=None, *flags):
        folder.mkdir(exist_ok=True)
        step = SRModel.optimize_parameters

        def step_and_signal(self, current_iter):
            if current_iter == at:
                signal.raise_signal(number)
            step(self, current_iter)

        if not flags and (folder / 'experiments').exists():
            flags = ['--auto_resume']
        with monkeypatch.context() as patch:
            patch.setattr(SRModel, 'optimize_parameters', step_and_signal)
            return basicsr_command(folder, 'train', '-opt', tiny.write_options(options(tiny_faces), folder / 'a.yml'),
                                   *flags)
    return run


def latest(folder):
    return torch.load(folder / 'experiments' / 'tiny' / 'models' / 'net_g_latest.pth', weights_only=True)['params']


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_saves_says_how_to_go_on_and_ends(tmp_path, train, number, status):
    found, out, _ = train(tmp_path / 'stopped', 3, number)
    assert found == status
    experiment = tmp_path / 'stopped' / 'experiments' / 'tiny'
    assert [path.name for path in (experiment / 'models').iterdir()] == ['net_g_3.pth']
    assert f'basicsr train -opt {tmp_path / "stopped" / "a.yml"} --auto_resume' in out
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)

    assert train(tmp_path / 'stopped')[0] == 0
    assert train(tmp_path / 'undisturbed')[0] == 0
    left, right = latest(tmp_path / 'stopped'), latest(tmp_path / 'undisturbed')
    assert all(torch.equal(left[key], right[key]) for key in right)


def test_a_run_that_went_back_says_how_to_go_on_with_itself(tmp_path, train, basicsr_command):
    """Begun at 3 again when there is 6: what is printed goes on with 4, not with 6."""
    for at in (3, 6):
        train(tmp_path, at, signal.SIGTERM)
    states = tmp_path / 'experiments' / 'tiny' / 'training_states'
    _, out, _ = train(tmp_path, 4, signal.SIGTERM, '--force_yml', f'path:resume_state={states / "3.state"}')
    command = shlex.split(out.splitlines()[-1].partition('go on with: basicsr ')[2])
    status, _, err = basicsr_command(tmp_path, *command)
    assert status == 0
    assert ', iter: 4.' in err


def test_slurm_s_warning_saves_and_the_run_goes_on(tmp_path, train):
    assert train(tmp_path, 3, signal.SIGUSR1)[0] == 0
    models = tmp_path / 'experiments' / 'tiny' / 'models'
    assert sorted(path.name for path in models.iterdir()) == ['net_g_3.pth', 'net_g_latest.pth']


def test_a_second_ctrl_c_ends_the_run_at_once(tmp_path, tiny_faces, console_script):
    """A real process, which is busy with a step that never ends."""
    plugin = tiny.PLUGIN + '\nimport time\nfrom basicsr.models.sr_model import SRModel\n' \
        "SRModel.optimize_parameters = lambda self, i: (print('busy', flush=True), time.sleep(600))\n"
    folder = tiny.write_plugin(tmp_path / 'plugin', plugin)
    file = tiny.write_options(options(tiny_faces), tmp_path / 'a.yml')
    process = subprocess.Popen([sys.executable, console_script, 'train', '-opt', file], cwd=tmp_path, text=True,
                               env={**os.environ, 'PYTHONPATH': str(folder)}, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    while 'busy' not in process.stdout.readline():
        assert process.poll() is None
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    assert process.wait(timeout=20) == -signal.SIGINT
