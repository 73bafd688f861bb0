import os
import subprocess
from importlib.metadata import entry_points

import pytest
import tiny
import torch
from PIL import Image

import pkdn_basicsr
from pkdn_basicsr.cli import VERBS, main


@pytest.fixture
def fails_with_one_line(basicsr_command, tmp_path):
    """Run the command and return the one line with which it fails."""
    def run(*arguments):
        status, out, err = basicsr_command(tmp_path, *arguments)
        assert status == 2
        assert 'Traceback' not in out + err
        last = err.strip().splitlines()[-1]
        assert sum('error:' in line for line in err.splitlines()) == 1
        return last
    return run


@pytest.mark.parametrize('arguments', [[], ['--help'], ['-h']])
def test_help_is_a_usage_line_and_one_line_per_verb(basicsr_command, tmp_path, arguments):
    status, out, err = basicsr_command(tmp_path, *arguments)
    assert (status, err) == (0, '')
    assert out.startswith('usage: basicsr VERB')
    for verb, text in VERBS.items():
        assert any(line.split(maxsplit=1) == [verb, text] for line in out.splitlines())


def test_version_is_one_line(basicsr_command, tmp_path):
    status, out, err = basicsr_command(tmp_path, '--version')
    assert (status, err) == (0, '')
    assert out.count('\n') == 1
    assert out.strip().endswith(pkdn_basicsr.__version__)


def test_an_unknown_verb_is_answered_with_the_known_ones(fails_with_one_line):
    line = fails_with_one_line('trian', '-opt', 'x.yml')
    assert "'trian'" in line
    assert all(verb in line for verb in VERBS)


@pytest.mark.parametrize('verb', ['train', 'test'])
def test_a_missing_option_file_is_named(fails_with_one_line, verb, tmp_path):
    line = fails_with_one_line(verb, '-opt', 'no.yml')
    assert line == f'basicsr {verb}: error: no such option file: {tmp_path / "no.yml"}'


@pytest.mark.parametrize('verb', ['train', 'test'])
def test_no_option_file_at_all(fails_with_one_line, verb):
    assert fails_with_one_line(verb).startswith(f'basicsr {verb}: error: -opt FILE is missing')


@pytest.mark.parametrize('verb', ['train', 'test'])
def test_help_of_a_verb_lists_every_flag_of_the_host(basicsr_command, tmp_path, verb):
    status, out, _ = basicsr_command(tmp_path, verb, '--help')
    assert status == 0
    assert f'usage: basicsr {verb}' in out
    for flag in ('-opt', '--launcher', '--auto_resume', '--debug', '--force_yml'):
        assert flag in out


def test_a_wrong_network_key_ends_before_anything_is_written(fails_with_one_line, tmp_path, tiny_faces):
    opt = tiny.train_options(tiny_faces)
    opt['network_g']['num_fat'] = 4
    line = fails_with_one_line('train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    assert "did you mean 'num_feat'?" in line
    assert not (tmp_path / 'experiments').exists()


def test_an_error_in_a_loader_worker_is_one_line_too(fails_with_one_line, tmp_path):
    faces = tiny.make_faces(tmp_path / 'faces', count=2)
    for file in (faces / 'parsing').iterdir():
        Image.new('L', (31, 31)).save(file)
    opt = tiny.train_options(faces)
    opt['datasets']['train'].update(dataroot_parsing=str(faces / 'parsing'), num_worker_per_gpu=1)
    line = fails_with_one_line('train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    assert line.startswith(f'basicsr train: error: {faces / "parsing"}')
    assert '31x31' in line


def test_a_plugin_s_network_is_exported_and_used_by_its_option_file(basicsr_command, tmp_path, install_plugin):
    install_plugin()
    body = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 3 * 8**2, 3, padding=1))
    weights = {f'body.{name}': tensor for name, tensor in body.state_dict().items()}
    torch.save({'params': {**weights, 'noise': torch.zeros(3, 1, 1)}}, tmp_path / 'net.pth')
    tiny.write_options({'scale': 8, 'network_g': {'type': 'PluginNet', 'scale': 8}}, tmp_path / 'net.yml')
    weights = ['--weights', 'net.pth', '--opt', 'net.yml']
    assert basicsr_command(tmp_path, 'export', *weights, '-o', 'a.safetensors')[0] == 0
    Image.new('RGB', (16, 16)).save(tmp_path / 'face.png')
    assert basicsr_command(tmp_path, 'infer', '-i', 'face.png', '-o', 'out', '--weights', 'a.safetensors')[0] == 0
    assert Image.open(tmp_path / 'out' / 'face.png').size == (128, 128)


def test_a_broken_plugin_is_named(fails_with_one_line, tmp_path, tiny_faces, monkeypatch):
    monkeypatch.syspath_prepend(tiny.write_plugin(tmp_path / 'site', 'import no_such_module'))
    file = tiny.write_options(tiny.train_options(tiny_faces), tmp_path / 'tiny.yml')
    line = fails_with_one_line('train', '-opt', file)
    assert line.startswith("basicsr train: error: plugin 'faces' (faces_plugin)")
    assert 'no_such_module' in line


@pytest.mark.parametrize('arguments', [['test', '-opt', 'tiny.yml'], ['compare', '-opt', 'tiny.yml'],
                                       ['check', '-opt', 'tiny.yml'], ['bench', 'growth']], ids=lambda words: words[0])
def test_ctrl_c_before_a_verb_has_begun_is_one_line(basicsr_command, tmp_path, tiny_faces, install_plugin, arguments):
    tiny.write_options(tiny.train_options(tiny_faces), tmp_path / 'tiny.yml')
    install_plugin('import signal\nsignal.raise_signal(signal.SIGINT)\n')
    status, out, err = basicsr_command(tmp_path, *arguments)
    assert (status, out, err) == (130, '', f'\nbasicsr {arguments[0]}: interrupted\n')


@pytest.mark.parametrize('unbuffered', ['', '1'])
@pytest.mark.parametrize('arguments', [['options'], ['options', '--help'], ['--version']], ids=' '.join)
def test_a_reader_who_leaves_is_no_error(tmp_path, console_script, arguments, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, 'PYTHONUNBUFFERED': unbuffered}
    done = subprocess.run([console_script, *arguments], cwd=tmp_path, env=environment, stdout=writer,
                          stderr=subprocess.PIPE, text=True, timeout=240)
    os.close(writer)
    assert done.stderr == ''
    # argparse of newer Pythons keeps to itself what becomes of its help when that is written at once
    assert done.returncode == 141 or (unbuffered and '--help' in arguments and done.returncode == 0)


def test_another_broken_pipe_is_an_error(basicsr_command, tmp_path, monkeypatch):
    def run(arguments):
        raise BrokenPipeError('of a worker')
    monkeypatch.setattr('pkdn_basicsr.cli.options.run', run)
    with pytest.raises(BrokenPipeError, match='of a worker'):
        basicsr_command(tmp_path, 'options')


def test_the_command_is_declared():
    command, = entry_points(group='console_scripts', name='basicsr')
    assert command.load() is main


def test_both_commands_end_with_the_status_of_main(tmp_path, console_script):
    module = tiny.run_python('-m', 'pkdn_basicsr', 'train', '-opt', 'no.yml', cwd=tmp_path)
    script = tiny.run_process([console_script, 'train', '-opt', 'no.yml'], cwd=tmp_path)
    for done in (module, script):
        assert (done.returncode, done.stdout) == (2, '')
        assert done.stderr == f'basicsr train: error: no such option file: {tmp_path / "no.yml"}\n'
