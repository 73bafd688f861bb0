"""Two processes on CPU: stopped, killed or left alone by the other one, and resumed exactly."""

import signal
from functools import partial

import pytest
import tiny
from experiment import assert_equal, contents
from faults import process

KILL, TERM = (partial(signal.raise_signal, number) for number in (signal.SIGKILL, signal.SIGTERM))
PLUGIN = """
import os
import signal

import torch
from basicsr.models.base_model import BaseModel
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

RANK, ITERATION = map(int, os.environ.get('KILLED', '-1,0').split(','))
update = BaseModel.update_learning_rate


def update_or_die(self, current_iter, *args, **kwargs):
    if (self.opt['rank'], current_iter) == (RANK, ITERATION):
        os.kill(os.getpid(), signal.SIGKILL)
    update(self, current_iter, *args, **kwargs)


BaseModel.update_learning_rate = update_or_die


@ARCH_REGISTRY.register()
class DropoutPluginNet(nn.Module):
    '''A network that draws from the global generator, which differs between the processes.'''

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, lq):
        return F.dropout(self.conv(F.interpolate(lq, scale_factor=4)), 0.5, self.training)
"""


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    return tiny.write_plugin(tmp_path_factory.mktemp('site') / 'site', PLUGIN)


def write_options(folder, tiny_faces, workers=0):
    """24 iterations, two an epoch; a checkpoint at every fourth, a validation at every eighth."""
    opt = tiny.train_options(tiny_faces)
    opt.update(model_type='FaceSRModel', network_g={'type': 'DropoutPluginNet'})
    opt['datasets']['train'].update(use_hflip=True, gt_size=24, crop_range=[24, 32], num_worker_per_gpu=workers)
    if workers:
        opt['datasets']['train']['persistent_workers'] = True  # they are spawned: five seconds each
    opt['train'].update(total_iter=24)
    opt['val'].update(val_freq=8, save_best='psnr')
    opt['logger'].update(save_checkpoint_freq=4)
    folder.mkdir()
    return tiny.write_options(opt, folder / 'tiny.yml')


@pytest.fixture
def train(site, monkeypatch):
    """Train with two processes that are forked; return exit statuses and what they said."""
    monkeypatch.syspath_prepend(site)

    def run(folder, first=None):
        both = process.start_two(folder, 'train', '-opt', folder / 'tiny.yml', '--auto_resume', first=first)
        return zip(*[command.wait() for command in both], strict=True)
    return run


@pytest.fixture
def torchrun(site, monkeypatch):
    """Train under torchrun; `killed` is 'rank,iteration'."""
    def run(folder, killed='-1,0'):
        monkeypatch.setenv('KILLED', killed)
        return tiny.run_python('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', '-m',
                               'pkdn_basicsr', 'train', '-opt', folder / 'tiny.yml', '--launcher', 'pytorch',
                               '--auto_resume', cwd=folder, python_path=site)
    return run


@pytest.fixture
def undisturbed(tmp_path, tiny_faces, train):
    """The contents of an experiment of two processes that nobody disturbed."""
    write_options(tmp_path / 'undisturbed', tiny_faces)
    statuses, said = train(tmp_path / 'undisturbed')
    assert statuses == (0, 0), said
    return contents(tmp_path / 'undisturbed' / 'experiments' / 'tiny')


def compare(experiment, undisturbed, *also):
    """Compare all that an undisturbed run has left; `also` are further files of the other."""
    found = contents(experiment)
    assert set(found[0]) - set(undisturbed[0]) == set(also)
    assert_equal([{name: part[name] for name in part if name not in also} for part in found], list(undisturbed))


def test_killed_at_once_and_resumed(tmp_path, tiny_faces, train, undisturbed):
    write_options(tmp_path / 'killed', tiny_faces)
    for iteration in (6, 17):  # inside an epoch that is half done; the next checkpoints are those of 4 and 16
        kill = process.at_iteration(iteration, KILL)
        statuses, _ = train(tmp_path / 'killed', kill)
        assert statuses == (-signal.SIGKILL, -signal.SIGKILL)
    statuses, said = train(tmp_path / 'killed')
    assert statuses == (0, 0), said
    compare(tmp_path / 'killed' / 'experiments' / 'tiny', undisturbed)


def test_without_the_generators_of_one_a_checkpoint_is_not_complete(tmp_path, tiny_faces, train, undisturbed):
    write_options(tmp_path / 'killed', tiny_faces)
    train(tmp_path / 'killed', process.at_iteration(14, KILL))
    (tmp_path / 'killed' / 'experiments' / 'tiny' / 'training_states' / '12_random_1.pth').unlink()
    statuses, said = train(tmp_path / 'killed')
    assert statuses == (0, 0), said
    assert '12_random_1.pth is missing; going back to the one before' in said[0]
    compare(tmp_path / 'killed' / 'experiments' / 'tiny', undisturbed)


def test_one_is_told_to_end_both_save_and_end_and_are_resumed(tmp_path, tiny_faces, train, undisturbed):
    write_options(tmp_path / 'stopped', tiny_faces)
    statuses, said = train(tmp_path / 'stopped', process.at_iteration(13, TERM, rank=1))
    assert statuses == (143, 143), said
    assert 'stopped after iteration 19' in said[0]  # they ask each other at every tenth
    statuses, said = train(tmp_path / 'stopped')
    assert statuses == (0, 0), said
    compare(tmp_path / 'stopped' / 'experiments' / 'tiny', undisturbed, 'net_g_19.pth', '19.state', '19_random_1.pth')


def test_one_is_killed_and_the_other_says_so(tmp_path, tiny_faces, train, undisturbed):
    write_options(tmp_path / 'killed', tiny_faces)
    statuses, said = train(tmp_path / 'killed', process.at_iteration(14, KILL, rank=1))
    assert statuses == (2, -signal.SIGKILL), said
    assert 'another process of this run has ended' in said[0].splitlines()[-1]
    statuses, said = train(tmp_path / 'killed')
    assert statuses == (0, 0), said
    compare(tmp_path / 'killed' / 'experiments' / 'tiny', undisturbed)


def test_one_is_killed_under_torchrun_and_both_are_resumed(tmp_path, tiny_faces, torchrun, undisturbed):
    """Both have ended in `run_process`'s time, or the test fails; torchrun says which was killed."""
    write_options(tmp_path / 'killed', tiny_faces)
    done = torchrun(tmp_path / 'killed', '1,14')
    assert done.returncode != 0
    assert 'Signal 9 (SIGKILL)' in done.stderr
    assert '[rank0]: Traceback' not in done.stderr
    done = torchrun(tmp_path / 'killed')
    assert done.returncode == 0, done.stderr
    compare(tmp_path / 'killed' / 'experiments' / 'tiny', undisturbed)


@pytest.mark.slow
def test_with_spawned_loader_workers(tmp_path, tiny_faces, torchrun):
    for name in ('undisturbed', 'killed'):
        write_options(tmp_path / name, tiny_faces, workers=2)
    assert torchrun(tmp_path / 'undisturbed').returncode == 0
    assert torchrun(tmp_path / 'killed', '0,14').returncode != 0
    done = torchrun(tmp_path / 'killed')
    assert done.returncode == 0, done.stderr
    compare(tmp_path / 'killed' / 'experiments' / 'tiny', contents(tmp_path / 'undisturbed' / 'experiments' / 'tiny'))
