import json
from itertools import product

import pytest
import tiny
import torch
import torch.distributed as dist
from basicsr.models.base_model import BaseModel
from basicsr.utils import dist_util
from torch import nn

RANKS = (0, 1)


@pytest.fixture(scope='module')
def two_ranks(tmp_path_factory, tiny_faces):
    """A run of two processes on CPU, with what BasicSR makes hard.

    A loader worker (spawned, because of the launcher) with a dataset of BasicSR, no manual_seed, and a network with
    BatchNorm that is validated itself, on rank 0 alone, in the middle and at the end.
    """
    cwd = tmp_path_factory.mktemp('two_ranks')
    opt = tiny.train_options(tiny_faces)
    opt['model_type'] = 'RankReportModel'
    opt['network_g'] = {'type': 'PluginNet', 'scale': 4}
    opt['datasets']['train'].update(type='PairedImageDataset', dataroot_lq=str(tiny_faces / 'lq'), use_rot=False,
                                    use_hflip=False, io_backend={'type': 'disk'}, num_worker_per_gpu=1,
                                    persistent_workers=True)
    opt['val']['val_freq'] = 1
    del opt['manual_seed'], opt['train']['ema_decay']
    file = tiny.write_options(opt, cwd / 'tiny.yml')
    done = tiny.run_python('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', '-m', 'pkdn_basicsr',
                           'train', '-opt', file, '--launcher', 'pytorch', '--auto_resume',
                           cwd=cwd, python_path=tiny.write_plugin(cwd / 'site'), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return cwd, done


@pytest.fixture
def reports(two_ranks):
    """What each process wrote down: `reports[rank, iteration]`."""
    cwd, _ = two_ranks
    return {(rank, iteration): json.loads((cwd / f'rank{rank}_{iteration}.json').read_text())
            for rank, iteration in product(RANKS, (1, 2, -1))}


def test_two_processes_train_and_rank_zero_validates_to_the_end(two_ranks):
    cwd, done = two_ranks
    assert done.stderr.count('Validation tiny-val') == 3
    models = cwd / 'experiments' / 'tiny' / 'models'
    assert sorted(file.name for file in models.iterdir()) == ['net_g_1.pth', 'net_g_2.pth', 'net_g_latest.pth']


def test_auto_resume_of_a_new_run_is_told_once_and_no_rank_takes_the_new_folder_for_an_old_one(two_ranks):
    cwd, done = two_ranks
    assert done.stdout.count('starting from zero') == 1
    assert [folder.name for folder in (cwd / 'experiments').iterdir()] == ['tiny']


def test_all_ranks_have_one_seed_also_when_the_option_file_has_none(reports):
    assert reports[0, 1]['seed'] == reports[1, 1]['seed']


def test_the_ranks_share_the_faces_between_them(reports):
    seen = [set(reports[rank, -1]['seen']) for rank in RANKS]
    assert len(seen[0]) == len(seen[1]) == 4
    assert not seen[0] & seen[1]


@pytest.mark.parametrize('what', ['noise', 'weight'])
def test_networks_are_equal_on_all_ranks(reports, what):
    for iteration in (1, 2):
        assert reports[0, iteration][what] == reports[1, iteration][what]


def test_the_network_learns(reports):
    assert reports[0, 1]['weight'] != reports[0, 2]['weight']


@pytest.fixture
def started(monkeypatch):
    """Record what starting a process group would do; `RANK` is 3."""
    calls = {}
    monkeypatch.setenv('RANK', '3')
    monkeypatch.setattr(dist_util.mp, 'set_start_method', lambda method: None)  # it would last beyond the test
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: calls.update(device=device))
    monkeypatch.setattr(dist, 'init_process_group', lambda **how: calls.update(how))
    return calls


def test_without_gpu_gloo_starts(started, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    dist_util.init_dist('pytorch')
    assert started == {'backend': 'gloo'}


def test_with_gpus_the_host_starts_nccl_on_the_gpu_of_its_rank(started, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    dist_util.init_dist('pytorch')
    assert started == {'backend': 'nccl', 'device': 1}


def test_one_process_is_not_wrapped():
    net = nn.BatchNorm1d(2)
    assert BaseModel({'num_gpu': 0, 'is_train': True, 'dist': False}).model_to_device(net) is net


def test_a_console_script_under_torchrun_spawns_its_workers_too(tmp_path, tiny_faces, console_script):
    opt = tiny.train_options(tiny_faces)
    opt['datasets']['train'].update(type='PairedImageDataset', dataroot_lq=str(tiny_faces / 'lq'), use_rot=False,
                                    use_hflip=False, io_backend={'type': 'disk'}, num_worker_per_gpu=1,
                                    persistent_workers=True)
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    done = tiny.run_python('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '1', console_script,
                           'train', '-opt', file, '--launcher', 'pytorch', cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / 'experiments' / 'tiny' / 'models' / 'net_g_latest.pth').is_file()
