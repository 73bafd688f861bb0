import pytest
from experiment import hashes

from pkdn_basicsr.cli.options import run
from pkdn_basicsr.host.options import read_option_file


@pytest.fixture
def shipped(request):
    return request.config.rootpath / 'options'


@pytest.fixture
def copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(['-o', 'options']) == 0
    return tmp_path / 'options'


def _contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob('*')
            if path.is_file() and path.suffix != '.pyc'}


def test_every_file_is_listed_with_the_first_line_of_its_header(shipped, capsys):
    assert run([]) == 0
    place, empty, *lines = capsys.readouterr().out.splitlines()
    assert 'basicsr options -o options' in place
    assert not empty
    assert [line.split(maxsplit=1) for line in lines] == [
        [str(path.relative_to(shipped)), path.read_text().splitlines()[0].removeprefix('# ')]
        for path in sorted(shipped.rglob('*.yml'))]


def test_the_copy_is_whole(copy, shipped, capsys):
    assert _contents(copy) == _contents(shipped)
    run(['-o', 'options'])
    assert f'{len(_contents(shipped))} files in {copy}' in capsys.readouterr().out


def test_a_comparison_finds_its_methods_from_the_folder_around_the_copy(copy):
    methods = read_option_file('options/quickstart/compare.yml')['methods']
    assert all((copy.parent / file).is_file() for file in methods.values())


def test_again_it_fills_what_is_missing_and_keeps_what_is_not_ours(copy):
    (copy / 'pkdn_student.yml').unlink()
    (copy / 'own.yml').write_text('name: own')
    run(['-o', 'options'])
    assert (copy / 'pkdn_student.yml').is_file()
    assert (copy / 'own.yml').read_text() == 'name: own'


@pytest.mark.parametrize('name', ['README.md', 'small'])
def test_a_folder_for_a_file_and_a_file_for_a_folder_are_named(shipped, tmp_path, monkeypatch, usage_error, name):
    monkeypatch.chdir(tmp_path)
    in_the_way = tmp_path / 'options' / name
    in_the_way.parent.mkdir()
    if (shipped / name).is_dir():
        in_the_way.write_text('')
    else:
        in_the_way.mkdir()
    with usage_error('-o', in_the_way, 'move it away'):
        run(['-o', 'options'])
    assert list((tmp_path / 'options').rglob('*')) == [in_the_way]


def test_an_edited_file_is_named_and_nothing_is_copied(copy, usage_error):
    (copy / 'baselines' / 'rcan.yml').unlink()
    (copy / 'small' / 'edsr.yml').write_text('name: mine')
    before = hashes(copy)
    with usage_error('-o', copy / 'small' / 'edsr.yml', 'move it away'):
        run(['-o', 'options'])
    assert hashes(copy) == before


def test_a_file_in_the_place_of_the_folder(tmp_path, usage_error):
    (tmp_path / 'options').write_text('')
    with usage_error('-o', tmp_path / 'options', 'another folder'):
        run(['-o', str(tmp_path / 'options')])
