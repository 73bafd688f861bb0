import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

import pkdn_basicsr  # noqa: F401
from pkdn_basicsr.archs.baselines import SPARNet, SPARNetLight
from pkdn_basicsr.archs.baselines.sparnet_arch import _FaceAttentionUnit, _Hourglass
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'num_feat': 4, 'num_blocks': 1}


@pytest.mark.parametrize('name', ['SPARNet', 'SPARNetLight'])
def test_registered(name):
    assert ARCH_REGISTRY.get(name).__name__ == name


def test_part_counts_of_the_released_network():
    net = SPARNet()
    assert count_parameters(net.head) == 896
    assert [count_parameters(unit) for unit in net.encoder] == [555_585, 739_905, 776_513]
    assert [count_parameters(unit) for unit in net.body] == [628_929] * 10
    assert [count_parameters(unit) for unit in net.decoder] == [887_489, 666_369, 601_953]
    assert count_parameters(net.tail) == 867
    assert count_parameters(net) == 10_518_867


def test_part_counts_of_the_light_network():
    net = SPARNetLight()
    assert count_parameters(net.head) == 896
    assert [count_parameters(unit) for unit in net.encoder] == [591_936, 813_184, 849_792]
    assert [count_parameters(unit) for unit in net.body] == [702_208]
    assert [count_parameters(unit) for unit in net.decoder] == [960_768, 702_720, 619_840]
    assert count_parameters(net.tail) == 867
    assert count_parameters(net) == 5_242_211


def test_macs():
    # published counts are of convolutions alone; mmengine adds 0.4 % for batch norm and nearest resizing
    assert count_macs(SPARNet()).total == pytest.approx(7.13e9, rel=0.006)
    assert count_macs(SPARNetLight()).total == pytest.approx(6.88e9, rel=0.006)


def test_units_work_at_the_published_sizes():
    net = SPARNet(num_feat=4, num_blocks=2).eval()
    sizes = []
    for unit in [*net.encoder, *net.body, *net.decoder]:
        unit.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
        innermost = unit.attention.middle
        innermost.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[-1]))
    with torch.no_grad():
        net(torch.rand(1, 3, 16, 16))
    four = [4] * 8  # every hourglass of the published network ends at 4 x 4
    assert sizes[::2] == four
    assert sizes[1::2] == [
        (8, 64, 64), (16, 32, 32), (16, 16, 16), (16, 16, 16), (16, 16, 16), (16, 32, 32), (8, 64, 64), (4, 128, 128),
    ]  # fmt: skip


@pytest.mark.parametrize('network', [SPARNet, SPARNetLight])
@pytest.mark.parametrize('size', [(8, 8), (9, 13), (16, 8)])
def test_output_shape(network, size):
    with torch.no_grad():
        sr = network(**TINY).eval()(torch.rand(1, 3, *size))
    assert sr.shape == (1, 3, 8 * size[0], 8 * size[1])


def test_range_inside_is_minus_one_to_one():
    net = SPARNet(**TINY).eval()
    seen = []
    net.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    nn.init.zeros_(net.tail.weight)
    net.tail.bias.data = torch.tensor([-1.0, 0.0, 1.0])
    lq = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        sr = net(lq)
    torch.testing.assert_close(seen[0], 2 * net.upsample(lq) - 1)
    for channel, value in enumerate([0, 0.5, 1]):
        assert (sr[:, channel] == value).all()


@pytest.mark.parametrize('network', [SPARNet, SPARNetLight])
def test_training_reaches_every_parameter(network):
    torch.manual_seed(0)
    net = network(**TINY)
    F.l1_loss(net(torch.rand(2, 3, 8, 8)), torch.rand(2, 3, 64, 64)).backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert without == []
    still = [name for name, parameter in net.named_parameters() if parameter.grad.abs().sum() == 0]
    assert still == []


@pytest.mark.parametrize('resample', [None, 'down', 'up'])
@pytest.mark.parametrize('attention', ['2d', '3d'])
def test_attention_weighs_the_residual_only(resample, attention):
    torch.manual_seed(0)
    unit = _FaceAttentionUnit(4, 6, 2, 5, attention, resample).eval()
    x = torch.randn(1, 4, 16, 16)
    enlarged = F.interpolate(x, scale_factor=2) if resample == 'up' else x
    stride = 2 if resample == 'down' else 1
    with torch.no_grad():
        got = unit(x)
        gates = []
        unit.attention.register_forward_hook(lambda module, inputs, output: gates.append((inputs[0], output)))
        unit(x)
        (residual, gate), shortcut = gates[0], unit.shortcut[-1]
        padded = F.pad(enlarged, (1, 1, 1, 1), mode='reflect')
        expected = F.conv2d(padded, shortcut.weight, shortcut.bias, stride) + residual * gate
    torch.testing.assert_close(got, expected)
    assert gate.shape[1] == (1 if attention == '2d' else 6)
    assert ((gate > 0) & (gate < 1)).all()


def test_unit_without_change_adds_its_input():
    assert isinstance(_FaceAttentionUnit(4, 4, 1, 4, '2d').shortcut, nn.Identity)


def _conv_norm_act_by_hand(layers, x):
    conv, norm, _ = layers
    x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode='reflect'), conv.weight, stride=conv.stride)
    mean, var = (value[:, None, None] for value in (norm.running_mean, norm.running_var))
    x = (x - mean) / (var + norm.eps).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
    return torch.where(x > 0, x, 0.2 * x)


def test_hourglass_of_depth_two_by_hand():
    torch.manual_seed(0)
    net = _Hourglass(num_in=3, num_gates=2, num_inner=4, depth=2)
    net(torch.randn(4, 3, 8, 8))  # gives the norms statistics that differ from 0 and 1
    net.eval()
    x = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        kept1 = _conv_norm_act_by_hand(net.keep[0], x)
        half = _conv_norm_act_by_hand(net.down[0], x)
        kept2 = _conv_norm_act_by_hand(net.keep[1], half)
        quarter = _conv_norm_act_by_hand(net.middle, _conv_norm_act_by_hand(net.down[1], half))
        half = kept2 + _conv_norm_act_by_hand(net.up[0], quarter.repeat_interleave(2, 2).repeat_interleave(2, 3))
        full = kept1 + _conv_norm_act_by_hand(net.up[1], half.repeat_interleave(2, 2).repeat_interleave(2, 3))
        full = F.pad(full, (1, 1, 1, 1), mode='reflect')
        expected = 1 / (1 + torch.exp(-F.conv2d(full, net.gate.weight, net.gate.bias)))
        torch.testing.assert_close(net(x), expected)


def test_start():
    torch.manual_seed(0)
    net = SPARNet(num_blocks=0)
    convs = torch.cat([m.weight.detach().flatten() for m in net.modules() if isinstance(m, nn.Conv2d)])
    norms = torch.cat([m.weight.detach() for m in net.modules() if isinstance(m, nn.BatchNorm2d)])
    assert convs.std() == pytest.approx(0.02, rel=0.01)
    assert norms.mean() == pytest.approx(1, abs=0.01)
    assert norms.std() == pytest.approx(0.02, rel=0.1)
    assert all(p.abs().sum() == 0 for name, p in net.named_parameters() if name.endswith('bias'))


@pytest.mark.parametrize(
    ('network', 'change'),
    [
        (SPARNet, {}),
        (SPARNet, {'scale': 4}),
        (SPARNet, {'num_feat': 8}),
        (SPARNet, {'num_blocks': 2}),
        (SPARNet, {'attention': '3d'}),
        (SPARNetLight, {}),
        (SPARNetLight, {'scale': 4}),
        (SPARNetLight, {'num_feat': 8}),
        (SPARNetLight, {'num_blocks': 2}),
    ],
)
def test_round_trip(network, change, tmp_path):
    torch.manual_seed(0)
    arguments = TINY | change
    saved = network(**arguments)
    side = 64 // arguments.get('scale', 8)
    lq = torch.rand(2, 3, side, side)
    with torch.no_grad():
        saved(lq)  # moves the running statistics, which must be saved too
        torch.save(saved.state_dict(), tmp_path / 'net.pth')
        loaded = network(**arguments)
        loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
        sr = saved.eval()(lq)
        assert torch.equal(loaded.eval()(lq), sr)
    assert sr.shape == (2, 3, 64, 64)


def test_every_argument_matters():
    net = SPARNet(num_feat=8, num_blocks=3, attention='3d')
    assert net.head.out_channels == 8
    assert len(net.body) == 3
    assert net.body[0].attention.gate.out_channels == 32


def test_unknown_attention():
    with pytest.raises(ValueError, match=r"'2d' or '3d'\. Got 'spar'"):
        SPARNet(attention='spar', **TINY)


@pytest.mark.parametrize(('scale', 'size', 'works'), [(8, (7, 16), '8, 9, 10'), (2, (33, 32), '32, 36, 40')])
def test_wrong_size(scale, size, works):
    with pytest.raises(ValueError, match=rf'SPARNet needs .*multiples of 8 and at least 64\. .*: {works}'):
        SPARNet(scale=scale, **TINY)(torch.rand(1, 3, *size))
