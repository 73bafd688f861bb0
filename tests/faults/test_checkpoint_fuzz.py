"""Damaged checkpoints: `basicsr test` and resuming refuse every one, name its file, run nothing and change nothing."""

import io
import json
import os
import pickle
import random
import shutil
import struct
import zipfile
from itertools import cycle, islice

import pytest
import tiny
import torch
from basicsr.train import load_resume_state
from basicsr.utils.registry import ARCH_REGISTRY
from experiment import hashes
from faults import damage, process
from faults.process import assert_refused
from safetensors.torch import save

from pkdn_basicsr.errors import UsageError


class Canary:
    """Leaves a file when it is unpickled."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return os.mkdir, (self.file,)


def network_options(tiny_faces):
    return tiny.train_options(tiny_faces)['network_g']


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def same(left, right):
    """Whether both files hold the same weights, as torch alone reads them."""
    try:
        found = [torch.load(io.BytesIO(content), weights_only=True) for content in (left, right)]
        return str(found[0]) == str(found[1]) and all(
            torch.equal(found[0][part][name], tensor) for part in found[1] for name, tensor in found[1][part].items())
    except Exception:
        return False


def of_bytes(change):
    """Damage the bytes of a `.pth`, again until torch does not read the same from them (an archive has gaps)."""
    def damaged(state, rng, canary):
        content = saved({'params': state})
        while same(found := change(content, rng), content):
            pass
        return found
    return damaged


def of_state(change):
    """Change weights, which are saved in order."""
    def damaged(state, rng, canary):
        return saved({'params': change(dict(state), rng)})
    return damaged


def any_of(state, rng, dims=2):
    return rng.choice([name for name in state if state[name].dim() >= dims])


def swap(state, rng):
    first = any_of(state, rng)
    second = rng.choice([name for name in state if state[name].shape != state[first].shape])
    return {**state, first: state[second], second: state[first]}


def reshape(state, rng):
    name = any_of(state, rng)
    return {**state, name: state[name].flatten()}


def widen(state, rng):
    name = any_of(state, rng)
    return {**state, name: torch.cat([state[name], state[name]])}


def without_one(state, rng):
    state.pop(any_of(state, rng))
    return state


def with_one_more(state, rng):
    return {**state, f'extra_{rng.randrange(100)}.weight': torch.ones(3)}


def rename(state, rng):
    state['renamed.weight'] = state.pop(any_of(state, rng))
    return state


def no_tensor(state, rng):
    return {**state, any_of(state, rng): rng.choice(['text', 3, None, [1., 2.]])}


def of_another_network(state, rng):
    return ARCH_REGISTRY.get('VDSR')(scale=4).state_dict()


def as_list(state, rng):
    return list(state.values())


def raw_pickle(state, rng, canary):
    return pickle.dumps({'params': {**state, 'x': Canary(canary)}}, protocol=rng.choice([0, 2, 4]))


def pickle_in_archive(state, rng, canary):
    return saved({'params': state, 'more': Canary(canary)})


def whole_module(state, rng, canary):
    return saved(torch.nn.Conv2d(3, 3, 3))


def no_member(state, rng, canary):
    """An archive without one of its files."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved({'params': state}))) as archive, zipfile.ZipFile(file, 'w') as other:
        left_out = rng.choice([name for name in archive.namelist() if '/data' in name])
        for name in archive.namelist():
            if name != left_out:
                other.writestr(name, archive.read(name))
    return file.getvalue()


def other_archive(state, rng, canary):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('holiday.jpg', rng.randbytes(1000))
    return file.getvalue()


def of_safetensors(change):
    def damaged(state, rng, canary):
        content = save({name: tensor.contiguous() for name, tensor in state.items()})
        length, = struct.unpack('<Q', content[:8])
        return change(content, length, rng)
    return damaged


def long_header(content, length, rng):
    return struct.pack('<Q', rng.choice([length * 1000, 2**63, 2**40])) + content[8:]


def broken_header(content, length, rng):
    header = json.loads(content[8:8 + length])
    name = rng.choice([name for name in header if name != '__metadata__'])
    header[name] = rng.choice([{**header[name], 'data_offsets': [5, 2]}, {**header[name], 'dtype': 'F7'}, {}, 3,
                               {**header[name], 'shape': [-1]}])
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + content[8 + length:]


PTH = {**{kind: of_bytes(change) for kind, change in damage.BYTES.items()},
       **{kind.__name__.replace('_', ' '): of_state(kind) for kind in (
           swap, reshape, widen, without_one, with_one_more, rename, no_tensor, of_another_network, as_list)},
       'pickle with code': raw_pickle, 'archive with code': pickle_in_archive, 'whole module': whole_module,
       'member missing': no_member, 'other archive': other_archive}
SAFETENSORS = {
    'cut': of_safetensors(lambda content, length, rng: damage.cut(content, rng)),
    'empty': of_safetensors(lambda content, length, rng: b''),
    'long header': of_safetensors(long_header), 'broken header': of_safetensors(broken_header),
    'pickle with code': raw_pickle, 'archive with code': pickle_in_archive}
KINDS = [*(('pth', kind) for kind in PTH), *(('safetensors', kind) for kind in SAFETENSORS)]


@pytest.fixture
def test(tmp_path, tiny_faces, basicsr_command):
    """Run `basicsr test` with the weights of a file."""
    def run(path):
        opt = tiny.train_options(tiny_faces)
        opt['datasets'] = {'test': opt['datasets']['val']}
        opt.update(path={'pretrain_network_g': str(path)}, val={'save_img': False, 'metrics': opt['val']['metrics']})
        for key in ('train', 'logger'):
            del opt[key]
        status, out, err = basicsr_command(tmp_path, 'test', '-opt', tiny.write_options(opt, tmp_path / 'test.yml'))
        return status, out + err
    return run


@pytest.fixture
def state(tiny_faces):
    options = network_options(tiny_faces)
    return ARCH_REGISTRY.get(options.pop('type'))(**options).state_dict()


def test_weights_in_order_are_tested(tmp_path, state, test):
    (tmp_path / 'good.pth').write_bytes(saved({'params': state}))
    status, said = test(tmp_path / 'good.pth')
    assert status == 0, said


@pytest.mark.parametrize('pack', [raw_pickle, pickle_in_archive])
def test_the_canary_is_alive(tmp_path, state, pack):
    """Read without care, the files would run their code."""
    content = io.BytesIO(pack(state, random.Random(0), tmp_path / 'canary'))
    pickle.load(content) if pack is raw_pickle else torch.load(content, weights_only=False)
    assert (tmp_path / 'canary').exists()


def test_damaged_weights(tmp_path, state, test, outcomes, all_faults):
    rng, canary = random.Random(0), tmp_path / 'canary'
    test(tmp_path / 'nothing.pth')  # writes the option file
    for number, (suffix, kind) in enumerate(islice(cycle(KINDS), 210 if all_faults else len(KINDS))):
        path = tmp_path / f'weights_{number}.{suffix}'
        path.write_bytes({'pth': PTH, 'safetensors': SAFETENSORS}[suffix][kind](state, rng, canary))
        text = (tmp_path / 'test.yml').read_text().splitlines()
        (tmp_path / 'test.yml').write_text('\n'.join(
            f'  pretrain_network_g: {path}' if 'pretrain_network_g' in line else line for line in text) + '\n')
        before = {**hashes(tmp_path), str(tmp_path / 'test.yml'): None}
        status, said = test(path)
        assert {**hashes(tmp_path), str(tmp_path / 'test.yml'): None} == before, (kind, said)
        assert_refused(status, said, path, verb='test')
        assert not canary.exists()
        outcomes('checkpoint', f'{suffix}: {kind}', 'refused, names the file')
        path.unlink()


@pytest.fixture(scope='module')
def experiment(tmp_path_factory, tiny_faces):
    """An experiment with checkpoints of iterations 1 and 2, and its option file."""
    folder = tmp_path_factory.mktemp('experiment')
    file = tiny.write_options(tiny.train_options(tiny_faces), folder / 'tiny.yml')
    status, said = process.run(folder, 'train', '-opt', file)
    assert status == 0, said
    return folder


def options_of(folder, auto_resume, **path):
    root = folder / 'experiments' / 'tiny'
    return {'name': 'tiny', 'auto_resume': auto_resume, 'rank': 0, 'network_g': {},
            'path': {'experiments_root': str(root), 'models': str(root / 'models'),
                     'training_states': str(root / 'training_states'), **path}}


FILES = ('models/net_g_2.pth', 'training_states/2.state', 'training_states/2.json')


def test_damaged_states(tmp_path, experiment, outcomes, all_faults, capsys):
    """Named, a checkpoint is refused; with --auto_resume the one before is used, and which file was wrong is said."""
    rng = random.Random(0)
    folder = shutil.copytree(experiment, tmp_path / 'copy')
    kinds = [(name, kind) for name in FILES for kind in damage.BYTES]
    for name, kind in islice(cycle(kinds), 60 if all_faults else len(kinds)):
        path = folder / 'experiments' / 'tiny' / name
        content = path.read_bytes()
        while same_record(found := damage.BYTES[kind](content, rng), content):
            pass
        path.write_bytes(found)
        before = hashes(folder)
        with pytest.raises(UsageError) as refusal:
            load_resume_state(options_of(folder, False, resume_state=str(path.parents[1] / 'training_states/2.state')))
        named = path if path.suffix != '.json' else path.parents[1]  # another hash is the fault of the other file
        assert str(named) in str(refusal.value)
        assert '\n' not in str(refusal.value)
        assert load_resume_state(options_of(folder, True))['iter'] == 1
        assert f'iteration 2 cannot be used: {named}' in capsys.readouterr().out
        assert hashes(folder) == before
        outcomes('state', f'{name}: {kind}', 'refused; --auto_resume takes the one before')
        path.write_bytes(content)
    assert load_resume_state(options_of(folder, True))['iter'] == 2


def test_damaged_states_of_plain_basicsr(tmp_path, experiment, outcomes, all_faults):
    """They have no record of hashes: what is wrong must be seen in the state itself."""
    rng = random.Random(0)
    folder = shutil.copytree(experiment, tmp_path / 'copy')
    for record in folder.rglob('training_states/*.json'):
        record.unlink()
    path = folder / 'experiments/tiny/training_states/2.state'
    content = path.read_bytes()
    for kind in islice(cycle(damage.BYTES), 30 if all_faults else len(damage.BYTES)):
        while same_state(found := damage.BYTES[kind](content, rng), content):
            pass
        path.write_bytes(found)
        for opt in (options_of(folder, False, resume_state=str(path)), options_of(folder, True)):
            with pytest.raises(UsageError) as refusal:
                load_resume_state(opt)
            assert str(path) in str(refusal.value)
            assert '\n' not in str(refusal.value)
        outcomes('state', f'without record: {kind}', 'refused, names the file')


def same_record(left, right):
    try:
        return json.loads(left) == json.loads(right)
    except ValueError:
        return False


def same_state(left, right):
    try:
        return str(torch.load(io.BytesIO(left), weights_only=True)) == str(torch.load(io.BytesIO(right)))
    except Exception:
        return False


def test_what_is_no_state_or_that_of_another_run(tmp_path, experiment, tiny_faces):
    states = experiment / 'experiments/tiny/training_states'
    opt = tiny.train_options(tiny_faces)
    opt['path']['resume_state'] = str(experiment / 'experiments/tiny/models/net_g_2.pth')
    file = tiny.write_options(opt, tmp_path / 'tiny.yml')
    before = hashes(experiment)
    assert_refused(*process.run(experiment, 'train', '-opt', file), 'path.resume_state', 'net_g_2.pth')
    assert hashes(experiment) == before

    opt['path']['resume_state'] = str(states / '2.state')
    opt['train']['optim_g']['type'] = 'SGD'
    opt['train']['total_iter'] = 4
    assert_refused(*process.run(experiment, 'train', '-opt', tiny.write_options(opt, file)), states / '2.state')
