import sys

import pytest

from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.last_checkpoint import command_from, how_to_go_on, newest_complete
from pkdn_basicsr.host.checkpoint.saving import record_path, save_whole


@pytest.fixture
def states(tmp_path, monkeypatch):
    """States of three iterations: 20 was cut short before it was complete, 100 damaged afterwards."""
    monkeypatch.setattr(run, 'current', run.Run(saved_iter=100))
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
    monkeypatch.setattr(run, 'current', run.Run())
    monkeypatch.setattr(sys, 'argv', ['basicsr train', '-opt', 'a.yml'])
    assert how_to_go_on(options(tmp_path)) == (
        'there is no checkpoint yet; begin again with: basicsr train -opt a.yml')


@pytest.fixture
def left_behind(states):
    """Those states, and a whole one of iteration 200, of a run that another one has gone back from to 5."""
    digest = save_whole({'iter': 200}, states / '200.state')
    record_path(states, 200).write_text(f'{{"files": {{"200.state": "{digest}"}}}}')
    run.current.saved_iter = 5
    return states


@pytest.mark.parametrize(('arguments', 'command'), [
    (['-opt', 'my file.yml'], "basicsr train -opt 'my file.yml' --force_yml path:resume_state={}/5.state"),
    (['-opt', 'a.yml', '--force_yml', 'path:resume_state=3.state', 'manual_seed=7', '--debug'],
     'basicsr train -opt a.yml --debug --force_yml manual_seed=7 path:resume_state={}/5.state'),
    (['-opt', 'a.yml', '--force_yml=manual_seed=7'],
     'basicsr train -opt a.yml --force_yml manual_seed=7 path:resume_state={}/5.state'),
])
def test_a_run_that_went_back_goes_on_with_its_own_state(left_behind, monkeypatch, arguments, command):
    monkeypatch.setattr(sys, 'argv', ['basicsr train', *arguments])
    assert how_to_go_on(options(left_behind)) == (
        f'the last good checkpoint is iteration 5; go on with: {command.format(left_behind)}')


def test_several_processes_that_went_back_name_the_state_too(left_behind, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['basicsr train', '-opt', 'a.yml', '--launcher', 'pytorch'])
    assert command_from(options(left_behind, True), 5) == (
        f'the same command --force_yml path:resume_state={left_behind}/5.state')
