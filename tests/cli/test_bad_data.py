"""Bad data during real runs: files, loader workers, losses, metrics."""

import itertools
import re
import shutil

import cv2
import numpy as np
import pytest
import tiny
import torch
from basicsr.utils.registry import METRIC_REGISTRY
from experiment import assert_equal, contents

from pkdn_basicsr.host import run as host_run

KILLER = """
import multiprocessing, os, signal
from pkdn_basicsr.models.loss_dict_model import LossDictModel

step = LossDictModel.optimize_parameters

def step_and_kill(self, current_iter):
    step(self, current_iter)
    if current_iter == 3:
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

LossDictModel.optimize_parameters = step_and_kill
"""

POISON = """
from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset

get = ParsingMapDataset.__getitem__

def get_poisoned(self, index):
    sample = get(self, index)
    return {**sample, 'gt': sample['gt'] * float('nan')} if sample['gt_path'].endswith('5.png') else sample

ParsingMapDataset.__getitem__ = get_poisoned
"""


@pytest.fixture
def faces(tiny_faces, tmp_path):
    """A copy of the faces, of which 3 is cut off."""
    folder = shutil.copytree(tiny_faces, tmp_path / 'faces')
    whole = (folder / 'gt' / '3.png').read_bytes()
    (folder / 'gt' / '3.png').write_bytes(whole[:len(whole) // 2])
    return folder


def options(faces):
    """Eight iterations, four an epoch."""
    opt = tiny.train_options(faces)
    opt['model_type'] = 'FaceSRModel'
    opt['train'].update(total_iter=8)
    opt['datasets']['train'].update(use_hflip=True)
    return opt


def training_only(faces, **train_set):
    opt = options(faces)
    del opt['val'], opt['datasets']['val']
    opt['datasets']['train'].update(train_set)
    return opt


def hosts(faces, opt):
    """Let the host's own classes do it."""
    paired = {'type': 'PairedImageDataset', 'dataroot_lq': str(faces / 'lq'), 'io_backend': {'type': 'disk'}}
    opt['model_type'] = 'SRModel'
    for dataset in opt['datasets'].values():
        dataset.update(paired)
    opt['datasets']['train'].update(use_rot=False)
    return opt


def run(basicsr_command, folder, opt, verb='train', *flags):
    folder.mkdir(exist_ok=True)
    status, _, err = basicsr_command(folder, verb, '-opt', tiny.write_options(opt, folder / 'a.yml'), *flags)
    assert 'Traceback' not in err
    return status, err.splitlines()[-1], err


@pytest.mark.parametrize('train_set', [{}, {'num_worker_per_gpu': 2}, {'prefetch_mode': 'cpu'}], ids=str)
@pytest.mark.parametrize('is_hosts', [False, True])
def test_a_bad_file_stops_the_run(tmp_path, faces, basicsr_command, train_set, is_hosts):
    opt = training_only(faces, **train_set)
    status, line, _ = run(basicsr_command, tmp_path, hosts(faces, opt) if is_hosts else opt)
    assert status == 2
    assert line.startswith(f'basicsr train: error: {faces}/gt/3.png: cannot be read: ')
    assert line.endswith('; replace the file or leave it out; or train without such files by on_bad_file: skip')


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('is_hosts', [False, True])
def test_bad_files_are_skipped_told_once_and_listed_at_the_end(tmp_path, faces, basicsr_command, workers, is_hosts):
    (faces / 'gt' / '6.png').write_bytes(b'')
    opt = training_only(faces, on_bad_file='skip', num_worker_per_gpu=workers)
    status, _, err = run(basicsr_command, tmp_path, hosts(faces, opt) if is_hosts else opt)
    assert status == 0
    for name in ('3.png', '6.png'):
        assert err.count(f'WARNING: Skipped: {faces}/gt/{name}') == 1
    end = err.partition('Bad files that were skipped')[2]
    assert ': 2. All are listed in' in end
    assert all(f'gt/{name}' in end for name in ('3.png', '6.png'))
    listed = (tmp_path / 'experiments' / 'tiny' / 'bad_files.txt').read_text().splitlines()
    assert sorted(line.partition(': ')[0] for line in listed) == [f'{faces}/gt/{name}' for name in ('3.png', '6.png')]


@pytest.mark.parametrize('workers', [0, 2])
def test_a_run_that_skips_resumes_exactly(tmp_path, faces, basicsr_command, workers):
    opt = training_only(faces, on_bad_file='skip', num_worker_per_gpu=workers)
    assert run(basicsr_command, tmp_path / 'undisturbed', opt)[0] == 0
    for last in (3, 6, 8):  # inside an epoch and inside the next
        opt['train']['total_iter'] = last
        assert run(basicsr_command, tmp_path / 'stopped', opt, 'train', '--auto_resume')[0] == 0
    experiments = [tmp_path / folder / 'experiments' / 'tiny' for folder in ('undisturbed', 'stopped')]
    assert_equal(*map(contents, experiments))
    texts = [(experiment / 'bad_files.txt').read_text() for experiment in experiments]
    assert texts[0] == texts[1]
    assert texts[0].count('\n') == 1


@pytest.mark.parametrize('is_hosts', [False, True])
def test_a_validation_never_skips(tmp_path, faces, basicsr_command, is_hosts):
    opt = options(faces)
    opt['datasets']['train']['on_bad_file'] = 'skip'
    opt = hosts(faces, opt) if is_hosts else opt
    status, line, _ = run(basicsr_command, tmp_path, opt)
    assert status == 2
    assert f'{faces}/gt/3.png: cannot be read' in line
    assert 'on_bad_file' not in line
    opt['datasets']['val']['on_bad_file'] = 'skip'
    status, _, err = run(basicsr_command, tmp_path, opt)
    assert status == 2
    assert 'on_bad_file' in err


def test_a_training_set_that_is_tested_skips_nothing(tmp_path, faces, basicsr_command, monkeypatch):
    monkeypatch.setattr(host_run, 'current', host_run.Run())  # as in a process that has not trained before
    opt = options(faces)
    opt['network_g'] = {'type': 'Bicubic', 'scale': 4}
    opt['datasets'] = {'train': {**opt['datasets']['train'], 'on_bad_file': 'skip'}}
    opt['val']['suffix'] = None
    del opt['train'], opt['logger'], opt['val']['val_freq']
    status, line, _ = run(basicsr_command, tmp_path, opt, 'test')
    assert status == 2
    assert line.startswith(f'basicsr test: error: {faces}/gt/3.png: cannot be read: ')


def test_a_killed_worker_is_explained(tmp_path, tiny_faces):
    opt = training_only(tiny_faces, num_worker_per_gpu=2)
    opt['train']['total_iter'] = 1000
    done = tiny.run_python('-m', 'pkdn_basicsr', 'train', '-opt', tiny.write_options(opt, tmp_path / 'a.yml'),
                           cwd=tmp_path, python_path=tiny.write_plugin(tmp_path / 'site', KILLER))
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 2
    assert 'Traceback' not in done.stderr
    for words in ('a loader worker (process ', 'memory ran out', 'num_worker_per_gpu (now 2)',
                  'the last good checkpoint is iteration ', 'go on with: basicsr train -opt '):
        assert words in line


@pytest.mark.parametrize('is_hosts', [False, True])
def test_a_learning_rate_without_measure_ends_in_one_line(tmp_path, tiny_faces, basicsr_command, is_hosts):
    opt = training_only(tiny_faces)
    opt['train']['optim_g']['lr'] = 1e30
    opt['logger'] = {'print_freq': 100, 'save_checkpoint_freq': 1, 'use_tb_logger': False}
    status, line, _ = run(basicsr_command, tmp_path, hosts(tiny_faces, opt) if is_hosts else opt)
    assert status == 2
    for words in ('iteration 2: l_pix = nan, at learning rate 1e+30, with the batch ', f'.png of {tiny_faces}/gt',
                  'the last good checkpoint is iteration 1; go on with: basicsr train -opt ', '--auto_resume'):
        assert words in line
    models = tmp_path / 'experiments' / 'tiny' / 'models'
    assert [path.name for path in models.iterdir()] == ['net_g_1.pth']
    saved = torch.load(models / 'net_g_1.pth', weights_only=True)
    assert all(value.isfinite().all() for net in saved.values() for value in net.values())


def test_one_process_of_two_meets_nan_and_both_stop(tmp_path, tiny_faces):
    opt = training_only(tiny_faces)
    opt['logger'].update(print_freq=3, save_checkpoint_freq=3)
    done = tiny.run_python('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', '-m', 'pkdn_basicsr',
                           'train', '-opt', tiny.write_options(opt, tmp_path / 'a.yml'), '--launcher', 'pytorch',
                           cwd=tmp_path, python_path=tiny.write_plugin(tmp_path / 'site', POISON))
    # torchrun ends the second process when the first has ended, perhaps before it speaks; hence both say all
    line, = {line for line in done.stderr.splitlines() if line.startswith('basicsr train: error: ')}
    assert 'l_pix = nan' in line
    assert '5.png' in line
    assert 'exitcode  : 2' in done.stderr
    assert not list((tmp_path / 'experiments' / 'tiny' / 'models').iterdir())


@pytest.fixture
def fails_at_the_fifth(monkeypatch):
    """A metric that cannot be computed on the fifth picture; the list that the picture is then put into."""
    count, pictures = itertools.count(1), []

    def calculate_odd(img, img2):
        if next(count) == 5:
            pictures.append(img2)
            raise KeyError('mouth')
        return 1.

    monkeypatch.setitem(METRIC_REGISTRY._obj_map, 'calculate_odd', calculate_odd)
    return pictures


@pytest.mark.parametrize('is_hosts', [False, True])
@pytest.mark.parametrize('verb', ['train', 'test'])
def test_a_metric_that_fails_names_the_picture(tmp_path, tiny_faces, basicsr_command, fails_at_the_fifth, verb,
                                               is_hosts):
    opt = options(tiny_faces)
    opt['val']['metrics'] = {'odd': {'type': 'calculate_odd'}}
    opt = hosts(tiny_faces, opt) if is_hosts else opt
    if verb == 'test':
        opt = {**opt, 'network_g': {'type': 'Bicubic', 'scale': 4}, 'datasets': {'test_1': opt['datasets']['val']}}
        opt['val']['suffix'] = None
        del opt['train'], opt['logger'], opt['val']['val_freq']
    status, line, _ = run(basicsr_command, tmp_path, opt, verb)
    assert status == 2
    assert line.endswith(".png: calculate_odd of val.metrics cannot be computed: KeyError: 'mouth'" if is_hosts else
                         "val.metrics.odd: 4.png: calculate_odd cannot be computed: KeyError: 'mouth'")
    name, = re.findall(r'\d\.png', line)
    assert np.array_equal(cv2.imread(str(tiny_faces / 'gt' / name)), fails_at_the_fifth[0])
