import pytest
import torch
import yaml
from safetensors.torch import save_file

from pkdn_basicsr.archs import PKDNStudent, PKDNTeacher
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.entry import MissingCheckpointError
from pkdn_basicsr.report.method import load_method
from pkdn_basicsr.weights import shipped

TINY = {'scale': 8, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}
CPU = torch.device('cpu')


@pytest.fixture
def option_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**opt):
        path = tmp_path / 'option.yml'
        path.write_text(yaml.safe_dump({'name': 'tiny', 'network_g': {'type': 'PKDNStudent', **TINY}, **opt}))
        return str(path)

    return write


def save(path, **state_dicts):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state_dicts, path)


def test_weights_are_what_training_with_the_file_ends_with(tmp_path, option_file):
    student = PKDNStudent(**TINY).eval()
    save(tmp_path / 'experiments/tiny/models/net_g_latest.pth', params=student.state_dict())
    method = load_method('mine', option_file(), CPU, {})
    lq = torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        assert torch.equal(method.net(lq), student(lq))
    assert (method.name, method.prior, method.net.training) == ('mine', None, False)


def test_averaged_weights_come_first_and_param_key_decides(tmp_path, option_file):
    plain, averaged = PKDNStudent(**TINY), PKDNStudent(**TINY)
    save(tmp_path / 'w.pth', params=plain.state_dict(), params_ema=averaged.state_dict())
    path = {'pretrain_network_g': 'w.pth'}
    first = load_method('m', option_file(path=path), CPU, {})
    assert torch.equal(first.net.head.weight, averaged.head.weight)
    assert first.recipe['param_key'] == 'params_ema'
    path['param_key_g'] = 'params'
    second = load_method('m', option_file(path=path), CPU, {})
    assert torch.equal(second.net.head.weight, plain.head.weight)
    assert second.recipe['param_key'] == 'params'


def test_a_param_key_that_is_not_there_does_not_choose_between_plain_and_averaged(tmp_path, option_file, usage_error):
    weights = PKDNStudent(**TINY).state_dict()
    path = {'pretrain_network_g': 'w.pth', 'param_key_g': 'params_emaa'}
    save(tmp_path / 'w.pth', params=weights, params_ema=weights)
    with usage_error("method 'm'", 'w.pth', "'params_emaa'", 'path.param_key_g', "'params_ema'"):
        load_method('m', option_file(path=path), CPU, {})
    save(tmp_path / 'w.pth', params=weights)  # as with an option file that was written for averaged ones
    assert load_method('m', option_file(path=path), CPU, {}).recipe['param_key'] == 'params'


def test_an_entry_may_name_another_checkpoint(tmp_path, option_file):
    other = PKDNStudent(**TINY)
    torch.save(other.state_dict(), tmp_path / 'bare.pth')  # without BasicSR's 'params'
    method = load_method('m', {'opt': option_file(), 'checkpoint': 'bare.pth'}, CPU, {})
    assert torch.equal(method.net.head.weight, other.head.weight)
    assert method.recipe['param_key'] is None


def test_an_entry_may_name_shipped_weights_and_they_may_be_safetensors(option_file, monkeypatch, tmp_path):
    (tmp_path / 'weights').mkdir()
    weights = PKDNStudent(**TINY).half().state_dict()
    save_file(weights, tmp_path / 'weights' / 'tiny.safetensors')
    monkeypatch.setattr(shipped, '__file__', str(tmp_path / 'weights' / 'shipped.py'))
    monkeypatch.setattr(shipped, 'TEACHERS', {'pkdn_tiny_x8': 'tiny.safetensors'})
    for entry in ({'opt': option_file(), 'checkpoint': 'pkdn_tiny_x8'},
                  option_file(path={'pretrain_network_g': 'pkdn_tiny_x8'})):
        net = load_method('student', entry, CPU, {}).net
        assert all(torch.equal(value, weights[name].to(value.dtype)) for name, value in net.state_dict().items())


def test_a_teacher_uses_the_prior(tmp_path, option_file):
    save(tmp_path / 'w.pth', params=PKDNTeacher(19, **TINY).state_dict())
    file = option_file(network_g={'type': 'PKDNTeacher', 'num_classes': 19, **TINY},
                       path={'pretrain_network_g': 'w.pth'})
    method = load_method('teacher', file, CPU, {})
    assert method.sees_truth
    assert method.needs_maps


def test_a_network_without_parameters_needs_no_checkpoint(option_file):
    assert load_method('bicubic', option_file(network_g={'type': 'Bicubic', 'scale': 8}), CPU, {}).net(
        torch.zeros(1, 3, 2, 2)).shape == (1, 3, 16, 16)


def test_missing_checkpoint_names_method_and_file(tmp_path, option_file):
    with pytest.raises(MissingCheckpointError, match="method 'mine'.*net_g_latest.pth"):
        load_method('mine', option_file(), CPU, {})


@pytest.mark.parametrize('name', [None, 5])
def test_an_option_file_without_a_name_must_tell_its_checkpoint(option_file, name, usage_error):
    file = option_file(name=name)
    with usage_error("method 'mine'", 'option.yml: name', repr(name), 'path.pretrain_network_g'):
        load_method('mine', file, CPU, {})


def test_checkpoint_of_another_network_is_refused_in_one_line(tmp_path, option_file):
    save(tmp_path / 'w.pth', params=PKDNStudent(**{**TINY, 'num_feat': 6}).state_dict())
    with pytest.raises(UsageError, match=r"method 'mine': w.pth does not fit PKDNStudent") as error:
        load_method('mine', option_file(path={'pretrain_network_g': 'w.pth'}), CPU, {})
    assert '\n' not in str(error.value)


def test_checkpoint_of_another_scale_is_refused(tmp_path, option_file):
    save(tmp_path / 'w.pth', params=PKDNStudent(**{**TINY, 'scale': 4}).state_dict())
    with pytest.raises(UsageError, match='trained for scale 4'):
        load_method('mine', option_file(path={'pretrain_network_g': 'w.pth'}), CPU, {})


def test_missing_option_file_is_named():
    with pytest.raises(UsageError, match='no such option file: .*nowhere.yml'):
        load_method('mine', 'nowhere.yml', CPU, {})


def test_misspelt_network_key_suggests_the_nearest(option_file):
    with pytest.raises(UsageError, match="num_feats.*did you mean 'num_feat'"):
        load_method('mine', option_file(network_g={'type': 'PKDNStudent', 'num_feats': 4}), CPU, {})


@pytest.fixture
def teacher_file(tmp_path, option_file):
    save(tmp_path / 'w.pth', params=PKDNTeacher(19, **TINY).state_dict())
    return option_file(network_g={'type': 'PKDNTeacher', 'num_classes': 19, **TINY},
                       path={'pretrain_network_g': 'w.pth'})


def test_damaged_maps_reach_the_teacher(teacher_file):
    batch = {'lq': torch.rand(1, 3, 4, 4), 'parsing': torch.randint(0, 19, (1, 32, 32), dtype=torch.uint8)}
    true, shifted = (load_method('t', {'opt': teacher_file, 'maps': maps}, CPU, {}) for maps in (None, {'shift': 4}))
    assert torch.equal(shifted.inputs(batch)[1][..., 4:], true.inputs(batch)[1][..., :-4])
    assert true.recipe != shifted.recipe


def test_maps_may_be_predicted_from_the_result_of_a_method_above(teacher_file, option_file, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr('pkdn_basicsr.report.maps.load_face_parser', lambda *options: (None, 'celebamask_hq'))
    monkeypatch.setattr('pkdn_basicsr.report.maps.predict_parsing', lambda net, images, size: (
        seen.append(images), torch.zeros(1, 32, 32, dtype=torch.uint8))[1])
    teacher = teacher_file
    (tmp_path / 'b.yml').write_text(yaml.safe_dump({'name': 'b', 'network_g': {'type': 'Bicubic', 'scale': 8}}))
    above = load_method('bicubic', str(tmp_path / 'b.yml'), CPU, {})
    batch = {'lq': torch.rand(1, 3, 4, 4), 'gt': torch.rand(1, 3, 32, 32)}
    for what in ('bicubic', 'lq', 'gt'):
        method = load_method('t', {'opt': teacher, 'maps': {'predicted_from': what}}, CPU, {'bicubic': above})
        method.super_resolve(batch)
        assert method.needs_maps is False
        assert method.sees_truth is (what == 'gt')
    torch.testing.assert_close(seen[0], seen[1].clamp(0, 1), atol=1 / 255, rtol=0)  # the enlargement, once in 8 bits
    assert torch.equal(seen[2], batch['gt'])


@pytest.mark.parametrize(('maps', 'words'), [
    ({'predicted_from': 'student'}, ["method 't'", "no method 'student' above it"]),
    ({'shift': 1.5}, ["method 't'", 'shift']),
])
def test_wrong_maps_name_the_method(teacher_file, maps, words, usage_error):
    with usage_error(*words):
        load_method('t', {'opt': teacher_file, 'maps': maps}, CPU, {})


def test_maps_for_a_network_without_maps_are_refused(option_file, usage_error):
    with usage_error("method 'b'", 'takes no parsing map'):
        load_method('b', {'opt': option_file(network_g={'type': 'Bicubic', 'scale': 8}), 'maps': {'shift': 1}}, CPU, {})


def test_a_damaged_checkpoint_is_named(tmp_path, option_file, usage_error):
    (tmp_path / 'w.pth').write_bytes(b'no weights')
    with usage_error("method 'm'", 'w.pth'):
        load_method('m', option_file(path={'pretrain_network_g': 'w.pth'}), CPU, {})


def test_a_network_inside_comes_with_the_checkpoint(tmp_path, option_file):
    """FishFSRNet's option file names its trained parsing net, which lies in FishFSRNet's own checkpoint too."""
    from pkdn_basicsr.archs.baselines import FishFSRNet
    save(tmp_path / 'w.pth', params=FishFSRNet(num_feat=4).state_dict())
    file = option_file(network_g={'type': 'FishFSRNet', 'num_feat': 4, 'parsing_net': 'nowhere.pth'},
                       path={'pretrain_network_g': 'w.pth'})
    assert load_method('fish', file, CPU, {}).checkpoint.path == 'w.pth'


def test_a_size_that_the_network_cannot_take_is_named(tmp_path, option_file, usage_error):
    save(tmp_path / 'w.pth', params=PKDNStudent(**TINY).state_dict())
    method = load_method('m', option_file(path={'pretrain_network_g': 'w.pth'}), CPU, {})
    method.net.forward = lambda lq: lq.view(7)
    with usage_error("method 'm'", 'PKDNStudent', '5x4'):
        method.super_resolve({'lq': torch.rand(1, 3, 4, 5)})


def test_a_map_predicted_from_a_teacher_s_result_sees_the_truth_too(teacher_file, monkeypatch):
    monkeypatch.setattr('pkdn_basicsr.report.maps.load_face_parser', lambda *options: (None, 'celebamask_hq'))
    teacher = load_method('t', teacher_file, CPU, {})
    assert load_method('u', {'opt': teacher_file, 'maps': {'predicted_from': 't'}}, CPU, {'t': teacher}).sees_truth


def test_the_parser_s_content_is_part_of_the_recipe(teacher_file, tmp_path, monkeypatch):
    monkeypatch.setattr('pkdn_basicsr.report.maps.load_face_parser', lambda *options: (None, 'celebamask_hq'))
    entry = {'opt': teacher_file, 'maps': {'predicted_from': 'lq', 'parser': str(tmp_path / 'p.onnx')}}
    recipes = []
    for content in (b'1', b'2'):
        (tmp_path / 'p.onnx').write_bytes(content)
        recipes.append(load_method('t', entry, CPU, {}).recipe)
    assert recipes[0] != recipes[1]
    del entry['maps']['parser']
    assert load_method('t', entry, CPU, {}).recipe['maps']['parser']['sha256'].startswith('ba24c33a')
