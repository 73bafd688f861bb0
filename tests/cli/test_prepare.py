import pytest

from pkdn_basicsr.cli.prepare import run


def test_toy_writes_the_set_and_says_where(tmp_path, basicsr_command):
    status, out, _ = basicsr_command(tmp_path, 'prepare', 'toy', '--dst', 'faces', '--num', 3, '--seed', 1,
                                     '--size', 64, '--num-val', 2)
    assert status == 0
    assert str(tmp_path / 'faces') in out
    assert (tmp_path / 'faces' / 'split_train.txt').read_text() == '00000.png\n'
    assert sorted(path.name for path in (tmp_path / 'faces' / 'images').iterdir()) == [
        '00000.png', '00001.png', '00002.png']


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


def test_help_lists_the_kinds(capsys):
    with pytest.raises(SystemExit) as leave:
        run(['--help'])
    assert leave.value.code == 0
    out = capsys.readouterr().out
    assert 'usage: basicsr prepare' in out
    assert 'toy' in out
