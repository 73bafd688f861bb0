import json
import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from basicsr.models.base_model import BaseModel
from torch import nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.saving import damaged_file, save_whole


@pytest.fixture
def model(tmp_path):
    """A model that can save, with a network of three values, its average and an optimizer."""
    model = BaseModel({'num_gpu': 0, 'is_train': True, 'logger': {},
                       'path': {'models': str(tmp_path / 'models'), 'training_states': str(tmp_path / 'states')}})
    model.net = nn.Linear(2, 1)
    model.optimizers = [torch.optim.Adam(model.net.parameters())]
    return model


def save(model, iteration):
    model.save_network([model.net, model.net], 'net_g', iteration, ['params', 'params_ema'])
    model.save_training_state(0, iteration)


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_a_network_is_saved_under_the_host_s_name_and_keys(model, tmp_path):
    model.save_network([model.net, model.net], 'net_g', 7, ['params', 'params_ema'])
    model.save_network(model.net, 'net_d', -1)
    saved = torch.load(tmp_path / 'models' / 'net_g_7.pth', weights_only=True)
    assert saved.keys() == {'params', 'params_ema'}
    assert all(torch.equal(saved['params'][key], value) for key, value in model.net.state_dict().items())
    assert torch.load(tmp_path / 'models' / 'net_d_latest.pth', weights_only=True).keys() == {'params'}


def test_a_wrapped_network_is_saved_without_its_wrapper_s_prefix(model, tmp_path):
    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = model.net

    model.save_network(Wrapper(), 'net_g', 1)
    assert torch.load(tmp_path / 'models' / 'net_g_1.pth', weights_only=True)['params'].keys() == {'weight', 'bias'}


def test_files_and_hashes_agree(model, tmp_path):
    save(model, 5)
    assert damaged_file(tmp_path / 'states', 5) is None
    record = json.loads((tmp_path / 'states' / '5.json').read_text())
    assert record['files'].keys() == {'../models/net_g_5.pth', '5.state'}


def test_networks_of_another_iteration_do_not_get_into_the_record(model, tmp_path):
    model.save_network(model.net, 'net_g', 'best_psnr')
    save(model, 5)
    save(model, 6)
    record = json.loads((tmp_path / 'states' / '6.json').read_text())
    assert record['files'].keys() == {'../models/net_g_6.pth', '6.state'}


@pytest.mark.parametrize('file', ['models/net_g_5.pth', 'states/5.state'])
@pytest.mark.parametrize('damage', ['flip', 'cut', 'remove'])
def test_damage_is_found_and_named(model, tmp_path, file, damage):
    save(model, 5)
    path = tmp_path / file
    content = bytearray(path.read_bytes())
    if damage == 'remove':
        path.unlink()
    elif damage == 'cut':
        path.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert str(path) in damaged_file(tmp_path / 'states', 5)


@pytest.mark.parametrize('text', ['', '{}', '[]', '{"files": 3}', '{"files": {"5.state": 7}}'])
def test_a_damaged_record_is_found(model, tmp_path, text):
    save(model, 5)
    (tmp_path / 'states' / '5.json').write_text(text)
    assert '5.' in damaged_file(tmp_path / 'states', 5)


@pytest.mark.parametrize('limit', [200, 1800])
def test_a_full_disk_stops_the_run_and_leaves_what_was_there(model, tmp_path, limit):
    """A real limit of the file size, in a process of its own; nothing half is left, old files are as they were."""
    save(model, 5)
    before = everything(tmp_path)
    assert min(map(len, before.values())) < 1800 < max(map(len, before.values()))
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            save(model, 6)
        except UsageError as error:
            os._exit(7 if 'cannot be saved' in str(error) and '\n' not in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if name.endswith('.unfinished')]
    assert not (tmp_path / 'states' / '6.json').exists()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, usage_error):
    (tmp_path / 'file').write_text('')
    with usage_error('a.pth', 'cannot be saved', '--auto_resume'):
        save_whole({}, tmp_path / 'file' / 'a.pth')


def test_only_process_zero_saves_networks_and_each_its_generators(model, tmp_path, monkeypatch):
    monkeypatch.setattr('pkdn_basicsr.host.checkpoint.saving.get_dist_info', lambda: (1, 2))
    save(model, 5)
    assert list(everything(tmp_path)) == ['states/5_random_1.pth']


def test_the_last_network_has_no_state(model, tmp_path):
    save(model, -1)
    assert list(everything(tmp_path)) == ['models/net_g_latest.pth']


def test_what_a_model_adds_is_kept(model, tmp_path):
    model.extra_state = lambda: {'adapters': {'weight': torch.ones(2)}}
    save(model, 3)
    state = torch.load(tmp_path / 'states' / '3.state', weights_only=True)
    assert torch.equal(state['extra']['adapters']['weight'], torch.ones(2))


def test_keep_last_removes_the_older_ones(model, tmp_path):
    model.opt['logger']['keep_last'] = 2
    for iteration in (5, 10, 15, 100):
        save(model, iteration)
    assert sorted(everything(tmp_path)) == sorted(f'{name}' for n in (15, 100) for name in (
        f'models/net_g_{n}.pth', f'states/{n}.json', f'states/{n}.state'))


def test_a_run_that_went_back_keeps_its_own_last_ones_and_those_it_has_not_come_to(model, tmp_path, monkeypatch):
    monkeypatch.setattr(run, 'current', run.Run())
    for iteration in (10, 20, 30, 40):
        save(model, iteration)
    run.current.saved_iter = 10  # as after `path.resume_state: 10.state`
    model.opt['logger']['keep_last'] = 2
    for iteration, left in {15: [10, 15, 20, 30, 40], 25: [15, 25, 30, 40], 35: [25, 35, 40], 45: [35, 45]}.items():
        save(model, iteration)
        assert sorted(int(path.stem) for path in (tmp_path / 'states').glob('*.state')) == left
        assert all(damaged_file(tmp_path / 'states', kept) is None for kept in left)


def test_foreign_files_are_not_removed(model, tmp_path):
    model.opt['logger']['keep_last'] = 1
    save(model, 1)
    (tmp_path / 'states' / 'notes.json').write_text('mine')
    (tmp_path / 'models' / 'mine.pth').write_text('mine')
    save(model, 2)
    assert Path(tmp_path / 'states' / 'notes.json').exists()
    assert Path(tmp_path / 'models' / 'mine.pth').exists()
