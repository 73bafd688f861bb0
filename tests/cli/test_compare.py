import csv

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from pkdn_basicsr.archs import PKDNTeacher
from pkdn_basicsr.cli.compare import run
from pkdn_basicsr.errors import UsageError

TINY = {'scale': 8, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with three faces, bicubic, a teacher with weights and a student without."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, shape in (('images', (32, 32, 3)), ('parsing', (32, 32))):
        (tmp_path / folder).mkdir()
        for name in 'abc':
            Image.fromarray(rng.integers(0, 19, shape, dtype=np.uint8)).save(tmp_path / folder / f'{name}.png')
    torch.save({'params': PKDNTeacher(19, **TINY).state_dict()}, 'teacher.pth')
    networks = {'bicubic': {'type': 'Bicubic'}, 'teacher': {'type': 'PKDNTeacher', **TINY},
                'student': {'type': 'PKDNStudent', **TINY}}
    for name, network in networks.items():
        (tmp_path / f'{name}.yml').write_text(yaml.safe_dump({'name': name, 'network_g': network}))
    (tmp_path / 'compare.yml').write_text(yaml.safe_dump({
        'name': 'tiny',
        'scale': 8,
        'methods': {'bicubic': 'bicubic.yml', 'student': 'student.yml',
                    'teacher': {'opt': 'teacher.yml', 'checkpoint': 'teacher.pth'}},
        'datasets': {'test': {'name': 'faces', 'type': 'ParsingMapDataset', 'dataroot_gt': 'images',
                              'dataroot_parsing': 'parsing', 'gt_size': 32}},
        'val': {'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0, 'test_y_channel': True}}},
    }, sort_keys=False))
    return tmp_path


def test_table_values_and_picture_are_written(project, capsys):
    assert run(['-opt', 'compare.yml', '--allow-missing', '-o', 'out']) == 0
    printed = capsys.readouterr().out
    assert (project / 'out' / 'table.md').read_text() in printed
    assert "method 'student': no such checkpoint" in printed
    assert str(project / 'out') in printed
    rows = list(csv.DictReader((project / 'out' / 'per_image.csv').open()))
    assert [row['method'] for row in rows] == ['bicubic', 'teacher'] * 3
    assert Image.open(project / 'out' / 'faces.png').size[0] > 100


def test_limit_takes_the_first_faces_and_results_go_to_the_default_folder(project):
    run(['-opt', 'compare.yml', '--allow-missing', '--limit', '1'])
    rows = list(csv.DictReader((project / 'results' / 'tiny' / 'per_image.csv').open()))
    assert [row['image'] for row in rows] == ['images/a.png'] * 2


def test_a_missing_checkpoint_stops_before_anything_is_written(project):
    with pytest.raises(UsageError, match="method 'student'"):
        run(['-opt', 'compare.yml'])
    assert not (project / 'results').exists()


def test_the_reference_must_be_a_method(project):
    with pytest.raises(UsageError, match="no method 'bicubicc'; the file has bicubic, student, teacher"):
        run(['-opt', 'compare.yml', '--allow-missing', '--reference', 'bicubicc'])


@pytest.mark.parametrize(('change', 'message'), [
    ({'methods': None}, 'found no methods'),
    ({'datasets': {'val': {}}}, 'found no test'),
    ({'val': {}}, 'found no metrics'),
    ({'methods': {'teacher': {'checkpoint': 'teacher.pth'}}}, "method 'teacher': expected the path of an option file"),
    ({'methods': {'teacher': {'opt': 'teacher.yml', 'chekpoint': 'x'}}}, 'chekpoint'),
    ({'methods': {'teacher': None}}, "method 'teacher': expected"),
])
def test_an_incomplete_option_file_is_refused(project, change, message):
    opt = yaml.safe_load((project / 'compare.yml').read_text())
    (project / 'compare.yml').write_text(yaml.safe_dump({**opt, **change}, sort_keys=False))
    with pytest.raises(UsageError, match=message):
        run(['-opt', 'compare.yml', '--allow-missing'])


@pytest.mark.parametrize(('scheme', 'message'), [
    ('fsrnet', 'num_classes 19'), ('face_parsing', 'trained with maps of the scheme celebamask_hq')])
def test_a_teacher_gets_maps_of_its_own_scheme_only(project, scheme, message):
    teacher = yaml.safe_load((project / 'teacher.yml').read_text())
    teacher['datasets'] = {'train': {'parsing_scheme': 'celebamask_hq'}}
    (project / 'teacher.yml').write_text(yaml.safe_dump(teacher))
    opt = yaml.safe_load((project / 'compare.yml').read_text())
    opt['datasets']['test']['parsing_scheme'] = scheme
    (project / 'compare.yml').write_text(yaml.safe_dump(opt, sort_keys=False))
    with pytest.raises(UsageError, match=message):
        run(['-opt', 'compare.yml', '--allow-missing'])


@pytest.mark.parametrize('limit', ['0', '-1', 'x'])
def test_a_limit_is_a_number_of_faces(project, limit, capsys):
    with pytest.raises(SystemExit):
        run(['-opt', 'compare.yml', '--limit', limit])
    assert 'expected a whole number above 0' in capsys.readouterr().err
