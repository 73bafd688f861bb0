import pytest
import torch
import yaml

from pkdn_basicsr.archs import PKDNStudent, PKDNTeacher
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.method import MissingCheckpointError, load_method

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
    method = load_method('mine', option_file(), CPU)
    lq = torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        assert torch.equal(method.net(lq), student(lq))
    assert (method.name, method.uses_prior, method.net.training) == ('mine', False, False)


def test_averaged_weights_come_first_and_param_key_decides(tmp_path, option_file):
    plain, averaged = PKDNStudent(**TINY), PKDNStudent(**TINY)
    save(tmp_path / 'w.pth', params=plain.state_dict(), params_ema=averaged.state_dict())
    path = {'pretrain_network_g': 'w.pth'}
    assert torch.equal(load_method('m', option_file(path=path), CPU).net.head.weight, averaged.head.weight)
    path['param_key_g'] = 'params'
    assert torch.equal(load_method('m', option_file(path=path), CPU).net.head.weight, plain.head.weight)


def test_an_entry_may_name_another_checkpoint(tmp_path, option_file):
    other = PKDNStudent(**TINY)
    torch.save(other.state_dict(), tmp_path / 'bare.pth')  # without BasicSR's 'params'
    method = load_method('m', {'opt': option_file(), 'checkpoint': 'bare.pth'}, CPU)
    assert torch.equal(method.net.head.weight, other.head.weight)


def test_a_teacher_uses_the_prior(tmp_path, option_file):
    save(tmp_path / 'w.pth', params=PKDNTeacher(19, **TINY).state_dict())
    file = option_file(network_g={'type': 'PKDNTeacher', 'num_classes': 19, **TINY},
                       path={'pretrain_network_g': 'w.pth'})
    assert load_method('teacher', file, CPU).uses_prior


def test_a_network_without_parameters_needs_no_checkpoint(option_file):
    assert load_method('bicubic', option_file(network_g={'type': 'Bicubic', 'scale': 8}), CPU).net(
        torch.zeros(1, 3, 2, 2)).shape == (1, 3, 16, 16)


def test_missing_checkpoint_names_method_and_file(tmp_path, option_file):
    with pytest.raises(MissingCheckpointError, match="method 'mine'.*net_g_latest.pth"):
        load_method('mine', option_file(), CPU)


def test_checkpoint_of_another_network_is_refused_in_one_line(tmp_path, option_file):
    save(tmp_path / 'w.pth', params=PKDNStudent(**{**TINY, 'num_feat': 6}).state_dict())
    with pytest.raises(UsageError, match=r"method 'mine': w.pth does not fit PKDNStudent") as error:
        load_method('mine', option_file(path={'pretrain_network_g': 'w.pth'}), CPU)
    assert '\n' not in str(error.value)


def test_checkpoint_of_another_scale_is_refused(tmp_path, option_file):
    save(tmp_path / 'w.pth', params=PKDNStudent(**{**TINY, 'scale': 4}).state_dict())
    with pytest.raises(UsageError, match='trained for scale 4'):
        load_method('mine', option_file(path={'pretrain_network_g': 'w.pth'}), CPU)


def test_missing_option_file_is_named():
    with pytest.raises(UsageError, match='no such option file: .*nowhere.yml'):
        load_method('mine', 'nowhere.yml', CPU)


def test_misspelt_network_key_suggests_the_nearest(option_file):
    with pytest.raises(UsageError, match="num_feats.*did you mean 'num_feat'"):
        load_method('mine', option_file(network_g={'type': 'PKDNStudent', 'num_feats': 4}), CPU)
