"""Kill a short training many times, resume it each time, and compare with an undisturbed one, bit by bit.

    python scripts/kill_and_resume.py                 # 30 kill -9 at random moments, on toy faces: some minutes
    python scripts/kill_and_resume.py --kills 5 --workers 2

A narrow student with adapters is taught by a narrow teacher; checkpoints are written at every fourth iteration. What
must be equal in the end: networks, averages, optimizer, schedules, adapters, random generators, best and all values.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import yaml

ITERATIONS, SAVE_EVERY, VALIDATE_EVERY = 200, 4, 20
NETWORK = {'scale': 8, 'num_feat': 8, 'num_enc_blocks': [1, 1], 'num_neck_blocks': 1, 'num_dec_blocks': [1, 1]}
TEACHER = {'type': 'PKDNTeacher', 'num_classes': 19, **NETWORK}


def options(folder: Path, name: str, workers: int, **more) -> dict:
    """Return an option file's content."""
    faces = {'type': 'ParsingMapDataset', 'dataroot_gt': str(folder / 'toys/images'), 'gt_size': 64,
             'dataroot_parsing': str(folder / 'toys/parsing')}
    return {
        'name': name, 'scale': 8, 'num_gpu': 0, 'manual_seed': 0,
        'datasets': {
            'train': {**faces, 'name': 'toys', 'split_file': str(folder / 'toys/split_train.txt'), 'use_hflip': True,
                      'crop_range': [64, 80], 'batch_size_per_gpu': 4, 'num_worker_per_gpu': workers},
            'val': {**faces, 'name': 'toys-val', 'split_file': str(folder / 'toys/split_val.txt')}},
        'path': {},
        'train': {'ema_decay': 0.99, 'optim_g': {'type': 'Adam', 'lr': 0.001}, 'total_iter': ITERATIONS,
                  'scheduler': {'type': 'CosineAnnealingRestartLR', 'periods': [ITERATIONS], 'restart_weights': [1]},
                  'pixel_opt': {'type': 'L1Loss'}},
        'val': {'val_freq': VALIDATE_EVERY, 'save_img': False, 'save_best': 'psnr',
                'metrics': {'psnr': {'type': 'calculate_protocol_psnr', 'protocol': 'rgb'}}},
        'logger': {'print_freq': 10, 'save_checkpoint_freq': SAVE_EVERY, 'use_tb_logger': False}, **more}


def start(folder: Path, file: Path, *flags: str) -> subprocess.Popen:
    """Start a training in a folder."""
    command = [sys.executable, '-m', 'pkdn_basicsr', 'train', '-opt', str(file), *flags]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(folder: Path, file: Path, *flags: str) -> None:
    """Run a training to its end."""
    process = start(folder, file, *flags)
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f'training failed with status {process.returncode}:\n{output[-3000:]}')


def saved_iterations(experiment: Path) -> list[int]:
    """Return the iterations that have a state."""
    return sorted(int(path.stem) for path in experiment.glob('training_states/*.state'))


def kill_often(folder: Path, file: Path, kills: int, rng: random.Random) -> None:
    """Start the training as often as told, and kill it some seconds later."""
    experiment = folder / 'experiments' / 'student'
    for kill in range(1, kills + 1):
        before = saved_iterations(experiment)
        process = start(folder, file, *(['--auto_resume'] if before else []))
        while saved_iterations(experiment) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        after = saved_iterations(experiment)
        print(f'kill {kill}: {"had ended" if ended else "running"}, newest state {after[-1] if after else "none"}',
              flush=True)


def differences(left: object, right: object, where: str = '') -> list[str]:
    """Return the places where two nested structures of tensors differ."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        return [place for key in left for place in differences(left[key], right[key], f'{where}/{key}')]
    if isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        return [place for index, pair in enumerate(zip(left, right, strict=True))
                for place in differences(*pair, f'{where}/{index}')]
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return [] if torch.equal(left, right) else [where]
    return [] if type(left) is type(right) and left == right else [where]


def compare(left: Path, right: Path) -> list[str]:
    """Return what differs between two experiments: the last state, all networks, the tables of values."""
    found = []
    names = [f'training_states/{ITERATIONS}.state',
             *(path.relative_to(left).as_posix() for path in sorted(left.glob('models/*.pth')))]
    for name in names:
        both = [torch.load(folder / name, weights_only=True) for folder in (left, right)]
        found += differences(*both, name)
    for path in sorted(left.rglob('*.csv')):
        name = path.relative_to(left)
        if path.read_text() != (right / name).read_text():
            found.append(str(name))
    print(f'compared {len(names)} files of tensors and {len(list(left.rglob("*.csv")))} tables')
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=30)
    parser.add_argument('--workers', type=int, default=0, help='loader processes (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the moments (default: %(default)s)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, '-m', 'pkdn_basicsr', 'prepare', 'toy', '--dst', folder / 'toys', '--num', '40',
                        '--seed', '0', '--size', '80'], check=True, capture_output=True)
        teacher = options(folder, 'teacher', 0, model_type='PKDNTeacherModel', network_g=TEACHER)
        teacher['train']['total_iter'] = 20
        student = options(folder, 'student', args.workers, model_type='DistillationModel', network_t=TEACHER,
                          network_g={'type': 'PKDNStudent', **NETWORK, 'num_feat': 6})
        student['path'] = {'pretrain_network_t': str(folder / 'experiments/teacher/models/net_g_latest.pth')}
        student['train'].update(feature_opt={'type': 'FeatureL1Loss'}, soft_opt={'type': 'L1Loss', 'loss_weight': 0.1})
        for opt in (teacher, student):
            (folder / f'{opt["name"]}.yml').write_text(yaml.safe_dump(opt, sort_keys=False))
        finish(folder, folder / 'teacher.yml')
        for run in ('undisturbed', 'killed'):
            (folder / run).mkdir()
        finish(folder / 'undisturbed', folder / 'student.yml')
        print('an undisturbed run is done', flush=True)
        kill_often(folder / 'killed', folder / 'student.yml', args.kills, random.Random(args.seed))
        finish(folder / 'killed', folder / 'student.yml', '--auto_resume')
        found = compare(*(folder / run / 'experiments/student' for run in ('undisturbed', 'killed')))
    if found:
        sys.exit(f'{len(found)} differences: {", ".join(found[:10])}')
    print('no difference')


if __name__ == '__main__':
    main()
