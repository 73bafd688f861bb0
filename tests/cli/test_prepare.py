"""`basicsr prepare` from raw downloads in their official layouts to what a training reads."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from data.prepare.raw_celeba_tree import write_celeba_tree
from data.prepare.raw_trees import write_celebamask_hq_tree, write_helen_tree
from PIL import Image

from pkdn_basicsr.cli.prepare import run
from pkdn_basicsr.cli.prepare_kinds import KINDS
from pkdn_basicsr.data import ParsingMapDataset
from pkdn_basicsr.data.prepare.journal import FOLDER
from pkdn_basicsr.data.prepare.toy import write_toy_faces


def dataset(folder: Path, split: str | None = None, **options) -> ParsingMapDataset:
    roots = {'dataroot_gt': folder / 'images', 'dataroot_lq': folder / 'lq_x8', 'dataroot_parsing': folder / 'parsing'}
    lists = {'split_file': str(folder / f'split_{split}.txt')} if split else {}
    return ParsingMapDataset({'name': 'prepared', 'phase': 'val', 'scale': 8, **lists, **options,
                              **{key: str(root) for key, root in roots.items() if root.exists()}})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob('*'))
            if path.is_file() and FOLDER not in path.parts}


def test_celebamask_hq_becomes_a_training_set(tmp_path, basicsr_command):
    maps = write_celebamask_hq_tree(tmp_path / 'raw', 3)
    status, out, _ = basicsr_command(tmp_path, 'prepare', 'celebamask-hq', '--src', 'raw', '--dst', 'set', '--size',
                                     128, '--scale', 8, 16)
    assert status == 0
    assert f'3 faces in {tmp_path / "set"}' in out
    samples = dataset(tmp_path / 'set')
    assert [sample['lq'].shape for sample in samples] == [(3, 16, 16)] * 3
    expected = np.asarray(Image.fromarray(maps[1]).resize((128, 128), Image.Resampling.NEAREST))
    assert np.array_equal(samples[1]['parsing'], expected)
    assert Image.open(tmp_path / 'set' / 'lq_x16' / '1.png').size == (8, 8)


def test_helen_becomes_a_training_set(tmp_path, basicsr_command):
    write_helen_tree(tmp_path / 'raw', 3)
    status, out, _ = basicsr_command(tmp_path, 'prepare', 'helen', '--src', 'raw', '--dst', 'set', '--size', 128,
                                     '--scale', 8)
    assert (status, out.split()[0]) == (0, '3')
    samples = dataset(tmp_path / 'set', parsing_scheme='helen')
    assert len(samples) == 3
    assert set(np.unique(samples[0]['parsing'])) <= set(range(11))


@pytest.mark.parametrize('crop', ['dic', 'first18000'])
def test_celeba_becomes_a_training_set(tmp_path, basicsr_command, crop):
    write_celeba_tree(tmp_path / 'raw')
    names = tmp_path / 'mine.txt'
    names.write_text('000002.jpg\n')
    lists = ('--train-list', names) if crop == 'first18000' else ()  # the tree has no 19,100 pictures
    status, *_ = basicsr_command(tmp_path, 'prepare', 'celeba', '--src', 'raw', '--dst', 'set', '--scale', 8, '--crop',
                                 crop, *lists)
    assert status == 0
    assert all(sample['gt'].shape == (3, 128, 128) for sample in dataset(tmp_path / 'set', 'train'))
    face = json.loads((tmp_path / 'set' / 'manifest.json').read_text())['faces'][0]
    assert {'crop_box', 'identity', 'split', 'sources', 'files'} <= set(face)
    if lists:
        assert (tmp_path / 'set' / 'split_train.txt').read_text() == '000002.png\n'


def test_photographs_become_a_training_set(tmp_path, basicsr_command, shared_weights):
    write_toy_faces(tmp_path / 'toys', 2, seed=0, size=256)
    (tmp_path / 'raw').mkdir()
    for name in ('00000.png', '00001.png'):
        canvas = Image.new('RGB', (400, 300), 'grey')
        canvas.paste(Image.open(tmp_path / 'toys' / 'images' / name), (90, 20))
        canvas.save(tmp_path / 'raw' / name)
    Image.new('RGB', (300, 300), 'green').save(tmp_path / 'raw' / 'lawn.png')
    status, out, _ = basicsr_command(tmp_path, 'prepare', 'folder', '--src', 'raw', '--dst', 'set', '--scale', 8,
                                     '--detector', shared_weights / 'yunet_n_dynamic.onnx')
    assert status == 0
    assert len(dataset(tmp_path / 'set')) == 2
    assert '1 pictures gave no face' in out
    assert (tmp_path / 'set' / 'skipped.csv').read_text().splitlines()[1].startswith('lawn.png,')


def test_faces_get_maps_and_make_a_training_set_with_them(tmp_path, basicsr_command):
    write_toy_faces(tmp_path / 'toys', 2, seed=0, size=128)
    status, *_ = basicsr_command(tmp_path, 'prepare', 'parse', '--src', 'toys/images', '--dst', 'maps', '--confidence')
    assert status == 0
    samples = ParsingMapDataset({'name': 'parsed', 'phase': 'val', 'scale': 8,
                                 'dataroot_gt': str(tmp_path / 'toys/images'),
                                 'dataroot_parsing': str(tmp_path / 'maps/parsing')})
    truth = np.asarray(Image.open(tmp_path / 'toys/parsing/00001.png'))
    assert (samples[1]['parsing'].numpy() == truth).mean() > 0.3  # trained on photographs, not on drawings
    assert Image.open(tmp_path / 'maps/confidence/00001.png').mode == 'L'
    assert (tmp_path / 'maps/low_confidence.csv').exists()


def test_a_set_as_lmdb_gives_the_samples_of_the_folders(tmp_path, basicsr_command):
    status, *_ = basicsr_command(tmp_path, 'prepare', 'toy', '--dst', 'set', '--num', 4, '--seed', 0, '--size', 64,
                                 '--scale', 8, '--lmdb')
    assert status == 0
    roots = {f'dataroot_{kind}': str(tmp_path / 'set' / f'{folder}.lmdb')
             for kind, folder in (('gt', 'images'), ('lq', 'lq_x8'), ('parsing', 'parsing'))}
    stored = ParsingMapDataset({'name': 'stored', 'phase': 'val', 'scale': 8, 'io_backend': {'type': 'lmdb'}, **roots,
                                'split_file': str(tmp_path / 'set' / 'split_train.txt')})
    for sample, expected in zip(stored, dataset(tmp_path / 'set', 'train'), strict=True):
        assert all(sample[key].equal(expected[key]) for key in ('lq', 'gt', 'parsing'))


def test_toy_writes_the_set_and_says_where(tmp_path, basicsr_command):
    status, out, _ = basicsr_command(tmp_path, 'prepare', 'toy', '--dst', 'faces', '--num', 3, '--seed', 1,
                                     '--size', 64, '--num-val', 2)
    assert status == 0
    assert str(tmp_path / 'faces') in out
    assert (tmp_path / 'faces' / 'split_train.txt').read_text() == '00000.png\n'
    assert sorted(path.name for path in (tmp_path / 'faces' / 'images').iterdir()) == [
        '00000.png', '00001.png', '00002.png']


def test_pictures_of_kinds_that_are_not_read_are_told(tmp_path, basicsr_command):
    (tmp_path / 'raw').mkdir()
    Image.new('RGB', (32, 32)).save(tmp_path / 'raw' / 'a.png')
    Image.new('RGB', (32, 32)).save(tmp_path / 'raw' / 'b.gif')
    status, out, err = basicsr_command(tmp_path, 'prepare', 'aligned', '--src', 'raw', '--dst', 'set', '--size', 32)
    assert status == 0
    assert '1 faces' in out
    assert 'raw: pictures of these kinds are not read, and left out: 1 .gif;' in err


@pytest.mark.parametrize('score', ['2', '-0.1', 'nan', 'x'])
def test_a_confidence_that_cannot_be_is_refused(score, capsys):
    with pytest.raises(SystemExit):
        run(['folder', '--src', 'raw', '--dst', 'set', '--detector', 'a.onnx', f'--score={score}'])
    assert f'--score: expected a number from 0 to 1, found {score}' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(['parse', '--src', 'faces', '--dst', 'set', f'--low-confidence={score}'])
    assert f'--low-confidence: expected a number from 0 to 1, found {score}' in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path, basicsr_command):
    status, out, _ = basicsr_command(tmp_path, 'prepare', 'toy', '--dst', 'faces', '--num', 9, '--seed', 1, '--dry-run')
    assert status == 0
    assert '8 train, 1 val' in out
    assert not (tmp_path / 'faces').exists()


def test_nothing_but_useless_pictures_is_no_success(tmp_path, basicsr_command):
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'a.jpg').write_text('no picture')
    status, out, _ = basicsr_command(tmp_path, 'prepare', 'aligned', '--src', 'raw', '--dst', 'set')
    assert status == 1
    assert 'skipped.csv' in out


def test_killed_at_random_with_two_processes_it_ends_with_the_same_set(tmp_path, console_script):
    """Real processes: the kill hits the parent while its workers draw, and they must not outlive it."""
    command = [console_script, 'prepare', 'toy', '--num', '450', '--seed', '0', '--size', '64', '--dst']
    process = subprocess.Popen([*command, tmp_path / 'set', '--workers', '2'], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    while not list((tmp_path / 'set' / 'images').glob('[!.]*')):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(random.Random(0).uniform(0, 0.2))
    process.kill()
    process.communicate(timeout=60)  # its output ends only when the workers, who share it, have ended too
    done = len(list((tmp_path / 'set' / 'images').glob('[!.]*')))
    assert done < 450
    again = subprocess.run([*command, tmp_path / 'set', '--workers', '1'], capture_output=True, text=True, check=True)
    assert int(again.stdout.split(';')[1].split()[0]) >= done - 1
    write_toy_faces(tmp_path / 'whole', 450, seed=0, size=64)
    assert contents(tmp_path / 'set') == contents(tmp_path / 'whole')


def test_ctrl_c_is_one_line_and_the_command_goes_on(tmp_path, console_script):
    command = [console_script, 'prepare', 'toy', '--dst', 'set', '--num', '300', '--seed', '0', '--size', '128']
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / 'set' / 'images').glob('[!.]*')):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'Traceback' not in err
    assert 'the same command goes on' in err


@pytest.mark.parametrize(('option', 'value'), [('num', 1), ('size', 63), ('num-val', 3), ('num-val', 0), ('seed', -1),
                                               ('workers', 0)])
def test_wrong_value_is_one_line_that_names_it(tmp_path, basicsr_command, option, value):
    options = {'dst': 'faces', 'num': 3, 'seed': 1, 'size': 64, option: value}
    words = [word for name, text in options.items() for word in (f'--{name}', text)]
    status, out, err = basicsr_command(tmp_path, 'prepare', 'toy', *words)
    assert (status, out) == (2, '')
    assert err.startswith('basicsr prepare: error: ')
    assert err.count('\n') == 1
    assert option.replace('-', '_') in err
    assert str(value) in err
    assert not (tmp_path / 'faces').exists()


@pytest.mark.parametrize('words', [[], ['holiday'], ['toy'], ['toy', '--dst', 'x', '--num', '3'],
                                   ['toy', '--dst', 'x', '--num', 'three', '--seed', '1']])
def test_wrong_usage_is_refused(words, capsys):
    with pytest.raises(SystemExit) as leave:
        run(words)
    assert leave.value.code == 2
    assert 'basicsr prepare' in capsys.readouterr().err


@pytest.mark.parametrize('kind', [kind for kind in KINDS if kind != 'toy'])
def test_a_source_that_is_not_there_is_one_line(tmp_path, basicsr_command, kind, shared_weights):
    detector = ('--detector', shared_weights / 'yunet_n_dynamic.onnx') if kind == 'folder' else ()
    status, _, err = basicsr_command(tmp_path, 'prepare', kind, '--src', 'nowhere', '--dst', 'set', *detector)
    assert status == 2
    assert err.startswith('basicsr prepare: error: ')
    assert err.count('\n') == 1
    assert 'nowhere' in err
    assert not (tmp_path / 'set').exists()


def test_help_lists_the_kinds(capsys):
    with pytest.raises(SystemExit) as leave:
        run(['--help'])
    assert leave.value.code == 0
    out = capsys.readouterr().out
    assert 'usage: basicsr prepare' in out
    assert all(kind in out for kind in KINDS)
