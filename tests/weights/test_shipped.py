import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from basicsr.utils import tensor2img
from safetensors import safe_open
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from pkdn_basicsr.archs import PKDNTeacher
from pkdn_basicsr.data.parsing_labels import parsing_to_one_hot
from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.metrics.psnr_ssim import calculate_protocol_psnr
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.weights import shipped
from pkdn_basicsr.weights.card import card_from_metadata
from pkdn_basicsr.weights.shipped import BASELINES, STUDENTS, TEACHERS, shipped_or_path, shipped_weights
from pkdn_basicsr.weights.trained_network import load_trained


@pytest.fixture
def table(monkeypatch):
    table = {'pkdn_student_x8': 'a.safetensors', 'pkdn_student_tiny_x8': 'b.safetensors', 'pkdn_student_x4': 'c.pth'}
    monkeypatch.setattr(shipped, 'STUDENTS', table)
    return table


@pytest.mark.parametrize(('arguments', 'file'), [
    ((), 'a.safetensors'), ((None, 4), 'c.pth'), (('pkdn_student_tiny_x8',), 'b.safetensors'),
    (('pkdn_student_x4', 8), 'c.pth')])
def test_students_are_found_by_name_or_scale(table, arguments, file):
    assert shipped_weights(*arguments) == Path(shipped.__file__).with_name(file)


def test_what_is_not_there_is_told_with_what_is(table, usage_error):
    with usage_error('scale 16', 'pkdn_student_tiny_x8', '--weights FILE'):
        shipped_weights(None, 16)
    with usage_error("'pkdn_studnet'", 'pkdn_student_x8', *shipped.BASELINES):
        shipped_weights('pkdn_studnet')
    with usage_error('pkdn_teacher_small_x8 is a teacher', 'pkdn_student_x8'):
        shipped_weights('pkdn_teacher_small_x8')


def test_without_any_the_way_out_is_told(monkeypatch, usage_error):
    monkeypatch.setattr(shipped, 'STUDENTS', {})
    with usage_error('scale 8', '--weights FILE'):
        shipped_weights()


@pytest.mark.parametrize('name', STUDENTS | BASELINES)
def test_a_shipped_file_has_its_hash_in_its_name_and_says_what_it_is(name):
    path = shipped_weights(name)
    assert path.stem == f'{name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}'
    net, card = load_trained(name)
    assert card.scale == int(name.rpartition('_x')[2])
    assert 'non-commercial research only' in card.licence
    readme = path.with_name('README.md').read_text()
    assert path.name in readme
    assert f'| {sum(map(torch.numel, net.parameters())):,} |' in readme


@pytest.mark.parametrize('name', TEACHERS)
def test_a_shipped_teacher_has_its_hash_in_its_name_and_loads_as_it_says(name):
    path = Path(shipped_or_path(name))
    assert path.stem == f'{name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}'
    teacher = read_teacher(path)
    assert f'| {sum(map(torch.numel, teacher.parameters())):,} |' in path.with_name('README.md').read_text()


def read_teacher(path):
    with safe_open(path, framework='pt') as file:
        card = card_from_metadata(file.metadata())
    assert 'non-commercial research only' in card.licence
    teacher = build_untrained(card.network)
    assert isinstance(teacher, PKDNTeacher)
    teacher.load_state_dict(load_file(path))
    return teacher.eval()


def test_other_weights_are_paths():
    assert shipped_or_path('a/pkdn_student_small_x8') == 'a/pkdn_student_small_x8'
    assert shipped_or_path('pkdn_student_small_x8') == str(shipped_weights('pkdn_student_small_x8'))


@pytest.mark.parametrize('name', STUDENTS | TEACHERS | BASELINES)
def test_a_shipped_network_reaches_the_psnr_of_its_table(name, shared_data):
    folder = shared_data / 'celebamask_hq_1000'
    faces = ParsingMapDataset({'name': 'faces', 'phase': 'val', 'scale': 8, 'gt_size': 128,
                               'dataroot_gt': str(folder / 'images'), 'dataroot_parsing': str(folder / 'parsing'),
                               'split_file': str(folder / 'split_val.txt')})
    if name in TEACHERS:
        teacher = read_teacher(shipped_or_path(name))
        psnr = mean_psnr(lambda face: teacher(face['lq'], parsing_to_one_hot(face['parsing'], 19)), faces)
    else:
        net, _ = load_trained(name)
        psnr = mean_psnr(lambda face: net(face['lq']), faces)
    assert psnr == pytest.approx(float(table_row(name)[3]), abs=.01)


def test_the_default_student_reaches_the_psnr_of_its_table_on_the_test_faces(shared_data):
    faces = ParsingMapDataset({'name': 'test', 'phase': 'val', 'scale': 8, 'gt_size': 128,
                               'dataroot_gt': str(shared_data / 'celeba_test_dic_1000' / 'HR')})
    net, _ = load_trained()
    assert mean_psnr(lambda face: net(face['lq']), faces) == pytest.approx(
        float(table_row(next(iter(STUDENTS)))[4]), abs=.01)


def mean_psnr(super_resolve, faces):
    psnr = []
    for face in DataLoader(faces):
        with torch.inference_mode():
            sr = super_resolve(face)
        psnr.append(calculate_protocol_psnr(*(tensor2img(image) for image in (sr, face['gt'])), protocol='dic'))
    return np.mean(psnr)


def table_row(name):
    """Return name, file, parameters, PSNR of validation and test, SSIM of a network as README.md has them."""
    text = Path(shipped.__file__).with_name('README.md').read_text()
    rows = [[cell.strip(' *') for cell in line.strip('|').split('|')] for line in text.splitlines()]
    (row,) = [row for row in rows if row[0] == f'`{name.removesuffix("_small_x8")}`']
    return row
