"""A training run small enough for a test: eight faces of 32x32 pixels and a student with four features."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

PLUGIN = """
import json

import torch
from basicsr.models.sr_model import SRModel
from basicsr.utils.registry import ARCH_REGISTRY, MODEL_REGISTRY
from torch import nn


@ARCH_REGISTRY.register()
class PluginNet(nn.Module):

    def __init__(self, scale):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(3), nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))
        self.register_buffer('noise', torch.rand(3, 1, 1))  # drawn once, then constant

    def forward(self, x):
        return self.body(x + self.noise)


@MODEL_REGISTRY.register()
class RankReportModel(SRModel):
    seen = []

    def feed_data(self, data):
        super().feed_data(data)
        self.paths = data['lq_path']

    def optimize_parameters(self, current_iter):
        super().optimize_parameters(current_iter)
        self.seen += self.paths

    def save(self, epoch, current_iter):
        super().save(epoch, current_iter)
        net = self.get_bare_model(self.net_g)
        with open(f'rank{self.opt["rank"]}_{current_iter}.json', 'w') as file:
            json.dump({'seed': self.opt['manual_seed'], 'noise': net.noise.flatten().tolist(), 'seen': self.seen,
                       'weight': net.body[1].weight.flatten().tolist()}, file)
"""


class Killed(BaseException):
    """Ends a run where a signal would."""


def make_faces(folder: Path, count: int = 8, size: int = 32, scale: int = 4) -> Path:
    """Write `gt`, `lq` and `parsing` with smooth random pictures and maps of two classes."""
    rng = np.random.default_rng(0)
    for name in ('gt', 'lq', 'parsing'):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        face = coarse.resize((size, size), Image.Resampling.BICUBIC)
        face.save(folder / 'gt' / f'{index}.png')
        face.resize((size // scale, size // scale), Image.Resampling.BICUBIC).save(folder / 'lq' / f'{index}.png')
        labels = (np.array(face)[..., 0] > 127).astype(np.uint8)
        Image.fromarray(labels).save(folder / 'parsing' / f'{index}.png')
    return folder


def train_options(faces: Path) -> dict:
    """Return options for two iterations, each with a checkpoint, and a validation at the second."""
    dataset = {'name': 'tiny', 'type': 'ParsingMapDataset', 'dataroot_gt': str(faces / 'gt')}
    return {
        'name': 'tiny',
        'model_type': 'SRModel',
        'scale': 4,
        'num_gpu': 0,
        'manual_seed': 0,
        'datasets': {
            'train': {**dataset, 'gt_size': 32, 'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0},
            'val': {**dataset, 'name': 'tiny-val'},
        },
        'network_g': {'type': 'PKDNStudent', 'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1,
                      'num_dec_blocks': [1]},
        'path': {'pretrain_network_g': None},
        'train': {
            'ema_decay': 0.5,
            'optim_g': {'type': 'Adam', 'lr': 0.001},
            'scheduler': {'type': 'MultiStepLR', 'milestones': [100]},
            'total_iter': 2,
            'pixel_opt': {'type': 'L1Loss'},
        },
        'val': {'val_freq': 2, 'save_img': False,
                'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}},
        'logger': {'print_freq': 1, 'save_checkpoint_freq': 1, 'use_tb_logger': False},
    }


def write_options(opt: dict, path: Path) -> Path:
    """Write an option file."""
    path.write_text(yaml.safe_dump(opt, sort_keys=False), encoding='utf-8')
    return path


def write_plugin(folder: Path, source: str = PLUGIN) -> Path:
    """Lay out an installed package with an entry point `faces_plugin` in the group `basicsr.plugins`."""
    info = folder / 'faces_plugin-1.0.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: faces_plugin\nVersion: 1.0\n')
    (info / 'entry_points.txt').write_text('[basicsr.plugins]\nfaces = faces_plugin\n')
    (folder / 'faces_plugin.py').write_text(source)
    return folder


def run_process(command: Sequence[str | Path], cwd: Path, python_path: Path | None = None, timeout: float = 240) \
        -> subprocess.CompletedProcess:
    """Run a command without a GPU; kill it with all its children when it does not end.

    Raises:
        subprocess.TimeoutExpired: It did not end in time.
    """
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    if python_path:
        env['PYTHONPATH'] = os.pathsep.join(filter(None, [str(python_path), env.get('PYTHONPATH')]))
    process = subprocess.Popen([str(part) for part in command], cwd=cwd, env=env, text=True, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run_python(*arguments: str | Path, **how) -> subprocess.CompletedProcess:
    """Run this interpreter with `arguments`; `how` goes to `run_process`."""
    return run_process([sys.executable, *arguments], **how)
