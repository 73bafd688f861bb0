"""Every documented way to start several processes trains the same network, on CPU."""

import csv
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import tiny
import torch

TORCHRUN = [sys.executable, '-m', 'torch.distributed.run']
TRAIN = ['-m', 'pkdn_basicsr', 'train', '-opt', 'tiny.yml']


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def one_process(folder, port):
    return [([sys.executable, *TRAIN], {})]


def one_node(folder, port):
    return [([*TORCHRUN, '--standalone', '--nproc_per_node', '2', *TRAIN, '--launcher', 'pytorch'], {})]


def two_nodes(folder, port):
    """Two torchruns, which would stand on two machines."""
    return [([*TORCHRUN, '--nnodes', '2', '--node_rank', str(node), '--nproc_per_node', '1', '--master_addr',
              '127.0.0.1', '--master_port', str(port), *TRAIN, '--launcher', 'pytorch'], {}) for node in range(2)]


def slurm(folder, port):
    """What srun starts; `scontrol`, which knows the names of the nodes, is not to be had here."""
    scontrol = folder / 'bin' / 'scontrol'
    scontrol.parent.mkdir()
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostname node[1-2]" ] && echo 127.0.0.1 && echo 127.0.0.2\n')
    scontrol.chmod(0o755)
    path = f'{scontrol.parent}{os.pathsep}{os.environ["PATH"]}'
    return [([sys.executable, *TRAIN, '--launcher', 'slurm'],
             {'PATH': path, 'SLURM_PROCID': str(rank), 'SLURM_NTASKS': '2', 'SLURM_NODELIST': 'node[1-2]',
              'MASTER_PORT': str(port)}) for rank in range(2)]


def train(start, folder, faces, port, batch_size):
    """Return the weights and the values of every validated face."""
    opt = tiny.train_options(faces)
    opt['model_type'] = 'FaceSRModel'
    opt['datasets']['train'].update(batch_size_per_gpu=batch_size, use_hflip=False)
    opt['train']['optim_g'] = {'type': 'SGD', 'lr': 0.1}
    tiny.write_options(opt, folder / 'tiny.yml')
    shared = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    commands = start(folder, port)
    with ThreadPoolExecutor(len(commands)) as pool:
        runs = list(pool.map(lambda command: subprocess.run(command[0], cwd=folder, env={**shared, **command[1]},
                                                            capture_output=True, text=True, timeout=240), commands))
    assert all(run.returncode == 0 for run in runs), '\n'.join(run.stdout + run.stderr for run in runs)
    experiment = folder / 'experiments' / 'tiny'
    weights = torch.load(experiment / 'models' / 'net_g_2.pth', weights_only=True)['params_ema']
    with (experiment / 'per_image' / 'tiny-val_2.csv').open() as file:
        return weights, {row['image']: float(row['psnr']) for row in csv.DictReader(file)}


@pytest.fixture(scope='module')
def alone(tmp_path_factory, tiny_faces):
    return train(one_process, tmp_path_factory.mktemp('alone'), tiny_faces, 0, batch_size=4)


@pytest.mark.parametrize('start', [one_node, two_nodes, slurm])
def test_two_processes_train_and_validate_as_one(start, tmp_path, tiny_faces, port, alone):
    weights, values = train(start, tmp_path, tiny_faces, port, batch_size=2)
    torch.testing.assert_close(weights, alone[0], rtol=1e-4, atol=1e-6)
    assert values == pytest.approx(alone[1], abs=0.01)  # dB; the weights, hence some of the bytes, differ by rounding
