import sys

import pytest

from pkdn_basicsr.host.checkpoint.last_checkpoint import how_to_go_on, newest_complete
from pkdn_basicsr.host.checkpoint.saving import record_path, save_whole


@pytest.fixture
def states(tmp_path):
    """States of three iterations: 20 was cut short before it was complete, 100 damaged afterwards."""
    folder = tmp_path / 'training_states'
    for iteration in (5, 20, 100):
        digest = save_whole({'iter': iteration}, folder / f'{iteration}.state')
        if iteration != 20:
            record_path(folder, iteration).write_text(f'{{"files": {{"{iteration}.state": "{digest}"}}}}')
    (folder / '100.state').write_bytes(b'')
    return folder


def options(folder, is_distributed=False):
    return {'path': {'training_states': str(folder)}, 'dist': is_distributed}


def test_only_complete_states_count(states, tmp_path):
    assert newest_complete(states) == 5
    assert newest_complete(tmp_path / 'nothing') is None


@pytest.mark.parametrize(('arguments', 'command'), [
    (['-opt', 'my file.yml'], "basicsr train -opt 'my file.yml' --auto_resume"),
    (['-opt', 'a.yml', '--auto_resume'], 'basicsr train -opt a.yml --auto_resume'),
])
def test_the_command_is_the_one_that_was_given(states, monkeypatch, arguments, command):
    monkeypatch.setattr(sys, 'argv', ['basicsr train', *arguments])
    assert how_to_go_on(options(states)) == f'the last good checkpoint is iteration 5; go on with: {command}'


def test_how_several_processes_were_started_is_not_known(states):
    assert how_to_go_on(options(states, True)).endswith('iteration 5; go on with: the same command --auto_resume')


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['basicsr train', '-opt', 'a.yml'])
    assert how_to_go_on(options(tmp_path)) == (
        'there is no checkpoint yet; begin again with: basicsr train -opt a.yml')
