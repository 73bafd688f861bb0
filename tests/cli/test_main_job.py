"""The main job by the option files as they are shipped: toy faces, a teacher, its student, and the student's file."""

import csv
from pathlib import Path

import pytest
import tiny

from pkdn_basicsr.host.options import read_option_file

OPTIONS = Path(__file__).resolve().parents[2] / 'options'
SHORT = ('train:total_iter=2', 'train:scheduler:periods=[2]', 'logger:use_tb_logger=false',
         'datasets:train:num_worker_per_gpu=0', 'datasets:train:batch_size_per_gpu=2', 'manual_seed=3')


def run(cwd, *arguments, launch=('-m', 'pkdn_basicsr')):
    """Run the command in a process of its own and return what it printed."""
    done = tiny.run_python(*launch, *map(str, arguments), cwd=cwd, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A folder with toy faces."""
    folder = tmp_path_factory.mktemp('project')
    run(folder, 'prepare', 'toy', '--dst', 'datasets/toy_faces', '--num', '8', '--num-val', '2', '--seed', '0',
        '--size', '160')
    (folder / 'datasets' / 'celebamask_hq').symlink_to('toy_faces')
    return folder


def test_two_processes_teach_a_student_whose_file_any_srmodel_loads(project):
    run(project, 'train', '-opt', OPTIONS / 'quickstart' / 'pkdn_teacher.yml', '--force_yml', *SHORT)
    run(project, 'train', '-opt', OPTIONS / 'quickstart' / 'pkdn_student.yml', '--launcher', 'pytorch', '--force_yml',
        *SHORT, launch=('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', '-m', 'pkdn_basicsr'))
    experiment = project / 'experiments' / 'quickstart_pkdn_student'

    opt = read_option_file(str(OPTIONS / 'quickstart' / 'pkdn_student.yml'))
    test = {'name': 'plain', 'model_type': 'SRModel', 'scale': 8, 'num_gpu': 0, 'manual_seed': 0,
            'datasets': {'test': {**opt['datasets']['val'], 'io_backend': {'type': 'disk'}}},
            'network_g': dict(opt['network_g']),
            'path': {'pretrain_network_g': str(experiment / 'models' / 'net_g_latest.pth'), 'param_key_g': 'params_ema',
                     'strict_load_g': True},
            'val': {'save_img': False, 'metrics': {'psnr': dict(opt['val']['metrics']['psnr'])}}}
    log = run(project, 'test', '-opt', tiny.write_options(test, project / 'plain.yml'))
    with open(experiment / 'validation.csv', newline='') as file:
        trained = {row['metric']: float(row['mean']) for row in csv.DictReader(file)}
    assert f'# psnr: {trained["psnr"]:.4f}' in log


@pytest.mark.parametrize('suffix', ['_x4', '', '_x16'])
def test_teacher_and_student_train_at_every_scale(project, suffix, basicsr_command):
    narrow = ['network_g:num_feat=4', 'datasets:train:crop_range=[136,160]', 'num_gpu=0', *SHORT]
    teacher, student = OPTIONS / f'pkdn_teacher{suffix}.yml', OPTIONS / f'pkdn_student{suffix}.yml'
    assert basicsr_command(project, 'train', '-opt', teacher, '--force_yml', *narrow)[0] == 0
    assert basicsr_command(project, 'train', '-opt', student, '--force_yml', 'network_t:num_feat=4', *narrow)[0] == 0
    name = read_option_file(str(student))['name']
    assert (project / 'experiments' / name / 'models' / 'net_g_latest.pth').is_file()


def test_bicubic_reads_what_the_field_knows(tmp_path, shared_data, basicsr_command):
    (tmp_path / 'datasets').mkdir()
    (tmp_path / 'datasets' / 'celeba_test_dic_1000').symlink_to(shared_data / 'celeba_test_dic_1000')
    status, _, log = basicsr_command(tmp_path, 'test', '-opt', OPTIONS / 'baselines' / 'bicubic.yml')
    assert status == 0
    assert '# psnr: 23.58' in log
