import pytest

from pkdn_basicsr.errors import OptionFileError
from pkdn_basicsr.host.option_check.problems import Problems
from pkdn_basicsr.host.option_file import OptionFile

TEXT = """name: a
base: &base
  lr: 1
  wd: 2
train:
  total_iter: 5
  optim_g:
    <<: *base
    lr: 3
  list: [1, {a: 2}]
metrics.of.mine: {a.b: {c: 1}}
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(text=TEXT):
        (tmp_path / 'o.yml').write_text(text)
        return OptionFile('o.yml')
    return run


@pytest.mark.parametrize(('key', 'line'), [
    ('name', 1), ('train', 5), ('train.total_iter', 6), ('train.optim_g.lr', 9), ('train.optim_g.wd', 4),
    ('train.optim_g.betas', 7), ('train.list', 10), ('train.list.0', 10), ('train.total', 5), ('nothing', 0),
    ('nothing.at.all', 0), ('metrics.of.mine.a.b.c', 11), ('base.lr', 3), ('', 0)])
def test_the_line_of_a_key_is_its_own_or_that_of_the_section_around(read, key, line):
    assert read().line(key) == line
    assert read().place(key) == (f'o.yml:{line}' if line else 'o.yml')


def test_a_key_that_is_forced_has_no_line(read):
    file = read()
    file.force(['train:optim_g:lr=5', 'train : new = 1'])
    assert file.opt['train']['new'] == 1
    assert [file.place(key) for key in ('train.optim_g.lr', 'train.new', 'train.new.x', 'train.optim_g', 'train')] == [
        '--force_yml', '--force_yml', '--force_yml', 'o.yml:7', 'o.yml:5']


def test_problems_are_told_by_line_the_first_of_each_key(read):
    problems = Problems(read())
    problems.error('train.total_iter', 'second')
    problems.error('name', 'first')
    problems.error('name', 'again')
    problems.warn('train', 'look')
    assert problems.error_lines() == ['o.yml:1: name: first', 'o.yml:6: train.total_iter: second']
    assert problems.warning_lines() == ['o.yml:5: train: look']
    assert [problems.has_errors(key) for key in ('', 'train', 'train.total_iter', 'train.total', 'val')] == [
        True, True, True, False, False]
    with pytest.raises(OptionFileError) as caught:
        problems.refuse()
    assert caught.value.lines == tuple(problems.error_lines())
    assert str(caught.value) == '\n'.join(caught.value.lines)


def test_what_could_not_be_read_is_not_told_twice(read):
    file = read('name: !!float x\nscale: 1\n')
    problems = Problems(file)
    problems.error('name', 'no word')
    problems.error('scale', 'wrong')
    assert problems.error_lines() == ["o.yml:1: 'x' is not !!float", 'o.yml:2: scale: wrong']
    file.force(['name=5'])
    problems = Problems(file)
    problems.error('name', 'no word')
    assert '--force_yml: name: no word' in problems.error_lines()


@pytest.mark.parametrize(('message', 'key', 'text'), [
    ('train.optim_g.lr: too fast', 'train.optim_g.lr', 'too fast'),
    ('name is no word', 'name', 'is no word'),
    ('train: total_iter must be larger', 'train.total_iter', 'must be larger'),
    ('the set of faces: total_iter 5 is small', 'train.total_iter', 'the set of faces: total_iter 5 is small'),
    ('Adam needs another one, though not total_iter', 'train', 'Adam needs another one, though not total_iter'),
])
def test_the_key_of_what_a_class_says(read, message, key, text):
    file = read()
    problems = Problems(file)
    with problems.caught('train', file.opt):
        raise OptionFileError(message)
    assert problems.error_lines() == [f'{file.place(key)}: {key}: {text}']
