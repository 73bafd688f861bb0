"""The engine of `basicsr prepare`, with recipes that copy small pictures."""

import fcntl
import hashlib
import json
import os
import random
import resource
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tqdm import tqdm

from pkdn_basicsr.data.lmdb_file import LmdbFile
from pkdn_basicsr.data.pairing import read_name_list
from pkdn_basicsr.data.picture import read_picture
from pkdn_basicsr.data.prepare import parallel
from pkdn_basicsr.data.prepare.job import describe, prepare
from pkdn_basicsr.data.prepare.journal import FOLDER
from pkdn_basicsr.data.prepare.recipe import Face, Plan, Sizes, face_name, training_face
from pkdn_basicsr.errors import UsageError

SIZES = Sizes(32, (4, 8))


@dataclass(frozen=True)
class Copy:
    """One face of a picture, or several."""

    source: str
    split: str | None = None
    faces: int = 1

    @property
    def name(self) -> str:
        return face_name(self.source)

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    def make(self, root: Path) -> list[Face]:
        picture = read_picture(str(root / self.source))
        parsing = np.asarray(picture)[..., 0] % 19
        return [training_face(self.name + (f'_{number}' if number else ''), picture, SIZES, parsing,
                              facts={'crop_box': [0, 0, *picture.size]}) for number in range(self.faces)]


@pytest.fixture
def raw(tmp_path):
    """A folder of seven pictures of 40x40 pixels."""
    folder = tmp_path / 'raw'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(7):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / f'{index}.png')
    return folder


def plan_of(raw: Path, **settings) -> Plan:
    names = sorted(path.name for path in raw.iterdir())
    return Plan(raw, [Copy(name, 'train' if name < '5' else 'val') for name in names],
                {'kind': 'copy', **SIZES.settings(), **settings})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the memory of the run."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob('*'))
            if path.is_file() and FOLDER not in path.parts}


def test_a_set_has_pictures_lists_and_a_manifest_that_agree(raw, tmp_path):
    dst = tmp_path / 'set'
    result = prepare(plan_of(raw), dst, 1)
    assert (result.faces, result.made, result.kept, result.skipped) == (7, 7, 0, 0)
    assert sorted(path.name for path in dst.iterdir() if path.name != FOLDER) == [
        'images', 'lq_x4', 'lq_x8', 'manifest.json', 'meta_info.txt', 'parsing', 'skipped.csv', 'split_train.txt',
        'split_val.txt']
    assert (dst / 'split_train.txt').read_text().split() == [f'{index}.png' for index in range(5)]
    assert (dst / 'split_val.txt').read_text().split() == ['5.png', '6.png']
    assert (dst / 'meta_info.txt').read_text().splitlines() == [f'{index}.png (32,32,3)' for index in range(7)]
    hr = Image.open(raw / '3.png').resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(Image.open(dst / 'images' / '3.png'), hr)
    assert np.array_equal(Image.open(dst / 'lq_x8' / '3.png'), hr.resize((4, 4), Image.Resampling.BICUBIC))
    labels = Image.fromarray(np.asarray(Image.open(raw / '3.png'))[..., 0] % 19)
    assert np.array_equal(Image.open(dst / 'parsing' / '3.png'), labels.resize((32, 32), Image.Resampling.NEAREST))

    manifest = json.loads((dst / 'manifest.json').read_text())
    assert manifest['settings']['tool'].startswith('pkdn_basicsr ')
    face = manifest['faces'][3]
    assert (face['name'], face['width'], face['height'], face['split']) == ('3', 32, 32, 'train')
    assert face['crop_box'] == [0, 0, 40, 40]
    assert face['sources'] == {'3.png': sha256(raw / '3.png')}
    assert face['files'] == {path: sha256(dst / path) for path in
                             ('images/3.png', 'lq_x4/3.png', 'lq_x8/3.png', 'parsing/3.png')}


def test_data_sets_read_names_with_spaces_from_the_lists(raw, tmp_path):
    (raw / '0.png').rename(raw / '1 (1).png')
    prepare(plan_of(raw), tmp_path / 'set', 1)
    names = ['1 (1)', *'123456']
    assert read_name_list(str(tmp_path / 'set' / 'meta_info.txt'), 'x') == names
    assert read_name_list(str(tmp_path / 'set' / 'split_train.txt'), 'x') == names[:5]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_second_run_keeps_everything_and_a_lost_file_is_made_again(raw, tmp_path):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    whole = contents(dst)
    times = {path: (dst / path).stat().st_mtime_ns for path in whole if path.startswith('images')}
    (dst / 'lq_x8' / '2.png').unlink()
    result = prepare(plan_of(raw), dst, 1)
    assert (result.made, result.kept) == (1, 6)
    assert contents(dst) == whole
    assert all((dst / path).stat().st_mtime_ns == time for path, time in times.items() if path != 'images/2.png')


def test_a_changed_source_is_made_again(raw, tmp_path):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    Image.new('RGB', (40, 40), 'red').save(raw / '4.png')
    result = prepare(plan_of(raw), dst, 1)
    assert (result.made, result.kept) == (1, 6)
    assert np.asarray(Image.open(dst / 'images' / '4.png')).tolist() == [[[255, 0, 0]] * 32] * 32
    fresh = tmp_path / 'fresh'
    prepare(plan_of(raw), fresh, 1)
    assert contents(fresh) == contents(dst)


def test_faces_that_a_changed_source_no_longer_gives_are_taken_away(raw, tmp_path):
    dst, plan = tmp_path / 'set', plan_of(raw)
    prepare(Plan(raw, [Copy('0.png', faces=3)], plan.settings), dst, 1)
    assert len(list((dst / 'images').iterdir())) == 3
    Image.new('RGB', (40, 40)).save(raw / '0.png')
    prepare(Plan(raw, [Copy('0.png', faces=2)], plan.settings), dst, 1)
    assert sorted(path.name for path in (dst / 'images').iterdir()) == ['0.png', '0_1.png']


@pytest.mark.parametrize('spoil', [
    lambda path: path.write_bytes(path.read_bytes()[:200]), lambda path: path.write_bytes(b''),
    lambda path: path.write_text('no picture'), lambda path: Image.open(path).convert('L').save(path),
    lambda path: Image.fromarray(np.zeros((40, 40), np.uint16)).save(path)],
    ids=['truncated', 'empty', 'text', 'grey', '16 bits'])
def test_a_picture_of_no_use_is_reported_and_the_others_are_made(raw, tmp_path, spoil):
    spoil(raw / '2.png')
    dst = tmp_path / 'set'
    result = prepare(plan_of(raw), dst, 1)
    assert (result.faces, result.skipped) == (6, 1)
    header, line = (dst / 'skipped.csv').read_text().splitlines()
    assert header == 'source,reason'
    assert line.startswith('2.png,')
    assert str(tmp_path) not in line
    assert not (dst / 'images' / '2.png').exists()
    assert '2.png' not in (dst / 'meta_info.txt').read_text()


@pytest.mark.parametrize('name', ['a.jpg', 'b.png'])
def test_cmyk_and_rgba_pictures_are_used(raw, tmp_path, name):
    mode = 'CMYK' if name.endswith('jpg') else 'RGBA'
    Image.open(raw / '0.png').convert(mode).save(raw / name)
    dst = tmp_path / 'set'
    assert prepare(plan_of(raw), dst, 1).faces == 8
    assert Image.open(dst / 'images' / f'{name[0]}.png').mode == 'RGB'


def test_a_mended_picture_is_no_longer_skipped(raw, tmp_path):
    whole = (raw / '2.png').read_bytes()
    (raw / '2.png').write_bytes(b'')
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    (raw / '2.png').write_bytes(whole)
    assert prepare(plan_of(raw), dst, 1).faces == 7
    assert (dst / 'skipped.csv').read_text() == 'source,reason\n'


# --- what is somebody's is left alone -----------------------------------------------------------------------------

@pytest.mark.parametrize('path', ['images/3.png', 'parsing/3.png', 'split_val.txt', 'manifest.json'])
def test_a_file_that_somebody_changed_is_named_and_left_alone(raw, tmp_path, usage_error, path):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    (dst / path).write_text('my own work')
    (dst / 'lq_x4' / '6.png').unlink()
    with usage_error(path, 'move'):
        prepare(plan_of(raw), dst, 1)
    assert (dst / path).read_text() == 'my own work'
    assert (dst / 'lq_x4' / '6.png').exists()  # the rest is finished first
    (dst / path).unlink()
    prepare(plan_of(raw), dst, 1)


def test_a_foreign_file_in_the_way_is_named_and_left_alone(raw, tmp_path, usage_error):
    dst = tmp_path / 'set'
    prepare(Plan(raw, plan_of(raw).recipes[:3], plan_of(raw).settings), dst, 1)
    (dst / 'images' / '5.png').write_text('mine')
    with usage_error('images/5.png'):
        prepare(plan_of(raw), dst, 1)
    assert (dst / 'images' / '5.png').read_text() == 'mine'
    assert not (dst / 'lq_x8' / '5.png').exists()
    assert (dst / 'images' / '6.png').exists()


def test_a_folder_of_other_things_is_refused(raw, tmp_path, usage_error):
    dst = tmp_path / 'set'
    dst.mkdir()
    (dst / 'holiday.jpg').write_text('mine')
    with usage_error(dst, 'holiday.jpg', 'another folder'):
        prepare(plan_of(raw), dst, 1)
    assert [path.name for path in dst.iterdir()] == ['holiday.jpg']


def test_a_folder_of_other_settings_is_refused(raw, tmp_path, usage_error):
    dst = tmp_path / 'set'
    prepare(plan_of(raw, crop='dic'), dst, 1)
    before = contents(dst)
    with usage_error(dst, "crop 'dic'", "crop 'first18000'"):
        prepare(plan_of(raw, crop='first18000'), dst, 1)
    assert contents(dst) == before


@pytest.mark.parametrize('text', ['{"kind": ', '[1]', ''])
def test_damaged_settings_are_refused(raw, tmp_path, usage_error, text):
    dst = tmp_path / 'set'
    (dst / FOLDER).mkdir(parents=True)
    (dst / FOLDER / 'settings.json').write_text(text)
    with usage_error('settings.json'):
        prepare(plan_of(raw), dst, 1)


def test_a_file_in_the_folders_place_is_refused(raw, tmp_path, usage_error):
    (tmp_path / 'set').write_text('mine')
    with usage_error(tmp_path / 'set', 'found a file'):
        prepare(plan_of(raw), tmp_path / 'set', 1)


def test_a_place_inside_the_source_is_refused(raw, usage_error):
    with usage_error(raw / 'set', 'source folder'):
        prepare(plan_of(raw), raw / 'set', 1)
    assert not (raw / 'set').exists()


def test_two_sources_of_one_name_are_refused(raw, tmp_path, usage_error):
    (raw / '3.jpg').write_bytes((raw / '3.png').read_bytes())
    with usage_error('3.jpg', '3.png'):
        prepare(plan_of(raw), tmp_path / 'set', 1)


def test_no_worker_and_nothing_to_do_are_refused(raw, tmp_path, usage_error):
    with usage_error('workers', '0'):
        prepare(plan_of(raw), tmp_path / 'set', 0)
    with usage_error(raw, 'no picture'):
        prepare(Plan(raw, [], {}), tmp_path / 'set', 1)


def test_a_full_disk_is_one_error_and_the_next_run_goes_on(raw, tmp_path, usage_error, monkeypatch):
    whole = tmp_path / 'whole'
    prepare(plan_of(raw), whole, 1)
    write_bytes, room = Path.write_bytes, [9]

    def fill_up(path, content):
        room[0] -= 1
        if room[0] < 0:
            write_bytes(path, content[:10])
            raise OSError(28, 'No space left on device')
        return write_bytes(path, content)

    monkeypatch.setattr(Path, 'write_bytes', fill_up)
    dst = tmp_path / 'set'
    with usage_error(dst, 'No space left', 'same command'):
        prepare(plan_of(raw), dst, 1)
    monkeypatch.undo()
    assert all(contents(whole)[path] == content for path, content in contents(dst).items())
    prepare(plan_of(raw), dst, 1)
    assert contents(dst) == contents(whole)


@pytest.fixture
def failed_rewrite(raw, tmp_path, usage_error):
    """A set of two faces of one picture, which the picture's next version could not replace."""
    dst, plan = tmp_path / 'set', Plan(raw, [Copy('0.png', faces=2)], plan_of(raw).settings)
    prepare(plan, dst, 1)
    Image.new('RGB', (40, 40), 'red').save(raw / '0.png')
    (dst / FOLDER / 'unfinished').mkdir()
    with usage_error('cannot be written', 'run the same command again'):
        prepare(plan, dst, 1)
    (dst / FOLDER / 'unfinished').rmdir()
    return plan, dst


def test_a_rewrite_that_failed_is_done_by_the_next_run(failed_rewrite, tmp_path):
    plan, dst = failed_rewrite
    assert prepare(plan, dst, 1).made == 1
    prepare(plan, tmp_path / 'fresh', 1)
    assert contents(dst) == contents(tmp_path / 'fresh')


def test_after_a_rewrite_that_failed_somebody_s_file_is_left_alone(failed_rewrite, usage_error):
    plan, dst = failed_rewrite
    (dst / 'parsing' / '0.png').write_text('my own work')
    with usage_error('1 files', 'parsing/0.png', 'move'):
        prepare(plan, dst, 1)
    assert (dst / 'parsing' / '0.png').read_text() == 'my own work'


def test_after_a_rewrite_that_failed_faces_that_are_no_longer_given_are_taken_away(failed_rewrite, raw):
    plan, dst = failed_rewrite
    Image.new('RGB', (40, 40)).save(raw / '0.png')
    prepare(Plan(raw, [Copy('0.png')], plan.settings), dst, 1)
    assert [path.name for path in (dst / 'images').iterdir()] == ['0.png']


def test_a_place_that_cannot_be_written_to_is_one_error(raw, tmp_path, usage_error):
    (tmp_path / 'file').write_text('')
    with usage_error(tmp_path / 'file' / 'set', 'cannot be written to', 'another folder'):
        prepare(plan_of(raw), tmp_path / 'file' / 'set', 1)


def test_a_second_run_at_the_same_time_is_kept_out(raw, tmp_path, usage_error):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    with (dst / FOLDER / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with usage_error(dst, 'another run'):
            prepare(plan_of(raw), dst, 1)


# --- interruptions ------------------------------------------------------------------------------------------------

def test_killed_ten_times_at_random_it_ends_with_the_same_set(raw, tmp_path):
    rng = np.random.default_rng(1)
    for index in range(7, 60):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(raw / f'{index:02d}.png')
    plan = plan_of(raw)
    start = time.monotonic()
    prepare(plan, tmp_path / 'whole', 1)
    took = time.monotonic() - start
    dst, waits, killed = tmp_path / 'set', random.Random(0), 0
    while killed < 10:
        child = os.fork()
        if child == 0:
            tqdm.set_lock(threading.RLock())  # its own lock is shared with this process, and would be held forever
            prepare(plan, dst, 1)
            os._exit(0)
        time.sleep(waits.uniform(0, took / 8))
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    prepare(plan, dst, 1)
    assert contents(dst) == contents(tmp_path / 'whole')


def test_a_torn_line_of_the_journal_is_forgotten(raw, tmp_path):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    journal = dst / FOLDER / 'journal.jsonl'
    with journal.open('ab') as file:
        file.write(b'{"name": "6", "sour')
    Image.new('RGB', (40, 40)).save(raw / '6.png')
    for _ in range(2):
        prepare(plan_of(raw), dst, 1)
        assert all(json.loads(line) for line in journal.read_text().splitlines())
    prepare(plan_of(raw), tmp_path / 'fresh', 1)
    assert contents(dst) == contents(tmp_path / 'fresh')


def test_a_damaged_journal_is_named(raw, tmp_path, usage_error):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    journal = dst / FOLDER / 'journal.jsonl'
    journal.write_text(journal.read_text().replace('"name"', '"na', 1))
    with usage_error(journal, 'damaged'):
        prepare(plan_of(raw), dst, 1)


def test_a_journal_that_cannot_grow_is_one_error_and_the_next_run_goes_on(raw, tmp_path):
    """A real limit of the file size: pictures fit, the journal does not."""
    dst = tmp_path / 'set'
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            prepare(plan_of(raw), dst, 1)
        except UsageError as error:
            os._exit(7 if 'journal.jsonl' in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert list((dst / 'images').iterdir())
    prepare(plan_of(raw), dst, 1)
    prepare(plan_of(raw), tmp_path / 'fresh', 1)
    assert contents(dst) == contents(tmp_path / 'fresh')


@pytest.mark.parametrize('done', ['journal', 'nothing'])
def test_a_run_cut_between_journal_and_files_goes_on(raw, tmp_path, done):
    """Files of the last line may be missing; files of no line are somebody's, unless they are what we would write."""
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    whole, journal = contents(dst), dst / FOLDER / 'journal.jsonl'
    if done == 'journal':
        for folder in ('images', 'lq_x4', 'lq_x8', 'parsing'):
            (dst / folder / '6.png').unlink()
    else:
        lines = journal.read_text().splitlines(keepends=True)
        journal.write_text(''.join(line for line in lines if '"name": "6"' not in line))
    prepare(plan_of(raw), dst, 1)
    assert contents(dst) == whole


def test_worker_processes_make_the_same_set(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, '_TASKS_WORTH_A_WORKER', 2)
    (raw / '2.png').write_bytes(b'')
    prepare(plan_of(raw), tmp_path / 'two', 2)
    monkeypatch.undo()
    prepare(plan_of(raw), tmp_path / 'one', 2)
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')


# --- other sources ------------------------------------------------------------------------------------------------

def test_faces_that_are_no_longer_wanted_are_named_before_anything_is_done(raw, tmp_path, usage_error):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1)
    before = contents(dst)
    fewer = Plan(raw, plan_of(raw).recipes[2:], plan_of(raw).settings)
    for act in (lambda: prepare(fewer, dst, 1), lambda: describe(fewer, dst)):
        with usage_error(dst, '8 files', 'images/0.png', 'another folder'):
            act()
    assert contents(dst) == before
    for path in [path for path in before if path.endswith(('/0.png', '/1.png'))]:
        (dst / path).unlink()
    prepare(fewer, dst, 1)
    prepare(fewer, tmp_path / 'fresh', 1)
    assert contents(dst) == contents(tmp_path / 'fresh')


def test_the_list_of_a_split_that_is_gone_goes_unless_somebody_changed_it(raw, tmp_path):
    for name, text in (('ours', None), ('changed', '6.png\n')):
        dst = tmp_path / name
        prepare(plan_of(raw), dst, 1)
        if text:
            (dst / 'split_val.txt').write_text(text)
        undivided = Plan(raw, [Copy(recipe.source, 'train') for recipe in plan_of(raw).recipes], plan_of(raw).settings)
        prepare(undivided, dst, 1)
        assert (dst / 'split_train.txt').read_text().count('\n') == 7
        assert (dst / 'split_val.txt').exists() == bool(text)


# --- looking ahead, LMDB ------------------------------------------------------------------------------------------

def test_describe_counts_and_writes_nothing(raw, tmp_path):
    dst = tmp_path / 'set'
    assert describe(plan_of(raw), dst) == {'train': 5, 'val': 2}
    assert not dst.exists()
    prepare(plan_of(raw), dst, 1)
    with (dst / FOLDER / 'journal.jsonl').open('ab') as journal:
        journal.write(b'{"name": "8", "so')  # another run is writing
    before = {path: path.read_bytes() for path in dst.rglob('*') if path.is_file()}
    assert describe(plan_of(raw), dst) == {'train': 5, 'val': 2, 'already made': 7}
    assert {path: path.read_bytes() for path in dst.rglob('*') if path.is_file()} == before


def test_lmdb_copies_hold_the_files_and_are_made_again_only_when_they_differ(raw, tmp_path, usage_error):
    dst = tmp_path / 'set'
    prepare(plan_of(raw), dst, 1, lmdb=True)
    for folder in ('images', 'lq_x4', 'lq_x8', 'parsing'):
        stored = LmdbFile(str(dst / f'{folder}.lmdb'))
        assert {key: stored.read(key) for key in stored.keys} == {
            str(index): (dst / folder / f'{index}.png').read_bytes() for index in range(7)}
    made = (dst / 'images.lmdb' / 'data.mdb').stat().st_ino
    prepare(plan_of(raw), dst, 1, lmdb=True)
    assert (dst / 'images.lmdb' / 'data.mdb').stat().st_ino == made
    Image.new('RGB', (40, 40)).save(raw / '1.png')
    prepare(plan_of(raw), dst, 1, lmdb=True)
    assert LmdbFile(str(dst / 'images.lmdb')).read('1') == (dst / 'images' / '1.png').read_bytes()
    Image.new('RGB', (40, 40), 'red').save(raw / '1.png')
    prepare(plan_of(raw), dst, 1)
    assert LmdbFile(str(dst / 'images.lmdb')).read('1') == (dst / 'images' / '1.png').read_bytes()

    other = tmp_path / 'other'
    prepare(plan_of(raw), other, 1)
    (other / 'parsing.lmdb').mkdir()
    with usage_error('parsing.lmdb', 'not made here'):
        prepare(plan_of(raw), other, 1, lmdb=True)


@pytest.mark.parametrize('values', [(0, ()), (32, (0,)), (30, (8,))])
def test_sizes_that_do_not_fit_are_refused(values):
    with pytest.raises(UsageError, match='must be at least|multiple of scale'):
        Sizes(*values)
