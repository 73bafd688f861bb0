import pytest
from basicsr.utils import misc

import pkdn_basicsr.host.checkpoint.archive


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """It stands still."""
    monkeypatch.setattr(pkdn_basicsr.host.checkpoint.archive, 'get_time_str', lambda: '20261123_120000')


def test_every_earlier_folder_is_kept_whatever_the_clock_says(tmp_path, capsys):
    for content in 'abcd':
        misc.mkdir_and_rename(str(tmp_path / 'faces'))
        (tmp_path / 'faces' / 'file').write_text(content)
    names = ['faces_archived_20261123_120000', 'faces_archived_20261123_120000_2', 'faces_archived_20261123_120000_3']
    assert [(tmp_path / name / 'file').read_text() for name in (*names, 'faces')] == list('abcd')
    assert f'Rename it to {tmp_path / names[1]}\n' in capsys.readouterr().out


def test_a_new_folder_is_made_with_those_above_it(tmp_path):
    misc.mkdir_and_rename(str(tmp_path / 'experiments' / 'faces'))
    assert [path.name for path in tmp_path.iterdir()] == ['experiments']
    assert (tmp_path / 'experiments' / 'faces').is_dir()
