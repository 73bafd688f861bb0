from pathlib import Path

import pytest

from pkdn_basicsr.infer.inputs import plan_tasks


@pytest.fixture
def album(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('in/a.jpg', 'in/b.PNG', 'in/sub/a.jpg', 'in/sub/deep/c.webp', 'in/notes.txt', 'in/.hidden.png'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def _plan(*inputs, output='out', compare=False, overwrite=False, file_format='png'):
    tasks = plan_tasks(inputs, Path(output), file_format, compare, overwrite)
    return {task.source.as_posix(): task.target.as_posix() for task in tasks}


def test_a_folder_keeps_its_sub_folders(album):
    assert _plan('in') == {'in/a.jpg': 'out/a.png', 'in/b.PNG': 'out/b.png', 'in/sub/a.jpg': 'out/sub/a.png',
                           'in/sub/deep/c.webp': 'out/sub/deep/c.png'}


def test_files_and_patterns(album):
    assert _plan('in/sub/a.jpg', file_format='webp') == {'in/sub/a.jpg': 'out/a.webp'}
    assert _plan('in/notes.txt') == {'in/notes.txt': 'out/notes.png'}  # who names it, means it
    assert _plan('in/*.jpg') == {'in/a.jpg': 'out/a.png'}
    assert _plan('in/**/*.jpg') == {'in/a.jpg': 'out/a.png', 'in/sub/a.jpg': 'out/sub/a.png'}
    assert _plan(str(album / 'in' / 's*' / '*.jpg')) == {str(album / 'in/sub/a.jpg'): 'out/sub/a.png'}
    assert _plan('in/a.jpg', 'in/a.jpg', 'in/*.jpg') == {'in/a.jpg': 'out/a.png'}


def test_a_name_with_brackets_is_a_file_first(album):
    (album / 'in' / 'a[1].png').touch()
    assert _plan('in/a[1].png') == {'in/a[1].png': 'out/a[1].png'}


def test_results_of_an_earlier_run_are_no_pictures(album, usage_error):
    (album / 'in' / 'out').mkdir()
    (album / 'in' / 'out' / 'a.png').touch()
    found = _plan('in', output='in/out', overwrite=True)
    assert 'in/out/a.png' not in found
    assert len(found) == 4
    assert len(_plan('in', output=str(album / 'in' / 'out'), overwrite=True)) == 4
    with usage_error('nothing but the results'):
        (album / 'x' / 'out').mkdir(parents=True)
        (album / 'x' / 'out' / 'a.png').touch()
        _plan('x', output='x/out')


def test_panels_stand_beside_their_results(album):
    task, = plan_tasks(['in/b.PNG'], Path('out'), 'jpg', True, False)
    assert task.panel == Path('out/b_compare.jpg')


def test_two_pictures_for_one_result_are_refused(album, usage_error):
    with usage_error('in/a.jpg', 'in/sub/a.jpg', 'a.png'):
        _plan('in/a.jpg', 'in/sub/a.jpg')
    (album / 'in' / 'b.jpg').touch()
    for entry in ('in', 'in/b.*'):
        with usage_error('b.jpg', 'b.PNG'):
            _plan(entry)
    (album / 'in' / 'a_compare.jpg').touch()
    with usage_error('out/a_compare.png', 'rename'):
        _plan('in/a*.jpg', compare=True)


def test_nothing_is_overwritten_unless_told(album, usage_error):
    (album / 'out').mkdir()
    (album / 'out' / 'a.png').touch()
    with usage_error('1 of 4', 'out/a.png', '--overwrite'):
        _plan('in')
    assert len(_plan('in', overwrite=True)) == 4
    assert len(_plan('in/b.PNG')) == 1
    (album / 'out' / 'b_compare.png').touch()
    with usage_error('b_compare.png'):
        _plan('in/b.PNG', compare=True)


def test_a_picture_is_never_its_own_result(album, usage_error):
    (album / 'in' / 'b.PNG').rename(album / 'in' / 'b.png')
    with usage_error('in/b.png', 'pictures that are read'):
        _plan('in/b.png', output='in', overwrite=True)


def test_inputs_that_are_not_there(album, usage_error):
    for entry, word in (('none.png', 'none.png'), ('in/*.gif', 'in/*.gif'), ('empty', 'no picture')):
        (album / 'empty').mkdir(exist_ok=True)
        with usage_error('-i', word):
            _plan(entry)
