import json
import os

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.data.parsing_labels import convert_parsing
from pkdn_basicsr.data.prepare.job import prepare
from pkdn_basicsr.data.prepare.parse import plan_parse


def label_by_red(picture):
    """A parser whose answer is known: the class is the red value's tenth, and it is surer of bright pictures."""
    red = np.asarray(picture)[..., 0]
    return red // 10 % 19, np.full(red.shape, red.mean() / 255, np.float32)


@pytest.fixture
def faces(tmp_path):
    folder = tmp_path / 'faces'
    (folder / 'sub').mkdir(parents=True)
    for name, red in (('bright.png', 250), ('dark.v2.png', 40), ('sub/middle.png', 130)):
        Image.new('RGB', (24, 16), (red, 0, 0)).save(folder / name)
    return folder


def test_maps_have_the_names_and_sizes_of_the_pictures(faces, tmp_path):
    prepare(plan_parse(faces, label_by_red, 'celebamask_hq', {}), tmp_path / 'maps', 1)
    for name, index in (('bright', 25 % 19), ('dark.v2', 4), ('sub/middle', 13)):
        parsing = Image.open(tmp_path / 'maps' / 'parsing' / f'{name}.png')
        assert (parsing.mode, parsing.size) == ('P', (24, 16))
        assert (np.asarray(parsing) == index).all()
    assert not (tmp_path / 'maps' / 'confidence').exists()


def test_confidence_is_written_on_request_and_doubtful_faces_are_listed_worst_first(faces, tmp_path):
    plan = plan_parse(faces, label_by_red, 'celebamask_hq', {}, with_confidence=True, low_confidence=0.6)
    prepare(plan, tmp_path / 'maps', 1)
    assert np.asarray(Image.open(tmp_path / 'maps' / 'confidence' / 'sub' / 'middle.png')).tolist() == [[130] * 24] * 16
    assert (tmp_path / 'maps' / 'low_confidence.csv').read_text().splitlines() == [
        'name,confidence', 'dark.v2.png,0.1569', 'sub/middle.png,0.5098']
    facts = {face['name']: face['confidence']
             for face in json.loads((tmp_path / 'maps' / 'manifest.json').read_text())['faces']}
    assert facts == {'bright': 0.9804, 'dark.v2': 0.1569, 'sub/middle': 0.5098}


def test_maps_are_converted_to_the_wanted_scheme(faces, tmp_path):
    prepare(plan_parse(faces, label_by_red, 'celebamask_hq', {}, scheme='helen'), tmp_path / 'maps', 1)
    hair = convert_parsing(np.array([13], np.uint8), 'celebamask_hq', 'helen')[0]
    assert (np.asarray(Image.open(tmp_path / 'maps' / 'parsing' / 'sub' / 'middle.png')) == hair).all()


def test_another_parser_does_not_go_on_in_the_folder(faces, tmp_path, usage_error):
    prepare(plan_parse(faces, label_by_red, 'celebamask_hq', {'parser_sha256': 'a'}), tmp_path / 'maps', 1)
    with usage_error("parser_sha256 'a'", "parser_sha256 'b'"):
        prepare(plan_parse(faces, label_by_red, 'celebamask_hq', {'parser_sha256': 'b'}), tmp_path / 'maps', 1)


def test_a_folder_without_pictures_is_refused(tmp_path, usage_error):
    os.mkdir(tmp_path / 'empty')
    with usage_error('src', tmp_path / 'empty'):
        plan_parse(tmp_path / 'empty', label_by_red, 'celebamask_hq', {})


def test_settings_tell_what_the_maps_depend_on(faces):
    plan = plan_parse(faces, label_by_red, 'celebamask_hq', {'parser': 'red'}, scheme='helen', with_confidence=True)
    assert plan.settings == {'kind': 'parse', 'parser': 'red', 'scheme': 'helen', 'confidence': True}
