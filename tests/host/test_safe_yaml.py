import sys

import basicsr.train
import pytest
import tiny
import yaml
from basicsr.utils import options as host_options
from hypothesis import given
from hypothesis import strategies as st

from pkdn_basicsr.errors import OptionFileError, UsageError
from pkdn_basicsr.host.options import read_option_file

BOMB = "!!python/object/apply:os.system ['touch {canary}']"


@pytest.fixture
def read(tmp_path):
    """Read the text of an option file."""
    def run(text):
        file = tmp_path / 'o.yml'
        file.write_text(text, encoding='utf-8')
        return read_option_file(str(file))
    return run


@pytest.mark.parametrize('where', ['name: {}', 'train:\n  total_iter: {}', 'a: [1, {}]', 'a: {{b: {}}}', '? {}\n: 1'])
def test_code_in_an_option_file_is_refused_and_not_run(read, tmp_path, usage_error, where):
    canary = tmp_path / 'canary'
    with usage_error('o.yml:'):
        read(where.format(BOMB.format(canary=canary)))
    assert not canary.exists()


def test_the_host_s_own_reader_runs_no_code_either(tmp_path, tiny_faces, monkeypatch, usage_error):
    canary = tmp_path / 'canary'
    file = tiny.write_options(tiny.train_options(tiny_faces), tmp_path / 'o.yml')
    file.write_text(f'{file.read_text()}note: {BOMB.format(canary=canary)}\n')
    monkeypatch.setattr(sys, 'argv', ['basicsr train', '-opt', str(file)])
    with usage_error(f'{file}:{len(file.read_text().splitlines())}: expected plain values',
                     'found the tag !!python/object/apply:os.system'):
        basicsr.train.parse_options(str(tmp_path), is_train=True)
    assert not canary.exists()


def test_the_host_s_loader_is_this_one(tmp_path):
    canary = tmp_path / 'canary'
    loader = host_options.ordered_yaml()[0]
    with pytest.raises(OptionFileError):
        yaml.load(f'note: {BOMB.format(canary=canary)}', loader)
    assert not canary.exists()
    # a merge, which the host's own loader cannot read
    assert yaml.load('a: &a {b: 1}\nc:\n  <<: *a\n', loader) == {'a': {'b': 1}, 'c': {'b': 1}}


@pytest.mark.parametrize('tag', ['!!python/tuple [1]', '!!python/name:os.system x', '!mine {a: 1}', '!!nothing 1'])
def test_every_other_tag_is_named(read, usage_error, tag):
    with usage_error('o.yml:2: ', f'found the tag {tag.split()[0]}'):
        read(f'a: 1\nb: {tag}\n')


def test_plain_values_are_what_they_were(read):
    opt = read('b: !!float 1e-4\na: ~\nc: [1, x, [0.5]]\nd: {f: true, e: "1"}\n')
    assert opt == {'b': 1e-4, 'a': None, 'c': [1, 'x', [0.5]], 'd': {'f': True, 'e': '1'}}
    assert list(opt) == ['b', 'a', 'c', 'd']
    assert list(opt['d']) == ['f', 'e']


@pytest.mark.parametrize('text', ['1e-4', '1E-4', '+1e-4', '.1e-3', '1.e-4', '1.0e-4', '0.001e-1', '!!float 1e-4'])
def test_a_number_in_short_form_is_a_number(read, text):
    value = read(f'lr: {text}\n')['lr']
    assert isinstance(value, float)
    assert value == pytest.approx(1e-4)


@pytest.mark.parametrize('text', ["'1e-4'", '1e-4x', 'e-4', '1e', 'x1e4', '1e-4 5'])
def test_what_is_no_number_stays_a_word(read, text):
    assert read(f'lr: {text}\n')['lr'] == text.strip("'")


def test_all_that_cannot_be_read_is_told_at_once(read):
    with pytest.raises(OptionFileError) as caught:
        read('a: 1\na: 2\nb: !!float x\nc: !mine 1\n')
    assert [line.rpartition('o.yml')[2].split(': ')[0] for line in caught.value.lines] == [':2', ':3', ':4']


def test_anchors_and_merges(read):
    opt = read('base: &base {x: 1, y: 2}\nsame: *base\nlist: [&own {<<: *base, y: 3}]\nagain: {<<: *own, z: 4}\n')
    assert opt['same'] == {'x': 1, 'y': 2}
    assert opt['list'] == [{'x': 1, 'y': 3}]
    assert opt['again'] == {'x': 1, 'y': 3, 'z': 4}


@pytest.mark.parametrize(('text', 'words'), [
    ('name: a\nscale: 4\nname: b\n', ['o.yml:3: ', "'name'", 'already in line 1']),
    ('train:\n  lr: 1\n  wd: 2\n  lr: 3\n', ['o.yml:4: ', "'lr'", 'already in line 2']),
    ('a: {b: 1, b: 2}\n', ['o.yml:1: ', "'b'"]),
    ('a: 1\n"a": 2\n', ['o.yml:2: ', "'a'"]),
])
def test_a_key_that_stands_twice_is_named_with_both_lines(read, usage_error, text, words):
    with usage_error('o.yml', *words):
        read(text)


def test_the_same_key_in_two_sections_is_no_matter(read):
    assert read('a: {x: 1}\nb: {x: 2}\n') == {'a': {'x': 1}, 'b': {'x': 2}}


@pytest.mark.parametrize(('text', 'words'), [
    ('a: !!float abc', ["'abc' is not !!float"]),
    ('a: !!float', ["'' is not !!float"]),
    ('a: !!bool abc', ["'abc' is not !!bool"]),
    ('x: 1\na: 2024-13-45', ['o.yml:2: ', "'2024-13-45' is not !!timestamp"]),
    ('a: !!timestamp abc', ["'abc' is not !!timestamp"]),
    ('a: !!map abc', ['expected keys and values', "'abc'"]),
    ('? [a]\n: 1', ['expected a word as key']),
    ('a: &x {b: *x}', ['not valid YAML', 'recursive']),
    ('a: *nobody', ['not valid YAML', 'nobody']),
    ('a: ' + '[' * 5000, ['too deep']),
])
def test_what_is_no_value_is_named(read, usage_error, text, words):
    with usage_error('o.yml', *words):
        read(text)


@given(st.text(alphabet='ab:-[]{}&*!<>|?%@\'"#,.~ \n0123', max_size=40))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / 'any.yml'
    file.write_text(text, encoding='utf-8')
    refusals = ()
    try:
        assert isinstance(read_option_file(str(file)), dict)
    except UsageError as error:
        refusals = getattr(error, 'lines', [str(error)])
    assert not any('\n' in line for line in refusals)
