import pickle

import pytest

from pkdn_basicsr.host.failure.bad_file_list import BadFileList


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'bad_files.txt'


def test_what_several_write_is_read_by_all_and_each_line_once(path):
    first, second = BadFileList(path), BadFileList(path)
    assert first.read() == []
    first.add('a.png: broken')
    second.add('b.png: broken')
    second.add('a.png: broken')
    assert first.read() == second.read() == ['a.png: broken', 'b.png: broken']
    assert path.read_text() == 'a.png: broken\nb.png: broken\n'


def test_news_are_told_once_and_not_those_of_the_run_that_is_resumed(path):
    BadFileList(path).add('old.png: broken')
    main = BadFileList(path)
    worker = pickle.loads(pickle.dumps(main))  # a worker has a copy
    assert main.news() == []
    worker.add('new.png: broken')
    worker.add('old.png: broken')
    assert main.news() == ['new.png: broken']
    assert main.news() == []
    assert main.read() == ['old.png: broken', 'new.png: broken']


def test_a_line_that_came_twice_in_one_moment_is_read_once(path):
    path.write_text('a.png: broken\na.png: broken\n')
    assert BadFileList(path).read() == ['a.png: broken']


def test_a_name_that_is_no_text_is_listed_once(path):
    name = b'\xff.png: broken'.decode(errors='surrogateescape')
    bad_files = BadFileList(path)
    bad_files.add(name)
    bad_files.add(name)
    assert bad_files.read() == [r'\udcff.png: broken']


def test_a_list_that_cannot_be_written_is_named(tmp_path, usage_error):
    with usage_error('gone/bad_files.txt', 'a.png', 'No such file'):
        BadFileList(tmp_path / 'gone' / 'bad_files.txt').add('a.png: broken')
