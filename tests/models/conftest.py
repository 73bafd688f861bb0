"""Options, batches and trained teachers for tests of the models: x4 to 16x16 pixels, 11 classes (helen)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from basicsr.archs import build_network
from torch.utils.data import DataLoader

TINY_STUDENT = {'type': 'PKDNStudent', 'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1, 1], 'num_neck_blocks': 1,
                'num_dec_blocks': [1, 1]}


class _Samples(list):
    """A data set as BasicSR's validation reads it."""

    opt = {'name': 'tiny-val'}  # noqa: RUF012


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def student_options():
    """A new `network_g` of a student."""
    return dict(TINY_STUDENT)


@pytest.fixture
def teacher_options():
    """A new `network_t` of a teacher with the map, as wide as the student."""
    return {**TINY_STUDENT, 'type': 'PKDNTeacher', 'num_classes': 11}


@pytest.fixture
def options(tmp_path, student_options):
    """New whole options of a training run with `SRModel`, for a test to change."""
    folders = {'models': tmp_path / 'models', 'training_states': tmp_path / 'training_states',
               'visualization': tmp_path / 'visualization', 'log': tmp_path / 'log'}
    for folder in folders.values():
        folder.mkdir()
    return {
        'name': 'tiny', 'model_type': 'SRModel', 'scale': 4, 'num_gpu': 0, 'is_train': True,
        'dist': False, 'rank': 0, 'world_size': 1,
        'datasets': {'train': {'type': 'ParsingMapDataset', 'dataroot_parsing': 'parsing', 'parsing_scheme': 'helen',
                               'gt_size': 16}},
        'network_g': student_options,
        'path': {name: str(folder) for name, folder in folders.items()},
        'train': {
            'total_iter': 1000,
            'optim_g': {'type': 'Adam', 'lr': 0.01},
            'scheduler': {'type': 'MultiStepLR', 'milestones': [1000]},
            'pixel_opt': {'type': 'L1Loss'},
        },
        'val': {'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}, 'suffix': None},
    }


@pytest.fixture
def set_teacher(tmp_path):
    """`set_teacher(opt, network_t)`: let `opt` distil from a teacher of random weights; returns the teacher."""
    def set_in(opt, network_opt):
        torch.manual_seed(100)
        teacher = build_network(network_opt)
        path = tmp_path / 'teacher.pth'
        torch.save({'params': teacher.state_dict()}, path)
        opt['network_t'] = network_opt
        opt['path']['pretrain_network_t'] = str(path)
        torch.manual_seed(0)
        return teacher
    return set_in


@pytest.fixture
def distillation_options(options, teacher_options, set_teacher):
    """New options of a distillation: features 10 falling to 0 at iteration 10, the teacher's result 0.1 until then."""
    options['model_type'] = 'DistillationModel'
    options['train']['feature_opt'] = {'type': 'FeatureL1Loss', 'loss_weight': 10.0,
                                       'schedule': {'type': 'linear', 'end_iter': 10}}
    options['train']['soft_opt'] = {'type': 'L1Loss', 'loss_weight': 0.1,
                                    'schedule': {'type': 'constant', 'end_iter': 10}}
    set_teacher(options, teacher_options)
    return options


@pytest.fixture
def batch():
    """A new batch of four faces with their maps, of which some pixels are unknown."""
    generator = torch.Generator().manual_seed(1)
    gt = torch.rand(4, 3, 16, 16, generator=generator)
    parsing = torch.randint(11, (4, 16, 16), generator=generator, dtype=torch.uint8)
    parsing[:, :3] = 255
    lq = torch.nn.functional.avg_pool2d(gt, 4)
    return {'lq': lq, 'gt': gt, 'parsing': parsing, 'lq_path': [f'{i}.png' for i in range(4)]}


@pytest.fixture
def val_loader(batch):
    """A loader of two faces with maps for BasicSR's validation."""
    return DataLoader(_Samples({key: values[i] for key, values in batch.items()} for i in range(2)))


@pytest.fixture
def val_loader_without_maps(batch):
    """The same without maps."""
    return DataLoader(_Samples({key: values[i] for key, values in batch.items() if key != 'parsing'}
                               for i in range(2)))


@pytest.fixture
def train():
    """`train(model, batch, iterations)`: do steps on one batch; returns the log of each."""
    def train_on(model, data, iterations):
        logs = []
        for iteration in iterations:
            model.update_learning_rate(iteration)
            model.feed_data(data)
            model.optimize_parameters(iteration)
            logs.append(model.get_current_log())
        return logs
    return train_on


@pytest.fixture
def run_two_processes(tmp_path):
    """`run_two_processes(worker, cases)`: what each of two processes with half the batch records, by case."""
    def run(worker, cases):
        torch.save(cases, tmp_path / 'cases.pt')
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
        command = [sys.executable, Path(__file__).with_name(worker), tmp_path]
        processes = [subprocess.Popen([*command, str(rank)], env=env, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for rank in range(2)]
        try:
            outputs = [process.communicate(timeout=180)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
        assert [process.returncode for process in processes] == [0, 0], '\n'.join(outputs)
        return [torch.load(tmp_path / f'rank{rank}.pt', weights_only=True) for rank in range(2)]
    return run
