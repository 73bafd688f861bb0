"""Entries of `methods:` whose weights tell themselves what network they are of."""

import pytest
import torch
import yaml

from pkdn_basicsr.archs import PKDNStudent
from pkdn_basicsr.export.export import export
from pkdn_basicsr.report.entry import MissingCheckpointError, read_entry
from pkdn_basicsr.report.method import load_method
from pkdn_basicsr.weights.card import Card
from pkdn_basicsr.weights.shipped import STUDENTS, shipped_or_path

TINY = {'scale': 8, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}
CPU = torch.device('cpu')


@pytest.fixture
def exported(tmp_path):
    net = PKDNStudent(**TINY).eval()
    path = tmp_path / 'tiny.safetensors'
    export(net, Card({'type': 'PKDNStudent', **TINY}, 8, 16), 'safetensors', path)
    return net, str(path)


@pytest.mark.parametrize('form', [lambda path: path, lambda path: {'checkpoint': path}])
def test_exported_weights_need_no_option_file(exported, form):
    net, path = exported
    method = load_method('tiny', form(path), CPU, {})
    lq = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(method.net(lq), net(lq))
    assert method.option_file is None
    assert method.network_opt == {'type': 'PKDNStudent', **TINY}
    assert method.recipe['checkpoint'] == method.checkpoint.sha256


@pytest.mark.parametrize('entry', [5, ['x.yml'], {'opt': 5}, {'opt': 'x.yml', 'checkpoint': 5}, {}, None])
def test_an_entry_that_is_none_is_refused(entry, usage_error):
    with usage_error("method 'tiny': expected the path of an option file or {opt: PATH"):
        read_entry('tiny', entry)


def test_a_checkpoint_in_the_place_of_an_option_file_wants_one(tmp_path, usage_error):
    torch.save(PKDNStudent(**TINY).state_dict(), tmp_path / 'w.pth')
    with usage_error("method 'tiny'", 'w.pth', '{opt: PATH'):
        read_entry('tiny', str(tmp_path / 'w.pth'))


@pytest.mark.parametrize('lay', [lambda state: {'state_dict': state},
                                 lambda state: {f'module.{name}': value for name, value in state.items()}])
def test_weights_load_in_every_layout_that_training_takes(tmp_path, lay):
    net = PKDNStudent(**TINY)
    torch.save(lay(net.state_dict()), tmp_path / 'w.pth')
    (tmp_path / 'o.yml').write_text(yaml.safe_dump({'name': 'o', 'network_g': {'type': 'PKDNStudent', **TINY}}))
    loaded = load_method('tiny', {'opt': str(tmp_path / 'o.yml'), 'checkpoint': str(tmp_path / 'w.pth')}, CPU, {}).net
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in net.state_dict().items())


def test_paths_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    models = tmp_path / 'exps' / 'o' / 'models'
    models.mkdir(parents=True)
    torch.save({'params': PKDNStudent(**TINY).state_dict()}, models / 'net_g_latest.pth')
    (tmp_path / 'o.yml').write_text(yaml.safe_dump({
        'name': 'o', 'network_g': {'type': 'PKDNStudent', **TINY}, 'path': {'experiments_root': '~/exps'}}))
    method = load_method('tiny', '~/o.yml', CPU, {})
    assert method.checkpoint.path == str(models / 'net_g_latest.pth')
    assert method.option_file.path == str(tmp_path / 'o.yml')


@pytest.mark.parametrize('name', STUDENTS)
def test_a_shipped_network_is_its_name(name):
    entry = read_entry('student', name)
    assert (entry.checkpoint, entry.option_file) == (shipped_or_path(name), None)
    assert entry.opt['network_g']['type'] == 'PKDNStudent'


def test_an_option_file_beside_exported_weights_is_what_counts(exported, tmp_path):
    file = tmp_path / 'option.yml'
    file.write_text(yaml.safe_dump({'name': 'other', 'network_g': {'type': 'PKDNStudent', **TINY, 'num_feat': 6}}))
    entry = read_entry('tiny', {'opt': str(file), 'checkpoint': exported[1]})
    assert (entry.opt['network_g']['num_feat'], entry.option_file) == (6, str(file))


def test_weights_that_do_not_tell_their_network_want_an_option_file(tmp_path, usage_error):
    torch.save(PKDNStudent(**TINY).state_dict(), tmp_path / 'w.pth')
    with usage_error("method 'tiny'", 'w.pth', 'opt: PATH'):
        read_entry('tiny', {'checkpoint': str(tmp_path / 'w.pth')})


def test_a_face_parser_is_no_method(usage_error):
    with usage_error("method 'parser'", 'face_parser', 'basicsr export'):
        read_entry('parser', {'checkpoint': shipped_or_path('pkdn_student_small_x8').replace(
            STUDENTS['pkdn_student_small_x8'], 'face_parser-ba24c33a.safetensors')})


def test_weights_that_are_not_there_may_be_left_out(tmp_path):
    with pytest.raises(MissingCheckpointError, match="method 'tiny': no such checkpoint: .*none.safetensors"):
        read_entry('tiny', str(tmp_path / 'none.safetensors'))


@pytest.mark.parametrize('entry', [None, {}, {'maps': {'shift': 4}}, {'checkpoint': None}, {'weights': 'w.pth'}])
def test_an_entry_names_options_or_weights(entry, usage_error):
    with usage_error("method 'tiny'", '{opt: PATH, checkpoint: PATH'):
        read_entry('tiny', entry)
