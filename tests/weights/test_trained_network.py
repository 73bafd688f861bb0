import json

import pytest
import torch
import yaml
from safetensors.torch import save_file
from students import ARGUMENTS, make_student, save_student

from pkdn_basicsr.archs import PKDNTeacher
from pkdn_basicsr.archs.baselines.vdsr_arch import VDSR
from pkdn_basicsr.weights.card import Card, hash_of_weights
from pkdn_basicsr.weights.face_parser import SHIPPED_FACE_PARSER
from pkdn_basicsr.weights.shipped import STUDENTS
from pkdn_basicsr.weights.trained_network import load_trained

LQ = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def _save_with_card(path, net, card, **changes):
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file(state, path, metadata={**card.metadata(hash_of_weights(state)), **changes})
    return path


def _write_options(path, network, **more):
    path.write_text(yaml.safe_dump({'name': 'x', 'network_g': network, **more}))
    return path


@pytest.mark.parametrize('scale', [4, 8])
def test_a_checkpoint_alone_is_enough_and_its_average_is_taken(tmp_path, scale):
    net, card = load_trained(save_student(tmp_path / 'net_g_10.pth', scale=scale))
    assert torch.equal(net(LQ), make_student(scale=scale)(LQ))
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert card == Card({'type': 'PKDNStudent', **ARGUMENTS, 'scale': scale}, scale, 128 // scale)


def test_bare_weights_without_an_average_will_do(tmp_path):
    torch.save(make_student().state_dict(), tmp_path / 'bare.pth')
    assert torch.equal(load_trained(tmp_path / 'bare.pth')[0](LQ), make_student()(LQ))


def test_a_file_with_a_card_may_hold_any_network(tmp_path):
    torch.manual_seed(0)
    net = VDSR(scale=4, num_feat=4, num_layers=3).half()
    card = Card({'type': 'VDSR', 'scale': 4, 'num_feat': 4, 'num_layers': 3}, 4, 24, 'crops', 'free')
    loaded, found = load_trained(_save_with_card(tmp_path / 'a.safetensors', net, card))
    assert found == card
    assert torch.equal(loaded(LQ), net.float().eval()(LQ))


def test_the_option_file_tells_what_weights_do_not(tmp_path):
    torch.manual_seed(0)
    net = VDSR(scale=4, num_feat=4, num_layers=3).eval()
    torch.save({'params': net.state_dict()}, tmp_path / 'vdsr.pth')
    network = {'type': 'VDSR', 'scale': 4, 'num_feat': 4, 'num_layers': 3}
    opt = _write_options(tmp_path / 'vdsr.yml', network, scale=4, datasets={'train': {'gt_size': 96}})
    loaded, card = load_trained(tmp_path / 'vdsr.pth', opt)
    assert torch.equal(loaded(LQ), net(LQ))
    assert card == Card(network, 4, 24)


def test_the_shipped_student_is_the_default(tmp_path, monkeypatch):
    path = save_student(tmp_path / 'a.pth', scale=7)
    monkeypatch.setitem(STUDENTS, 'a_x7', path)
    for weights in (None, 'a_x7'):
        assert torch.equal(load_trained(weights, scale=7)[0](LQ), make_student(scale=7)(LQ))


def test_another_scale_is_refused(tmp_path, usage_error):
    path = save_student(tmp_path / 'a.pth')
    assert load_trained(path, scale=8)[1].scale == 8
    with usage_error('--scale', str(path), 'enlarges 8 times', 'found 4'):
        load_trained(path, scale=4)


def test_a_changed_file_is_noticed(tmp_path, usage_error):
    card = Card({'type': 'PKDNStudent', **ARGUMENTS}, 8, 16)
    path = _save_with_card(tmp_path / 'a.safetensors', make_student(), card, sha256='0' * 64)
    with usage_error(path, 'sha256'):
        load_trained(path)


@pytest.mark.parametrize(('network', 'words'), [
    ({'type': 'PKDNStudent', **ARGUMENTS, 'num_feat': 8}, ['does not fit PKDNStudent', 'num_feat']),
    ({'type': 'PKDNStudent', 'num_feet': 8}, ['num_feet']),
    ({'type': 'os.system'}, ['os.system']),
    ({'type': 'PKDNStudent', 'scale': 'eight'}, ['cannot be built', 'eight']),
], ids=str)
def test_a_card_of_another_network_is_an_error_of_one_line(tmp_path, network, words, usage_error):
    path = _save_with_card(tmp_path / 'a.safetensors', make_student(), Card(network, 8, 16))
    with usage_error(*words):
        load_trained(path)


def test_other_weights_ask_for_their_option_file(tmp_path, usage_error):
    torch.save({'params': VDSR(num_feat=4, num_layers=3).state_dict()}, tmp_path / 'vdsr.pth')
    with usage_error(tmp_path / 'vdsr.pth', '--opt FILE'):
        load_trained(tmp_path / 'vdsr.pth')
    (tmp_path / 'a.yml').write_text('name: x')
    with usage_error('no network_g'):
        load_trained(tmp_path / 'vdsr.pth', tmp_path / 'a.yml')
    with usage_error('no scale'):
        load_trained(tmp_path / 'vdsr.pth', _write_options(tmp_path / 'b.yml', {'type': 'VDSR', 'num_feat': 4}))


def test_a_teacher_is_refused(tmp_path, usage_error):
    arguments = {'num_classes': 3, **ARGUMENTS}
    torch.save({'params': PKDNTeacher(**arguments).state_dict()}, tmp_path / 'a.pth')
    opt = _write_options(tmp_path / 'a.yml', {'type': 'PKDNTeacher', **arguments}, scale=8)
    with usage_error('PKDNTeacher needs a parsing map'):
        load_trained(tmp_path / 'a.pth', opt)


def test_a_face_parser_is_refused(usage_error):
    with usage_error(SHIPPED_FACE_PARSER, 'weights of a face parser', 'student'):
        load_trained(SHIPPED_FACE_PARSER)


def test_files_that_are_none_are_named(tmp_path, usage_error):
    (tmp_path / 'a.onnx').touch()
    (tmp_path / 'a.pth').write_text(json.dumps({}))
    for name, words in (('a.onnx', '.safetensors'), ('a.pth', 'damaged'), ('b.pth', 'no such file')):
        with usage_error(tmp_path / name, words):
            load_trained(tmp_path / name)
    with usage_error("'pkdn_student_xl'", 'no shipped network'):
        load_trained('pkdn_student_xl')
