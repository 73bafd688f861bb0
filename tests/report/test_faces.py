import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.report.faces import read_faces


def test_faces_are_named_below_their_folder(faces):
    assert faces.images == ('a.png', 'b.png', 'c.png')
    assert faces.lq_size == (4, 4)


def test_a_limit_takes_the_first_faces(dataset_options):
    assert read_faces(dataset_options, 8, limit=2).images == ('a.png', 'b.png')
    assert read_faces(dataset_options, 8, limit=99).images == ('a.png', 'b.png', 'c.png')


def test_the_hash_is_that_of_the_pictures_wherever_they_lie(dataset_options, faces, face_folder):
    (face_folder / 'images').rename(face_folder / 'elsewhere')
    dataset_options['dataroot_gt'] = str(face_folder / 'elsewhere')
    assert read_faces(dataset_options, 8).sha256 == faces.sha256


@pytest.mark.parametrize('folder', ['images', 'parsing'])
def test_one_changed_pixel_changes_the_hash(dataset_options, faces, face_folder, folder):
    path = face_folder / folder / 'c.png'
    pixels = np.array(Image.open(path))
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    assert read_faces(dataset_options, 8).sha256 != faces.sha256


@pytest.mark.parametrize(('picture', 'words'), [
    (Image.new('L', (32, 32)), ['b.png', 'grey']),
    (Image.new('RGB', (30, 32)), ['b.png', '30x32', '32x32']),
])
def test_a_broken_face_is_named_before_anything_runs(dataset_options, face_folder, picture, words, usage_error):
    picture.save(face_folder / 'images' / 'b.png')
    with usage_error(*words):
        read_faces(dataset_options, 8)


def test_low_resolution_faces_of_another_size_are_named(dataset_options, face_folder, usage_error):
    (face_folder / 'lq').mkdir()
    for name in 'abc':
        Image.new('RGB', (4, 5)).save(face_folder / 'lq' / f'{name}.png')
    with usage_error('a.png', '4x5', '4x4'):
        read_faces({**dataset_options, 'dataroot_lq': str(face_folder / 'lq')}, 8)


def test_a_data_set_of_the_host_with_unequal_sizes(face_folder, tmp_path, usage_error):
    (tmp_path / 'lq').mkdir()
    for name in 'abc':
        Image.new('RGB', (5, 5)).save(tmp_path / 'lq' / f'{name}.png')
    with usage_error('a.png', '40x40', '32x32'):
        read_faces({'name': 'pairs', 'type': 'PairedImageDataset', 'dataroot_gt': str(face_folder / 'images'),
                    'dataroot_lq': str(tmp_path / 'lq'), 'io_backend': {'type': 'disk'}}, 8)


@pytest.fixture
def pairs(face_folder, tmp_path):
    """A data set of the host, which lists its folders in the order of the file system."""
    (tmp_path / 'lq').mkdir()
    for name in 'abc':
        Image.new('RGB', (4, 4)).save(tmp_path / 'lq' / f'{name}.png')
    return {'name': 'pairs', 'type': 'PairedImageDataset', 'dataroot_gt': str(face_folder / 'images'),
            'dataroot_lq': str(tmp_path / 'lq'), 'io_backend': {'type': 'disk'}}


def test_faces_of_the_host_are_in_the_order_of_their_names(pairs, monkeypatch):
    from basicsr.data import paired_image_dataset as host
    listed = host.paired_paths_from_folder
    monkeypatch.setattr(host, 'paired_paths_from_folder', lambda *args: sorted(
        listed(*args), key=lambda paths: paths['gt_path'], reverse=True))
    assert read_faces(pairs, 8).images == ('a.png', 'b.png', 'c.png')
    assert read_faces(pairs, 8, limit=1).images == ('a.png',)


def test_a_damaged_face_of_the_host_is_named(pairs, tmp_path, usage_error):
    file = tmp_path / 'lq' / 'b.png'
    file.write_bytes(file.read_bytes()[:20])
    with usage_error('b.png'):
        read_faces(pairs, 8)


def test_an_empty_folder_is_named(dataset_options, tmp_path, usage_error):
    (tmp_path / 'none').mkdir()
    with usage_error('dataroot_gt', 'none'):
        read_faces({**dataset_options, 'dataroot_gt': str(tmp_path / 'none')}, 8)


def test_an_empty_data_set_of_the_host_is_named(tmp_path, usage_error):
    (tmp_path / 'none').mkdir()
    with usage_error('pairs', 'no face'):
        read_faces({'name': 'pairs', 'type': 'SingleImageDataset', 'dataroot_lq': str(tmp_path / 'none'),
                    'io_backend': {'type': 'disk'}}, 8)
