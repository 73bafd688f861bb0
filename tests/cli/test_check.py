import csv
import shutil

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.data.lmdb_file import write_lmdb
from pkdn_basicsr.data.pairing import index_folder
from pkdn_basicsr.data.parsing_labels import palette_picture
from pkdn_basicsr.data.prepare import parallel
from pkdn_basicsr.data.toy_faces import draw_toy_face


@pytest.fixture(scope='module')
def toy_faces(tmp_path_factory):
    """Forty faces, every class in both halves, with low resolution; leave them as they are."""
    root = tmp_path_factory.mktemp('toy') / 'faces'
    for kind in ('images', 'lq', 'parsing'):
        (root / kind).mkdir(parents=True)
    names = [f'{index:05d}.png' for index in range(40)]
    for seed, name in enumerate(names):
        picture, parsing = draw_toy_face(seed, 64)
        Image.fromarray(picture).save(root / 'images' / name)
        downsample(Image.fromarray(picture), 8).save(root / 'lq' / name)
        palette_picture(parsing, 'celebamask_hq').save(root / 'parsing' / name)
    (root / 'split_train.txt').write_text('\n'.join(names[:20]) + '\n')
    (root / 'split_val.txt').write_text('\n'.join(names[20:]) + '\n')
    return root


class Project:
    """A working directory with faces: 0 to 19 to train on, 20 to 39, with stored low resolution, to validate on."""

    def __init__(self, root, toy_faces, basicsr_command):
        self.root, self.command = root, basicsr_command
        shutil.copytree(toy_faces, root / 'faces')
        common = {'type': 'ParsingMapDataset', 'dataroot_gt': 'faces/images', 'dataroot_parsing': 'faces/parsing',
                  'gt_size': 64}
        self.opt = {'name': 'toy', 'scale': 8, 'datasets': {
            'train': {'name': 'toy-train', **common, 'split_file': 'faces/split_train.txt', 'batch_size_per_gpu': 4},
            'val': {'name': 'toy-val', **common, 'dataroot_lq': 'faces/lq', 'split_file': 'faces/split_val.txt'}}}

    def path(self, kind, index, suffix='.png'):
        return self.root / 'faces' / kind / f'{index:05d}{suffix}'

    def picture(self, index):
        return Image.open(self.path('images', index)).copy()

    def replace(self, index, suffix):
        """Remove an image and return the path of another file in its place."""
        self.path('images', index).unlink()
        return self.path('images', index, suffix)

    def parsing(self, index):
        return np.array(Image.open(self.path('parsing', index)))

    def save_parsing(self, index, parsing):
        Image.fromarray(parsing).save(self.path('parsing', index))

    def check(self, *arguments):
        (self.root / 'toy.yml').write_text(yaml.safe_dump(self.opt, sort_keys=False))
        return self.command(self.root, 'check', '-opt', 'toy.yml', *arguments)

    def findings(self, out='results/check_toy'):
        with (self.root / out / 'findings.csv').open(newline='') as file:
            return list(csv.DictReader(file))

    def found(self):
        """Set, kind and bare file name of everything that was found, sorted."""
        return sorted((row['set'], row['kind'], row['file'].rpartition('/')[2]) for row in self.findings())


@pytest.fixture
def project(tmp_path, toy_faces, basicsr_command):
    return Project(tmp_path, toy_faces, basicsr_command)


def test_a_clean_set_gives_no_findings(project):
    status, out, err = project.check()
    assert status == 0
    assert project.findings() == []
    assert 'nothing found' in out
    assert 'error' not in out + err
    assert str(project.root / 'results' / 'check_toy') in out
    assert sorted(path.name for path in (project.root / 'results' / 'check_toy').iterdir()) == [
        'contact_train.png', 'contact_val.png', 'findings.csv', 'report.md']
    report = (project.root / 'results' / 'check_toy' / 'report.md').read_text()
    assert '20 of 20 low-resolution files are PIL bicubic' in report
    assert report.count('| image ') == 2
    assert '64x64' in report
    assert '8x8' in report


def test_two_option_files_of_one_name_have_results_of_their_own(project):
    project.opt['name'] = 'first'
    project.check()
    project.opt['name'] = 'second'
    project.check()
    assert sorted(path.name for path in (project.root / 'results').iterdir()) == ['check_first', 'check_second']


def test_the_results_of_an_option_file_without_a_name_have_that_of_the_file(project):
    del project.opt['name']
    project.check()
    assert [path.name for path in (project.root / 'results').iterdir()] == ['check_toy']


def truncated(project):
    path = project.replace(3, '.jpg')
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    return [('train', 'bad_image', '00003.jpg')]


def sixteen_bits(project):
    cv2.imwrite(str(project.path('images', 4)), np.asarray(project.picture(4), np.uint16)[..., ::-1] * 257)
    return [('train', 'bad_image', '00004.png')]


def grey(project):
    project.picture(5).convert('L').save(project.path('images', 5))
    return [('train', 'bad_image', '00005.png')]


def zero_bytes(project):
    project.path('images', 6).write_bytes(b'')
    return [('train', 'bad_image', '00006.png')]


def text_named_jpg(project):
    project.replace(7, '.jpg').write_text('no picture')
    return [('train', 'bad_image', '00007.jpg')]


def cmyk_is_allowed(project):
    face = project.picture(8).convert('CMYK')
    face.save(project.replace(8, '.tif'))
    return []


def rgba_is_allowed(project):
    project.picture(9).convert('RGBA').save(project.path('images', 9))
    return []


def map_of_another_size(project):
    project.save_parsing(10, np.repeat(project.parsing(10), 2, axis=0))
    return [('train', 'wrong_size', '00010.png')]


def no_map(project):
    project.path('parsing', 11).unlink()
    project.path('parsing', 12).unlink()
    return [('train', 'missing_map', '00011.png'), ('train', 'missing_map', '00012.png')]


def index_outside_the_scheme(project):
    parsing = project.parsing(13)
    parsing[3, 4] = 19
    project.save_parsing(13, parsing)
    return [('train', 'bad_map', '00013.png')]


def swapped_map(project):
    parsing = project.parsing(14)
    table = np.arange(256, dtype=np.uint8)
    table[[4, 5, 6, 7, 8, 9]] = [5, 4, 7, 6, 9, 8]
    project.save_parsing(14, table[parsing])
    return [('train', 'left_right', '00014.png')]


def listed_but_not_there(project):
    with (project.root / 'faces' / 'split_train.txt').open('a') as file:
        file.write('nobody.png\n')
    return [('train', 'missing_image', 'nobody')]


def cv2_low_resolution(project):
    small = cv2.resize(np.asarray(project.picture(25)), (8, 8), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(small).save(project.path('lq', 25))
    return [('val', 'not_bicubic', '00025.png')]


def low_resolution_of_another_size(project):
    downsample(project.picture(26), 4).save(project.path('lq', 26))
    return [('val', 'wrong_size', '00026.png')]


def no_low_resolution(project):
    project.path('lq', 27).unlink()
    return [('val', 'missing_lq', '00027.png')]


def broken_low_resolution(project):
    project.path('lq', 28).write_text('no picture')
    return [('val', 'bad_lq', '00028.png')]


def training_picture_in_the_validation_set(project):
    project.picture(15).save(project.root / 'faces' / 'images' / 'other.bmp')
    for kind in ('parsing', 'lq'):
        shutil.copy(project.path(kind, 15), project.root / 'faces' / kind / 'other.png')
    with (project.root / 'faces' / 'split_val.txt').open('a') as file:
        file.write('other\n')
    return [('train', 'same_picture', '00015.png')]


def training_picture_twice(project):
    project.picture(16).save(project.root / 'faces' / 'images' / 'twice.tif')
    shutil.copy(project.path('parsing', 16), project.root / 'faces' / 'parsing' / 'twice.png')
    with (project.root / 'faces' / 'split_train.txt').open('a') as file:
        file.write('twice\n')
    return [('train', 'duplicate', 'twice.tif')]


def compressed_copy_in_the_validation_set(project):
    face = project.picture(17).resize((96, 96)).resize((64, 64))
    face.save(project.root / 'faces' / 'images' / 'copy.png')
    downsample(face, 8).save(project.root / 'faces' / 'lq' / 'copy.png')
    shutil.copy(project.path('parsing', 17), project.root / 'faces' / 'parsing' / 'copy.png')
    with (project.root / 'faces' / 'split_val.txt').open('a') as file:
        file.write('copy\n')
    return [('train', 'near_duplicate', '00017.png')]


def class_in_no_map(project):
    for index in range(20, 40):
        parsing = project.parsing(index)
        parsing[parsing == 14] = 255
        project.save_parsing(index, parsing)
    return [('val', 'absent_class', '')]


FAULTS = [truncated, sixteen_bits, grey, zero_bytes, text_named_jpg, cmyk_is_allowed, rgba_is_allowed,
          map_of_another_size, no_map, index_outside_the_scheme, swapped_map, listed_but_not_there, cv2_low_resolution,
          low_resolution_of_another_size, no_low_resolution, broken_low_resolution,
          training_picture_in_the_validation_set, training_picture_twice, compressed_copy_in_the_validation_set,
          class_in_no_map]
WARNINGS = {'left_right', 'not_bicubic', 'duplicate', 'near_duplicate', 'absent_class'}


@pytest.mark.parametrize('plant', FAULTS)
def test_exactly_the_planted_fault_is_found(project, plant):
    planted = plant(project)
    status, _, _ = project.check('--faces', 4)
    assert project.found() == planted
    errors = [kind for _, kind, _ in planted if kind not in WARNINGS]
    assert status == bool(errors)
    assert [row['severity'] for row in project.findings()] == [
        'warning' if kind in WARNINGS else 'error' for _, kind, _ in planted]


def test_all_faults_are_found_together(project):
    planted = [found for plant in FAULTS for found in plant(project)]
    status, out, _ = project.check()
    assert status == 1
    assert project.found() == sorted(planted)
    assert [row['severity'] for row in project.findings()] == ['error'] * 14 + ['warning'] * 5
    assert '14 errors, 5 warnings' in out
    report = (project.root / 'results' / 'check_toy' / 'report.md').read_text()
    for _, _, file in planted:
        assert file in report


def test_details_name_reason_and_partner(project):
    for plant in (sixteen_bits, index_outside_the_scheme, cv2_low_resolution, training_picture_in_the_validation_set,
                  swapped_map):
        plant(project)
    project.check()
    details = {row['kind']: row['detail'] for row in project.findings()}
    assert details['bad_image'].startswith('expected an 8-bit picture, found 16 bits per channel')
    assert 'class index 19 is outside the scheme celebamask_hq' in details['bad_map']
    assert details['not_bicubic'].endswith('it equals cv2 bicubic')
    assert details['same_picture'] == 'same pixels as faces/images/other.bmp of val'
    assert details['left_right'] == 'eyes and brows'


def test_names_are_listed_for_exclude_file_and_old_lists_go(project):
    swapped_map(project)
    project.check()
    names = project.root / 'results' / 'check_toy' / 'left_right_train.txt'
    assert names.read_text() == '00014.png\n'
    project.opt['datasets']['train']['exclude_file'] = 'left_out.txt'
    shutil.copy(names, project.root / 'left_out.txt')
    assert project.check()[0] == 0
    assert project.found() == []
    assert not names.exists()


def test_lists_of_names_with_spaces_can_be_used(project):
    swapped_map(project)
    for kind in ('images', 'parsing'):
        project.path(kind, 14).rename(project.root / 'faces' / kind / '00001 (1).png')
    split = project.root / 'faces' / 'split_train.txt'
    split.write_text(split.read_text().replace('00014', '00001 (1)'))
    project.check('--out', 'found')
    assert project.findings('found')[0]['file'] == 'faces/parsing/00001 (1).png'
    project.opt['datasets']['train']['exclude_file'] = 'found/left_right_train.txt'
    assert project.check()[0] == 0
    assert project.found() == []


def test_the_report_names_the_first_files_and_counts_all(project):
    for index in range(20, 28):
        project.path('lq', index).unlink()
    assert project.check()[0] == 1
    report = (project.root / 'results' / 'check_toy' / 'report.md').read_text()
    assert '(val, 8)' in report
    assert '00024.png' in report
    assert '00025.png' not in report
    assert '... and 3 more' in report
    assert len(project.findings()) == 8


def test_a_crop_that_does_not_fit_is_an_error_and_a_small_image_a_warning(project):
    project.opt['datasets']['train']['crop_range'] = [65, 70]
    project.opt['datasets']['val'].update(gt_size=72, dataroot_lq=None)
    assert project.check()[0] == 1
    assert [(row['set'], row['kind']) for row in project.findings()] == [('train', 'too_small')] * 20 + [
        ('val', 'enlarged')] * 20


def test_an_unusable_set_does_not_hide_the_others(project):
    project.check()
    project.opt['datasets']['train']['dataroot_gt'] = 'nowhere'
    project.picture(30).convert('L').save(project.path('images', 30))
    status, out, _ = project.check()
    assert status == 1
    assert 'train: dataroot_gt: no such folder' in out
    assert sorted(path.name for path in (project.root / 'results' / 'check_toy').iterdir()) == [
        'bad_image_val.txt', 'contact_val.png', 'findings.csv', 'report.md']
    assert [(row['set'], row['kind']) for row in project.findings()] == [('train', 'set'), ('val', 'bad_image')]
    assert 'no such folder' in project.findings()[0]['detail']


def test_what_the_data_set_itself_refuses_is_found(project):
    project.opt['datasets']['train']['batch_size_per_gpu'] = 21
    project.check()
    assert [(row['set'], row['kind']) for row in project.findings()] == [('train', 'set')]
    assert 'less than one batch' in project.findings()[0]['detail']


def test_a_set_of_another_type_is_named(project):
    project.opt['datasets']['val'] = {'name': 'theirs', 'type': 'PairedImageDataset'}
    status, _, _ = project.check()
    assert status == 0
    assert [(row['severity'], row['set'], row['kind']) for row in project.findings()] == [
        ('warning', 'val', 'not_looked_into')]
    assert 'PairedImageDataset' in project.findings()[0]['detail']


def test_an_lmdb_is_looked_through_like_its_folders(project):
    swapped_map(project)
    cv2_low_resolution(project)
    project.check('--out', 'folders')
    for kind in ('images', 'parsing', 'lq'):
        root = project.root / 'faces' / kind
        write_lmdb(root.with_suffix('.lmdb'), index_folder(str(root), kind))
    for dataset in project.opt['datasets'].values():
        dataset['io_backend'] = {'type': 'lmdb'}
        for option in ('dataroot_gt', 'dataroot_lq', 'dataroot_parsing'):
            if option in dataset:
                dataset[option] += '.lmdb'
    project.check('--out', 'lmdb')
    expected = [{**row, 'file': row['file'].replace('/parsing/', '/parsing.lmdb/').replace('/lq/', '/lq.lmdb/')}
                for row in project.findings('folders')]
    assert len(expected) == 2
    assert project.findings('lmdb') == expected


def test_several_processes_find_the_same(project, monkeypatch):
    del project.opt['datasets']['val']  # starting workers takes long
    for plant in (truncated, swapped_map, grey, map_of_another_size):
        plant(project)
    project.check('--out', 'one')
    monkeypatch.setattr(parallel, '_TASKS_WORTH_A_WORKER', 10)
    project.check('--out', 'two', '--workers', 2)
    assert len(project.findings('one')) == 4
    assert project.findings('two') == project.findings('one')
    assert (project.root / 'two' / 'contact_train.png').read_bytes() == (
        project.root / 'one' / 'contact_train.png').read_bytes()


@pytest.mark.parametrize(('change', 'words'), [
    ({'datasets': None}, 'datasets: expected'), ({'datasets': {'train': None}}, 'datasets.train must hold'),
    ({'scale': None}, 'scale'), ({'scale': 0}, 'scale')])
def test_an_option_file_without_sets_is_wrong_usage(project, change, words):
    project.opt.update(change)
    status, _, err = project.check()
    assert status == 2
    assert err.startswith('basicsr check: error: ')
    assert err.count('\n') == 1
    assert words in err


@pytest.mark.parametrize('change', [
    {'io_backend': 'disk'}, {'batch_size_per_gpu': '16'}, {'split_file': ['a.txt']}, {'dataroot_gt': 5},
    {'parsing_scheme': ['celebamask_hq']}])
def test_values_of_the_wrong_kind_are_wrong_usage(project, change):
    project.opt['datasets']['train'].update(change)
    status, _, err = project.check()
    (key, value), = change.items()
    assert status == 2
    assert f'datasets.train.{key}: expected' in err
    assert f'found {value!r}' in err
    assert 'Traceback' not in err
    assert not (project.root / 'results').exists()


@pytest.mark.parametrize('arguments', [
    ['--identity', 'a.onnx'], ['--detector', 'a.onnx'], ['--faces', '0'], ['--workers', 'x'], ['--same-person', '2']])
def test_wrong_arguments_are_refused(project, arguments):
    status, _, err = project.check(*arguments)
    assert status == 2
    assert arguments[0] in err
    assert not (project.root / 'results').exists()


def test_a_missing_network_is_said_before_any_file_is_read(project, shared_weights):
    status, _, err = project.check('--identity', 'none.onnx', '--detector', shared_weights / 'yunet_n_640_640.onnx')
    assert status == 2
    assert 'none.onnx' in err
    assert 'checking' not in err


def test_a_folder_that_cannot_be_written_is_wrong_usage(project):
    (project.root / 'file').write_text('')
    status, _, err = project.check('--out', 'file')
    assert status == 2
    assert '--out' in err


def test_a_run_s_other_options_are_checked_too(project):
    project.opt.update(model_type='FaceSRModel', network_g={'type': 'PKDNStudent'}, num_gpu=0, path={}, lr=1)
    status, out, _ = project.check()
    assert status == 1
    assert 'error: toy.yml:' in out
    assert ': lr: FaceSRModel has no such option' in out
    assert 'path.pretrain_network_g is not set' in out
    assert (project.root / 'results').is_dir()
