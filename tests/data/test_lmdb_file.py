"""LMDB files as BasicSR lays them out: written whole, read by every process for itself."""

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time

import lmdb
import numpy as np
import pytest
from basicsr.data.data_util import paired_paths_from_lmdb
from basicsr.utils import FileClient, imfrombytes
from PIL import Image

from pkdn_basicsr.data.lmdb_file import LmdbFile, lmdb_key, write_lmdb


def save(path, mode='RGB', size=(24, 16), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3) if mode == 'RGB' else (size[1], size[0])
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 19, shape, dtype=np.uint8))
    if mode == 'P':
        image.putpalette(list(range(256)) * 3)
    image.save(path)
    return path


@pytest.fixture
def files(tmp_path):
    """A colour picture, a palette map and a grey map."""
    return {name: save(tmp_path / 'files' / f'{name}.png', mode) for name, mode in
            (('b', 'RGB'), ('a', 'P'), ('sub/c', 'L'))}


@pytest.fixture
def written(tmp_path, files):
    write_lmdb(tmp_path / 'faces.lmdb', files)
    return tmp_path / 'faces.lmdb'


def left_over(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith('.unfinished')]


# writing

def test_the_files_are_stored_byte_for_byte_in_the_order_given(written, files):
    found = LmdbFile(written)
    assert found.keys == ['b', 'a', 'sub/c']
    for key, file in files.items():
        assert found.read(key) == file.read_bytes()
    assert sorted(os.listdir(written)) == ['data.mdb', 'lock.mdb', 'meta_info.txt']
    assert not left_over(written.parent)


def test_the_list_has_shape_and_compress_level(written):
    assert (written / 'meta_info.txt').read_text() == 'b.png (16,24,3) 1\na.png (16,24,1) 1\nsub/c.png (16,24,1) 1\n'


def test_dots_in_names_become_underscores(tmp_path):
    assert lmdb_key('a.b/c.d_e') == 'a_b/c_d_e'
    write_lmdb(tmp_path / 'x.lmdb', {'face.v2.crop': save(tmp_path / 'face.v2.crop.png')})
    assert LmdbFile(tmp_path / 'x.lmdb').keys == ['face_v2_crop']
    assert LmdbFile(tmp_path / 'x.lmdb').read('face_v2_crop') == (tmp_path / 'face.v2.crop.png').read_bytes()


def test_names_need_not_be_ascii(tmp_path):
    write_lmdb(tmp_path / 'x.lmdb', {'Jürgen 1': save(tmp_path / 'a.png')})
    assert LmdbFile(tmp_path / 'x.lmdb').keys == ['Jürgen 1']
    assert LmdbFile(tmp_path / 'x.lmdb').read('Jürgen 1') == (tmp_path / 'a.png').read_bytes()


def test_the_host_reads_it(tmp_path, files):
    for name in ('lq', 'gt'):
        write_lmdb(tmp_path / f'{name}.lmdb', files)
    roots = [str(tmp_path / 'lq.lmdb'), str(tmp_path / 'gt.lmdb')]
    paths = paired_paths_from_lmdb(roots, ['lq', 'gt'])
    assert [path['gt_path'] for path in paths] == ['a', 'b', 'sub/c']
    client = FileClient('lmdb', db_paths=roots, client_keys=['lq', 'gt'])
    assert client.get('a', 'gt') == files['a'].read_bytes()
    face = imfrombytes(client.get('b', 'lq'))
    assert np.array_equal(face[..., ::-1], np.asarray(Image.open(files['b'])))
    for environment in client.client._client.values():
        environment.close()


@pytest.mark.parametrize('size', [(2, 2), (24, 16), (100, 100)])
def test_the_data_file_is_not_much_larger_than_its_pictures(tmp_path, size):
    faces = {f'{i:03}': save(tmp_path / 'files' / f'{i}.png', size=size, seed=i) for i in range(200)}
    write_lmdb(tmp_path / 'faces.lmdb', faces)
    stored = sum(os.path.getsize(file) for file in faces.values())
    used = os.path.getsize(tmp_path / 'faces.lmdb' / 'data.mdb')
    assert stored < used < 2 * stored + len(faces) * 4096 + 65536


def test_many_commits_in_any_order_fit(tmp_path, monkeypatch):
    monkeypatch.setattr('pkdn_basicsr.data.lmdb_file._COMMIT_BYTES', 3000)
    order = np.random.default_rng(0).permutation(300)
    faces = {f'{i:03}': save(tmp_path / 'files' / f'{i}.png', size=(20 + i % 30, 20), seed=i) for i in order}
    write_lmdb(tmp_path / 'faces.lmdb', faces)
    found = LmdbFile(tmp_path / 'faces.lmdb')
    assert found.keys == list(faces)
    assert all(found.read(key) == file.read_bytes() for key, file in faces.items())


def test_names_of_one_key_are_both_named(tmp_path, usage_error):
    files = {name: save(tmp_path / f'{name}.png') for name in ('a.b', 'a_b')}
    with usage_error("'a.b'", "'a_b'", 'rename'):
        write_lmdb(tmp_path / 'x.lmdb', files)
    assert not (tmp_path / 'x.lmdb').exists()


@pytest.mark.parametrize('name', ['', 'x' * 512, 'two\nlines'])
def test_a_name_that_cannot_be_a_key_is_refused(tmp_path, name, usage_error):
    file = save(tmp_path / 'a.png')
    with usage_error(file, '511 bytes', 'rename'):
        write_lmdb(tmp_path / 'x.lmdb', {name: file})


def test_nothing_to_write_is_refused(tmp_path, usage_error):
    with usage_error('no picture'):
        write_lmdb(tmp_path / 'x.lmdb', {})


def test_another_ending_is_refused(tmp_path, files, usage_error):
    with usage_error(tmp_path / 'faces', 'faces.lmdb'):
        write_lmdb(tmp_path / 'faces', files)


@pytest.mark.parametrize('what', ['folder', 'file', 'link'])
def test_what_is_there_is_left_alone(tmp_path, files, what, usage_error):
    path = tmp_path / 'faces.lmdb'
    {'folder': path.mkdir, 'file': path.touch, 'link': lambda: path.symlink_to('nowhere')}[what]()
    with usage_error(path, 'never overwritten'):
        write_lmdb(path, files)
    assert os.path.lexists(path)
    assert not (path / 'data.mdb').exists()


@pytest.mark.parametrize('content', ['jpeg', 'text', 'missing'])
def test_a_file_that_is_no_png_is_named_and_nothing_is_left(tmp_path, files, content, usage_error):
    wrong = tmp_path / 'wrong.png'
    if content == 'jpeg':
        Image.open(files['b']).save(wrong, format='JPEG')
    elif content == 'text':
        wrong.write_text('no picture')
    with usage_error(wrong, 'No such file' if content == 'missing' else 'expected a PNG file'):
        write_lmdb(tmp_path / 'faces.lmdb', {**files, 'wrong': wrong})
    assert not (tmp_path / 'faces.lmdb').exists()
    assert not left_over(tmp_path)


@pytest.mark.parametrize('error', [OSError(28, 'No space left on device'), lmdb.DiskError('No space left on device')],
                         ids=['list', 'data'])
def test_a_full_disk_is_one_line(tmp_path, files, error, monkeypatch, usage_error):
    def full(*_, **__):
        raise error
    if isinstance(error, lmdb.Error):
        monkeypatch.setattr('pkdn_basicsr.data.lmdb_file._write_data', full)
    else:
        monkeypatch.setattr('pathlib.Path.write_text', full)
    with usage_error(tmp_path / 'faces.lmdb', 'No space left on device'):
        write_lmdb(tmp_path / 'faces.lmdb', files)
    assert not (tmp_path / 'faces.lmdb').exists()
    assert not left_over(tmp_path)


def test_a_real_limit_of_the_file_size_is_one_line(tmp_path):
    """Stands for a full disk: LMDB itself fails in the middle."""
    save(tmp_path / 'a.png', size=(300, 300))
    code = ('import resource, signal, sys; from pathlib import Path\n'
            'from pkdn_basicsr.data.lmdb_file import write_lmdb\n'
            'signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n'
            'try: write_lmdb(Path("faces.lmdb"), {"a": Path("a.png")})\n'
            'except ValueError as error: print(type(error).__name__, error)\n')
    found = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.startswith('UsageError faces.lmdb: cannot be written')
    assert found.stdout.count('\n') == 1
    assert os.listdir(tmp_path) == ['a.png']


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, files, usage_error):
    (tmp_path / 'file').touch()
    with usage_error(tmp_path / 'file' / 'faces.lmdb', 'cannot be written'):
        write_lmdb(tmp_path / 'file' / 'faces.lmdb', files)


SLOW_WRITER = """
import sys, time
from pathlib import Path
from pkdn_basicsr.data import lmdb_file
shape_of = lmdb_file._shape_of
def slow(content, file):
    time.sleep(0.02)
    return shape_of(content, file)
lmdb_file._shape_of, lmdb_file._COMMIT_BYTES = slow, 2000
files = {f'{i:04}': Path('a.png') for i in range(10_000)}
lmdb_file.write_lmdb(Path('faces.lmdb'), files)
"""


def test_a_killed_run_leaves_no_half_file_and_the_next_one_starts_anew(tmp_path, files):
    save(tmp_path / 'a.png')
    process = subprocess.Popen([sys.executable, '-c', SLOW_WRITER], cwd=tmp_path, stderr=subprocess.DEVNULL)
    data = tmp_path / '.faces.lmdb.unfinished' / 'data.mdb'
    try:
        deadline = time.monotonic() + 120
        while not (data.exists() and data.stat().st_size > 40_000):  # several commits
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / 'faces.lmdb').exists()
    assert left_over(tmp_path)
    write_lmdb(tmp_path / 'faces.lmdb', files)
    with lmdb.open(str(tmp_path / 'faces.lmdb'), readonly=True, lock=False) as environment:
        assert environment.stat()['entries'] == len(files)
    assert LmdbFile(tmp_path / 'faces.lmdb').keys == list(files)
    assert not left_over(tmp_path)


# reading

@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_every_process_reads_for_itself(written, files, method):
    file = LmdbFile(written)
    assert file.read('a') == files['a'].read_bytes()  # open here before the other process starts
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map(file.read, ['b', 'a']) == [files['b'].read_bytes(), files['a'].read_bytes()]
    assert file.read('a') == files['a'].read_bytes()


def test_two_readers_of_one_file_and_a_copy_go_together(written, files):
    for file in (one := LmdbFile(written), LmdbFile(str(written)), pickle.loads(pickle.dumps(one))):
        assert file.read('a') == files['a'].read_bytes()


def test_a_file_written_anew_is_read_anew(tmp_path, written, files):
    old = LmdbFile(written)
    shutil.rmtree(written)
    write_lmdb(written, {'a': files['b']})
    assert LmdbFile(written).read('a') == old.read('a') == files['b'].read_bytes()


def test_a_missing_one_is_named(tmp_path, usage_error):
    with usage_error(tmp_path / 'x.lmdb', 'no such LMDB'):
        LmdbFile(tmp_path / 'x.lmdb')


@pytest.mark.parametrize('name', ['data.mdb', 'meta_info.txt'])
def test_a_missing_part_is_named(written, name, usage_error):
    (written / name).unlink()
    with usage_error(written, f'found no {name}', 'write it again'):
        LmdbFile(written)


def test_the_lock_file_is_not_needed(written, files):
    (written / 'lock.mdb').unlink()
    assert LmdbFile(written).read('a') == files['a'].read_bytes()


@pytest.mark.parametrize('how', ['empty', 'text', 'truncated'])
def test_a_damaged_file_is_named(written, how, usage_error):
    data = written / 'data.mdb'
    content = data.read_bytes()
    data.write_bytes({'empty': b'', 'text': 5000 * b'no LMDB ', 'truncated': content[:-4096]}[how])
    with usage_error(data, 'again'):
        LmdbFile(written)


def test_a_file_that_vanishes_later_is_named(written, usage_error):
    file = LmdbFile(written)
    (written / 'data.mdb').unlink()
    with usage_error(written / 'data.mdb', 'cannot be read'):
        file.read('a')


@pytest.mark.parametrize(('content', 'words'), [(b'', ['found none']), (b'\n\n', ['found none']),
                                                (b'a.png\nb.png\na.png\n', ['found 1 keys twice']),
                                                (b'\xff\xfe.png\n', ['cannot be read'])], ids=repr)
def test_a_damaged_list_is_named(written, content, words, usage_error):
    (written / 'meta_info.txt').write_bytes(content)
    with usage_error(written / 'meta_info.txt', 'write the LMDB again', *words):
        LmdbFile(written)


def test_a_list_with_more_than_the_data_is_named(written, usage_error):
    with (written / 'meta_info.txt').open('a') as meta:
        meta.write('d.png (1,1,3) 1\n')
    with usage_error(written / 'data.mdb', '4 pictures', 'found 3'):
        LmdbFile(written)


def test_a_key_without_picture_is_named(written, usage_error):
    with usage_error(written, "'ghost'", 'exclude_file'):
        LmdbFile(written).read('ghost')


def test_a_file_of_the_host_is_read(tmp_path, files):
    """The host encodes pictures anew; pixels stay."""
    from basicsr.utils.lmdb_util import make_lmdb_from_imgs
    make_lmdb_from_imgs(str(tmp_path / 'files'), str(tmp_path / 'host.lmdb'), ['b.png', 'sub/c.png'], ['b', 'c'],
                        map_size=1 << 20)
    file = LmdbFile(tmp_path / 'host.lmdb')
    assert file.keys == ['b', 'c']
    (tmp_path / 'again.png').write_bytes(file.read('b'))
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'again.png')), np.asarray(Image.open(files['b'])))
