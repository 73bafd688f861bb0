import json

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.prepare import parallel, toy
from pkdn_basicsr.data.prepare.job import prepare
from pkdn_basicsr.data.prepare.recipe import Sizes
from pkdn_basicsr.data.prepare.toy import plan_toy, write_toy_faces
from pkdn_basicsr.data.toy_faces.face import VERSION

INDEX = get_scheme('celebamask_hq').index


def read_all(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*.png')}


def test_folder_has_what_the_datasets_read(tmp_path):
    folder = tmp_path / 'a' / 'faces'
    write_toy_faces(folder, 9, seed=1, size=64)
    names = [f'{i:05d}.png' for i in range(9)]
    assert sorted(read_all(folder)) == sorted(f'{kind}/{name}' for kind in ('images', 'parsing') for name in names)
    assert (folder / 'split_train.txt').read_text().split() == names[:8]
    assert (folder / 'split_val.txt').read_text().split() == names[8:]
    settings = json.loads((folder / 'manifest.json').read_text())['settings']
    del settings['tool']
    assert settings == {'kind': 'toy', 'version': VERSION, 'num': 9, 'seed': 1, 'size': 64, 'scales': [], 'num_val': 1}
    picture, parsing = (Image.open(folder / kind / names[0]) for kind in ('images', 'parsing'))
    assert (picture.mode, parsing.mode, picture.size, parsing.size) == ('RGB', 'P', (64, 64), (64, 64))
    assert {INDEX('skin'), INDEX('nose'), INDEX('neck')} <= set(np.unique(parsing)) <= set(range(19))


def test_split_and_single_validation_face(tmp_path):
    write_toy_faces(tmp_path, 5, seed=0, size=64, num_val=3)
    assert (tmp_path / 'split_train.txt').read_text() == '00000.png\n00001.png\n'
    assert (tmp_path / 'split_val.txt').read_text() == '00002.png\n00003.png\n00004.png\n'


def test_longer_set_begins_with_the_shorter_one_and_worker_processes_draw_the_same(tmp_path, monkeypatch):
    write_toy_faces(tmp_path / 'short', 2, seed=5, size=64)
    monkeypatch.setattr(parallel, '_TASKS_WORTH_A_WORKER', 2)
    prepare(plan_toy(4, 5, Sizes(64)), tmp_path / 'long', workers=2)
    write_toy_faces(tmp_path / 'other', 2, seed=6, size=64)
    short, long, other = (read_all(tmp_path / name) for name in ('short', 'long', 'other'))
    for name in ('images/00000.png', 'images/00001.png', 'parsing/00000.png', 'parsing/00001.png'):
        assert short[name] == long[name]
        assert short[name] != other[name]
    assert long['images/00000.png'] != long['images/00001.png']
    assert len(long) == 4 * 2


def test_finished_set_draws_nothing(tmp_path, monkeypatch):
    write_toy_faces(tmp_path, 3, seed=2, size=64)
    monkeypatch.setattr(toy, 'draw_toy_face', None)
    write_toy_faces(tmp_path, 3, seed=2, size=64)


@pytest.mark.parametrize(('changed', 'words'), [
    ({'seed': 3}, ('seed 3', 'seed 2')), ({'size': 72}, ('size 72', 'size 64')), ({'num': 3}, ('num 3', 'num 2')),
    ({'num': 4, 'num_val': 2}, ('num_val 2', 'num_val 1'))])
def test_folder_of_other_settings_is_refused_and_left_alone(tmp_path, usage_error, changed, words):
    settings = {'num': 2, 'seed': 2, 'size': 64}
    write_toy_faces(tmp_path, **settings)
    before = read_all(tmp_path)
    with usage_error(tmp_path, *words, 'name another folder'):
        write_toy_faces(tmp_path, **(settings | changed))
    assert read_all(tmp_path) == before


@pytest.mark.parametrize(('name', 'value'), [('num', 1), ('num', 100_001), ('size', 63), ('seed', -1), ('num_val', 0),
                                             ('num_val', 4)])
def test_values_out_of_range_are_refused_before_anything_is_written(tmp_path, usage_error, name, value):
    settings = {'num': 4, 'seed': 0, 'size': 64, name: value}
    with usage_error(name, value):
        write_toy_faces(tmp_path / 'faces', **settings)
    assert not (tmp_path / 'faces').exists()
