import contextlib
import copy
import math
import sys

import basicsr.train
import pytest
import tiny
from basicsr.utils import options as host_options
from hypothesis import given
from hypothesis import strategies as st

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.forced_options import force


@pytest.fixture
def parse(tmp_path, tiny_faces, monkeypatch):
    """Parse the tiny training options as the host's pipeline does."""
    def run(*forced, flags=()):
        file = tiny.write_options(tiny.train_options(tiny_faces), tmp_path / 'o.yml')
        monkeypatch.setattr(sys, 'argv', ['basicsr train', '-opt', str(file), '--force_yml', *forced, *flags])
        return basicsr.train.parse_options(str(tmp_path), is_train=True)
    return run


@pytest.mark.parametrize(('text', 'value'), [
    ('1e-4', 1e-4), ('2E5', 2e5), ('1.5e+3', 1500.), ('.5', .5), ('-1', -1), ('-0.25', -.25), ('+3', 3), ('010', 10),
    ('3.', 3.), ('-.inf', -math.inf), ('!!float1e-4', 1e-4), ('!!float 2', 2.),
    ('true', True), ('False', False), ('~', None), ('none', None), ('None', None), ('null', None), ('', None),
    ('[1, 1e-4, x, ~]', [1, 1e-4, 'x', None]), ("['a', \"b\"]", ['a', 'b']), ('[[1], []]', [[1], []]),
    ('{a: 1}', {'a': 1}), ("'1e-4'", '1e-4'), ('"a b"', 'a b'),
    ('name', 'name'), ('a: b', 'a: b'), ('#1', '#1'), ('*a', '*a'), ('@a', '@a'), ('-', '-'), ('1e', '1e'),
    ('on', 'on'), ('/data/[a]', '/data/[a]'), ('C:\\faces', 'C:\\faces'), ('2024-01-02', '2024-01-02'),
    ('1:30', '1:30'), ('1_000', '1_000'), ('0x10', '0x10'), ('x1', 'x1'),
    ('١', '١'),  # a digit, but not to us
])
def test_values_are_read_as_what_they_look_like(text, value):
    opt = {'a': {'b': 0}}
    assert force(opt, [f'a:b={text}']) == []
    assert opt['a']['b'] == value
    assert type(opt['a']['b']) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-10**30, 10**30))
def test_every_number_is_the_number(value):
    opt = {}
    force(opt, [f'a={value!r}'])
    assert opt['a'] == value
    assert type(opt['a']) is type(value)


@given(st.text(max_size=30))
def test_any_entry_is_carried_out_or_refused(entry):
    with contextlib.suppress(UsageError):
        force({'a': {'b': 1}}, [entry])


@given(st.text(max_size=30))
def test_any_value_is_read_or_refused(text):
    with contextlib.suppress(UsageError):
        force({'a': {'b': 1}}, [f'a:b={text}'])


def test_entries_are_carried_out_in_their_order_and_new_keys_are_told():
    opt = {'a': {'b': 1}}
    assert force(opt, ['a:c=1', 'a : b = 2', 'a:c=3', 'd=4']) == ['a:c', 'd']
    assert opt == {'a': {'b': 2, 'c': 3}, 'd': 4}


@pytest.mark.parametrize(('entry', 'words'), [
    ('a:b', ["expected key:key=value with one '='", "'a:b'"]),
    ('a:b=1=2', ["one '='"]),
    ('=1', ['expected key:key=value']),
    ('a::b=1', ['expected key:key=value']),
    ('traim:total_iter=1', ['the section traim', "did you mean 'train'?"]),
    ('xyz:total_iter=1', ['the section xyz, which the option file lacks']),
    ('train:optim:lr=1', ['the section optim', "did you mean 'optim_g'?"]),
    ('name:b=1', ['the section name']),
    ('train=5', ['would replace the section train', 'train:optim_g=...']),
    ('name=[1', ["'name=[1'", 'expected a number, true, false, ~, a [list] or a word']),
    ('name="\x1b', ['special characters']),
    ('name=!!float', ['found !!float']),
    ('name=!!float abc', ['found !!float abc']),
    ('name=!!python/name:os.system x', ['!!python/name:os.system']),
    ('name=' + '[' * 5000, ['expected a number']),
])
def test_what_cannot_be_forced_is_named(entry, words, usage_error):
    with usage_error('--force_yml', *words):
        force({'name': 'a', 'train': {'optim_g': {'lr': 1}}}, [entry])


def test_the_run_does_not_begin_where_something_cannot_be_forced(parse, tmp_path, usage_error):
    with usage_error('--force_yml', "'trian:total_iter=2'", 'the section trian'):
        parse('train:total_iter=2', 'trian:total_iter=2')


@pytest.mark.parametrize('entry', [
    "name=[__import__('pathlib').Path({canary!r}).touch()]",
    'name"]; __import__("pathlib").Path({canary!r}).touch(); opt["name=1',
    "name=!!python/object/apply:os.system ['touch {canary}']",
])
def test_nothing_is_executed(parse, tmp_path, entry):
    canary = tmp_path / 'canary'
    with contextlib.suppress(UsageError, TypeError):  # a list is no name
        parse(entry.format(canary=str(canary)))
    assert not canary.exists()


def test_what_the_host_derives_comes_from_forced_values(parse, tmp_path, capsys):
    opt, args = parse('name=try', 'network_g:scale=2', 'scale=2', 'datasets:train:batch_size_per_gpu=8',
                      f'path:experiments_root={tmp_path / "store"}', 'train:optim_g:lr=1e-4', 'num_gpu=auto',
                      'manual_seed=5', 'datasets:val:dataroot_lq=~')
    assert opt['name'] == 'try'
    assert opt['path']['models'] == str(tmp_path / 'store' / 'try' / 'models')
    assert [dataset['scale'] for dataset in opt['datasets'].values()] == [2, 2]
    assert opt['datasets']['train']['batch_size_per_gpu'] == 8
    assert opt['train']['optim_g']['lr'] == 1e-4
    assert isinstance(opt['num_gpu'], int)
    assert opt['datasets']['train']['manual_seed'] == 5
    assert args.force_yml[0] == 'name=try'
    assert '--force_yml: path:experiments_root is new, the option file does not have it' in capsys.readouterr().out


def test_the_command_line_is_left_as_it_was(parse):
    reader = host_options.ordered_yaml
    parse('name=a', flags=['--debug'])
    assert sys.argv[3:] == ['--force_yml', 'name=a', '--debug']
    with pytest.raises(UsageError):
        parse('nothing:a=1')
    assert sys.argv[3:] == ['--force_yml', 'nothing:a=1']
    assert host_options.ordered_yaml is reader


def test_flags_after_it_count(parse):
    assert parse('name=a', flags=['--debug', '--auto_resume'])[0]['name'] == 'debug_a'


def test_the_file_itself_stays(parse, tmp_path, tiny_faces):
    before = copy.deepcopy(tiny.train_options(tiny_faces))
    parse('train:total_iter=7')
    assert tiny.write_options(before, tmp_path / 'b.yml').read_text() == (tmp_path / 'o.yml').read_text()


def test_a_run_whose_forced_name_is_no_word_is_refused(basicsr_command, tmp_path, tiny_faces):
    file = tiny.write_options(tiny.train_options(tiny_faces), tmp_path / 'o.yml')
    status, _, error = basicsr_command(tmp_path, 'train', '-opt', file, '--force_yml', 'name=2024')
    assert status == 2
    assert '--force_yml: name: must be a word, found 2024; put it in quotes' in error
