from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('gradio', reason='the extra `demo` is not installed')

from pkdn_basicsr.demo.contents import contents_for, plain
from pkdn_basicsr.errors import UsageError


@pytest.fixture
def ask(handlers, tmp_path):
    def ask(content, mode='small face', model='student x8'):
        path = tmp_path / 'my face.png'
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            Image.fromarray(content).save(path)
        return contents_for(handlers, tmp_path, str(path), mode, model, 16)
    return ask


def _face(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_nothing_uploaded(handlers, tmp_path):
    contents = contents_for(handlers, tmp_path, None, 'small face', 'student x8', 16)
    assert contents['empty']['visible']
    assert not contents['results']['visible']
    assert not contents['notice']['visible']


def test_a_small_face(ask):
    contents = ask(_face(16, 16))
    assert contents['results']['visible']
    assert not contents['notice']['visible']
    assert contents['slider']['label'].startswith('Bicubic')
    assert not contents['truth']['visible']
    assert not contents['scores']['visible']
    face, parts = contents['parts']['value']
    assert np.array_equal(face, contents['result'])
    assert {value for mask, _ in parts for value in np.unique(mask)} == {0, 0.55}


def test_the_download_is_the_result(ask):
    contents = ask(_face(16, 16), model='student x4')
    path = Path(contents['download']['value'])
    assert path.name == 'my face_x4.png'
    assert np.array_equal(np.array(Image.open(path)), contents['result'])


def test_a_large_face(ask):
    contents = ask(_face(128, 128), 'large face')
    assert contents['slider']['label'].startswith('Truth')
    assert np.array_equal(contents['slider']['value'][0], _face(128, 128))
    assert np.array_equal(contents['slider']['value'][1], contents['result'])
    assert '| bicubic |' in contents['scores']['value']
    assert '| network |' in contents['scores']['value']


def test_a_truth_too_small_to_be_measured_is_told(ask, monkeypatch):
    monkeypatch.setattr('pkdn_basicsr.demo.contents.scores', lambda answer: None)
    assert 'Too small' in ask(_face(64, 64), 'large face')['scores']['value']


def test_what_cannot_be_used_is_told_and_the_last_result_taken_away(ask):
    contents = ask(b'no picture')
    assert 'not a picture' in contents['notice']['value']
    assert contents['notice']['visible']
    assert not contents['results']['visible']
    assert not contents['download']['visible']


def test_a_notice_is_no_markup(ask, monkeypatch):
    def fail(path):
        raise UsageError('<img src=x> **bold**')

    monkeypatch.setattr('pkdn_basicsr.demo.contents.read_upload', fail)
    assert not set('<>*') & set(ask(b'')['notice']['value'])


def test_plain_text_has_no_markup():
    assert plain('<b>*x*</b>') == '&#60;b&#62;&#42;x&#42;&#60;/b&#62;'
    assert plain('A face of 16×16.') == 'A face of 16×16.'
