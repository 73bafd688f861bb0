import sys

import pytest
import tiny

from pkdn_basicsr.host.pipeline import run_pipeline


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Run a pipeline that writes down what it is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['before'])
    calls = []

    def run(*arguments):
        def pipeline(root_path):
            calls.append((root_path, list(sys.argv)))

        assert run_pipeline(pipeline, 'train', list(arguments)) == 0
        return calls[-1]

    run.calls = calls
    return run


@pytest.fixture
def option_file(tmp_path):
    return str(tiny.write_options(tiny.train_options(tmp_path), tmp_path / 'o.yml'))


def test_the_pipeline_gets_the_working_directory_and_the_arguments(recorded, option_file, tmp_path):
    arguments = ['--debug', '-opt', option_file, '--force_yml', 'name=a', 'train:total_iter=2']
    assert recorded(*arguments) == (str(tmp_path), ['basicsr train', *arguments])


def test_an_option_file_may_follow_an_equals_sign(recorded, option_file):
    assert recorded(f'-opt={option_file}')[1] == ['basicsr train', f'-opt={option_file}']


@pytest.mark.parametrize('arguments', [[], ['--debug'], ['-opt'], ['-opt', '--debug'], ['--force_yml', 'a=1']])
def test_a_run_without_option_file_says_so(recorded, arguments, usage_error):
    with usage_error('-opt FILE is missing'):
        recorded(*arguments)
    assert recorded.calls == []


@pytest.mark.parametrize('form', [['-opt', 'no.yml'], ['-opt=no.yml'], ['--auto_resume', '-opt', 'no.yml']])
def test_a_missing_option_file_is_named(recorded, tmp_path, form, usage_error):
    with usage_error('no such option file', tmp_path / 'no.yml'):
        recorded(*form)
    assert recorded.calls == []


def test_help_is_left_to_the_host(recorded):
    assert recorded('--help')[1] == ['basicsr train', '--help']
