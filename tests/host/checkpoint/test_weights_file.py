import contextlib
import io
import os
import pickle
import random
import zipfile

import pytest
import torch
from basicsr.models.base_model import BaseModel
from basicsr.utils import get_root_logger
from safetensors.torch import save, save_file

from pkdn_basicsr.archs import PKDNStudent
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.checkpoint.weights_file import read_weights

TINY = {'scale': 4, 'num_feat': 2, 'num_enc_blocks': [1], 'num_neck_blocks': 0, 'num_dec_blocks': [0]}


class Bomb:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f'touch {self.canary}',)


@pytest.fixture
def model():
    return BaseModel({'num_gpu': 0, 'is_train': False})


@pytest.fixture
def state():
    return PKDNStudent(**TINY).state_dict()


@pytest.fixture
def host_log(caplog):
    """What the host's logger is told; it keeps it from pytest's."""
    logger = get_root_logger()
    logger.addHandler(caplog.handler)
    caplog.set_level('INFO', logger.name)
    yield caplog
    logger.removeHandler(caplog.handler)


def is_loaded(model, state, path, **how):
    net = PKDNStudent(**TINY)
    model.load_network(net, str(path), **how)
    return all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize('protocol', [0, 2, 4, 'zip'])
def test_a_pickle_with_code_is_refused_where_torch_would_run_it(model, tmp_path, monkeypatch, usage_error, protocol):
    canary, path = tmp_path / 'canary', tmp_path / 'net.pth'
    if protocol == 'zip':
        torch.save({'params': Bomb(canary)}, path)
    else:
        path.write_bytes(pickle.dumps({'params': Bomb(canary)}, protocol=protocol))
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')  # the default of torch < 2.6
    with usage_error(f'{path} does not fit PKDNStudent: the file holds'):
        model.load_network(PKDNStudent(**TINY), str(path))
    assert not canary.exists()


@pytest.mark.parametrize(('content', 'name'), [
    ({'params': torch.nn.Conv2d(1, 1, 1)}, 'torch.nn.modules.conv.Conv2d'),
    ({'params': Bomb('nothing')}, f'{os.system.__module__}.system'),
])
def test_objects_are_refused_by_name(tmp_path, usage_error, content, name):
    torch.save(content, tmp_path / 'net.pth')
    with usage_error(f'holds Python objects ({name})', 'holds weights only', '.safetensors'):
        read_weights(str(tmp_path / 'net.pth'))


@pytest.mark.parametrize(('layout', 'param_key', 'log'), [
    (lambda state: {'params': state}, 'params', 'with param key: [params].'),
    (lambda state: {'params_ema': state, 'params': {}}, 'params_ema', 'with param key: [params_ema].'),
    (lambda state: {'params': state}, 'params_ema', 'Loading: params_ema does not exist, use params.'),
    (lambda state: {'params_ema': state}, 'params', 'Loading: params does not exist, use params_ema.'),
    (lambda state: {'state_dict': state, 'epoch': 3}, 'params', 'params does not exist, use state_dict.'),
    (lambda state: {'model': state, 'args': {'lr': 1}}, 'params_ema', 'params_ema does not exist, use model.'),
    (lambda state: {'mine': state}, 'mine', 'with param key: [mine].'),
    (lambda state: state, 'params', 'params does not exist, use the bare weights of the file.'),
    (lambda state: state, None, 'with param key: [None].'),
    (lambda state: {'params': state}, None, 'with param key: [params].'),
    (lambda state: {'params': {f'module.{name}': value for name, value in state.items()}}, 'params', ''),
    (lambda state: {f'module.{name}': value for name, value in state.items()}, 'params', ''),
])
@pytest.mark.parametrize('zipped', [True, False])
def test_layouts(model, state, tmp_path, host_log, layout, param_key, log, zipped):
    torch.save(layout(state), tmp_path / 'net.pth', _use_new_zipfile_serialization=zipped)
    assert is_loaded(model, state, tmp_path / 'net.pth', param_key=param_key)
    assert log in host_log.text


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_safetensors(model, state, tmp_path, prefix):
    save_file({prefix + name: value for name, value in state.items()}, tmp_path / 'net.SafeTensors')
    assert is_loaded(model, state, tmp_path / 'net.SafeTensors', param_key='params_ema')


def test_versions_of_layers_are_kept(tmp_path):
    net = torch.nn.BatchNorm2d(1)
    torch.save({'params': net.state_dict()}, tmp_path / 'net.pth')
    assert read_weights(str(tmp_path / 'net.pth'))[0]._metadata == net.state_dict()._metadata


@pytest.mark.parametrize('versions', [5, 'x', {'': 3}, {'': {'version': 'x'}}])
def test_strange_versions_are_no_traceback(model, state, tmp_path, versions):
    state._metadata = versions
    torch.save({'params': state}, tmp_path / 'net.pth')
    with contextlib.suppress(UsageError):
        assert is_loaded(model, state, tmp_path / 'net.pth')


@pytest.mark.parametrize(('content', 'words'), [
    ({}, ['found nothing']),
    ([1], ['found list']),
    (torch.zeros(1), ['found Tensor']),
    ({'weights': {}}, ['bare or under one of params, params_ema, state_dict, model', 'found the keys weights']),
    ({'params': [1]}, ['found the keys params']),
    ({'params': {'a': 1}}, ['found the keys params']),
    ({'params': {1: torch.zeros(1)}}, ['found the keys params']),
])
def test_files_without_weights(tmp_path, usage_error, content, words):
    torch.save(content, tmp_path / 'net.pth')
    with usage_error('expected weights', *words):
        read_weights(str(tmp_path / 'net.pth'))


@pytest.mark.parametrize('name', ['net.pth', 'net.safetensors'])
def test_files_that_are_not_there_or_no_files(model, tmp_path, usage_error, name):
    with usage_error(f'{tmp_path / name} does not fit PKDNStudent: no such file'):
        model.load_network(PKDNStudent(**TINY), str(tmp_path / name))
    (tmp_path / name).mkdir()
    with usage_error('no plain weights'):
        read_weights(str(tmp_path / name))


def as_bytes(state, kind):
    buffer = io.BytesIO()
    if kind == 'safetensors':
        return save(dict(state))
    torch.save({'params': state}, buffer, _use_new_zipfile_serialization=kind == 'zip')
    return buffer.getvalue()


@pytest.mark.parametrize('kind', ['zip', 'legacy', 'safetensors'])
def test_a_file_that_was_cut_off_is_refused(model, state, tmp_path, usage_error, kind):
    data = as_bytes(state, kind)
    path = tmp_path / ('net.safetensors' if kind == 'safetensors' else 'net.pth')
    for seed in range(30):
        path.write_bytes(data[:random.Random(seed).randrange(len(data) - 100)])
        with usage_error(path, 'does not fit PKDNStudent'):
            model.load_network(PKDNStudent(**TINY), str(path))


@pytest.mark.parametrize('kind', ['zip', 'legacy', 'safetensors'])
def test_a_flipped_bit_ends_in_nothing_but_one_line(model, state, tmp_path, kind):
    """Only that; whether numbers have changed is for checksums to tell."""
    data = as_bytes(state, kind)
    path = tmp_path / ('net.safetensors' if kind == 'safetensors' else 'net.pth')
    start, stop = 0, len(data)
    if kind == 'zip':
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            record = next(entry for entry in archive.infolist() if entry.filename.endswith('data.pkl'))
        start, stop = record.header_offset, record.header_offset + record.file_size
    for seed in range(40):
        rng = random.Random(seed)
        changed = bytearray(data)
        changed[rng.randrange(start, stop)] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        refusal = ''
        try:
            model.load_network(PKDNStudent(**TINY), str(path), strict=bool(seed % 2))
        except UsageError as error:
            refusal = str(error)
        assert '\n' not in refusal
