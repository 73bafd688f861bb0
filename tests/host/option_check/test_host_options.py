"""Option files in the forms that BasicSR and Real-ESRGAN document."""

import copy
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from pkdn_basicsr.host.option_check.check import find_problems, prepared
from pkdn_basicsr.host.option_check.problems import Problems
from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.host.options import check_option_file

ROOT = Path(__file__).resolve().parents[3]
HOST_FILES = sorted((ROOT / 'tests' / 'host' / 'host_options').glob('*.yml'))
OUR_FILES = [file for file in sorted((ROOT / 'options').rglob('*.yml')) if 'model_type' in file.read_text()]
# names of the user; slurm
FREE = ('val.metrics.', 'dist_params.', 'train.perceptual_opt.layer_weights.', 'datasets.val_2', 'datasets.test_')


@pytest.fixture
def whole_machine(tmp_path, monkeypatch):
    """A working directory and eight GPUs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 8)


def make_data(opt):
    """Make whatever folders and files options name, empty."""
    for key, value in leaves(opt):
        name = key.rpartition('.')[2]
        if isinstance(value, str) and name.startswith('dataroot_'):
            Path(value).mkdir(parents=True, exist_ok=True)
        elif isinstance(value, str) and (name.startswith(('pretrain_network', 'meta_info')) or name.endswith('_path')):
            Path(value).parent.mkdir(parents=True, exist_ok=True)
            Path(value).touch()


def leaves(opt, around=''):
    for key, value in opt.items():
        yield f'{around}{key}', value
        if isinstance(value, Mapping):
            yield from leaves(value, f'{around}{key}.')


def short(file):
    return file.stem


def is_training(file):
    return '\ntrain:' in file.read_text()


def test_there_are_enough_of_them():
    assert len(HOST_FILES) >= 14
    assert len(OUR_FILES) >= 40


@pytest.mark.parametrize('file', HOST_FILES, ids=short)
def test_the_hosts_forms_pass_without_a_word(file, whole_machine):
    options = OptionFile(str(file))
    make_data(options.opt)
    problems = check_option_file(options, is_training(file))
    assert problems.error_lines() == []
    assert problems.warning_lines() == []


@pytest.mark.parametrize('file', HOST_FILES, ids=short)
def test_all_that_is_missing_is_told(file, whole_machine):
    options = OptionFile(str(file))
    wanted = {key for key, value in leaves(options.opt) if isinstance(value, str) and '/' in value}
    if file.stem == 'train_ECBSR':
        wanted.remove('datasets.train.meta_info_file')  # an LMDB has its own
    told = [line.split(': ')[1] for line in check_option_file(options, is_training(file)).error_lines()]
    assert set(told) == wanted
    assert len(told) == len(wanted)


@pytest.mark.parametrize('file', HOST_FILES, ids=short)
def test_every_misspelt_key_is_named(file, whole_machine):
    original = OptionFile(str(file)).opt
    make_data(original)
    unnoticed = []
    for key, _ in leaves(original):
        opt = copy.deepcopy(original)
        *around, last = key.split('.')
        outer = opt
        for name in around:
            outer = outer[name]
        outer[f'{last}x'] = outer.pop(last)
        problems = Problems()
        find_problems(prepared(opt, is_training(file)), problems)
        if not key.startswith(FREE) and not any(line.startswith(key) for line in problems.error_lines()):
            unnoticed.append(key)
    assert unnoticed == []


@pytest.mark.parametrize('file', OUR_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_our_own_pass_but_for_data_and_weights(file, whole_machine):
    problems = check_option_file(OptionFile(str(file)), is_training(file))
    assert [line for line in problems.error_lines() if 'no such f' not in line] == []
    assert problems.warning_lines() == []
