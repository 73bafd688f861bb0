import os

import pytest

from pkdn_basicsr.files import csv_text, write_whole


def test_a_file_is_replaced_and_its_folder_made(tmp_path):
    for content in ('one', b'two'):
        write_whole(tmp_path / 'a' / 'b.txt', content)
    assert (tmp_path / 'a' / 'b.txt').read_bytes() == b'two'
    assert os.listdir(tmp_path / 'a') == ['b.txt']


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_whole(tmp_path / 'b.txt', 'old')

    def fail(*args):
        raise OSError('disk full')

    monkeypatch.setattr('pathlib.Path.replace', fail)
    with pytest.raises(OSError, match='disk full'):
        write_whole(tmp_path / 'b.txt', 'new')
    assert (tmp_path / 'b.txt').read_text() == 'old'
    assert os.listdir(tmp_path) == ['b.txt']


def test_csv_quotes_what_needs_it():
    assert csv_text(['a', 'b'], [['x,y', 1]]) == 'a,b\n"x,y",1\n'
