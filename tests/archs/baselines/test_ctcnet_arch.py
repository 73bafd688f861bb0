import numpy as np
import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.ctcnet_arch import CTCNet
from pkdn_basicsr.archs.baselines.ctcnet_blocks import (
    EnhancementUnit,
    Hourglass,
    LocalGlobalModule,
    RefinementModule,
    StructureAttention,
    TransformerBlock,
)
from pkdn_basicsr.archs.layers import ChannelAttention
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'num_feat': 4, 'num_transformers': [1, 1, 1], 'num_refine': 1}


def _tiny():
    torch.manual_seed(0)
    return CTCNet(**TINY)


def _wake(net):
    """Give the one-channel bottlenecks of a tiny network a bias that no chance of the weights can turn off."""
    for module in net.modules():
        if isinstance(module, ChannelAttention):
            nn.init.ones_(module.bottleneck[0].bias)


def _unlike_start(module):
    """Give learned scalars, norms and slopes values that differ from one another."""
    for parameter in module.parameters():
        if parameter.ndim < 2 or parameter.shape[-2:] == (1, 1):
            nn.init.uniform_(parameter, 0.3, 0.9)
    return module.eval()


def test_registered():
    assert ARCH_REGISTRY.get('CTCNet') is CTCNet


def test_part_counts():
    assert [count_parameters(EnhancementUnit(num_feat)) for num_feat in (32, 64, 128)] == [29_994, 119_628, 477_840]
    attentions = [StructureAttention(num_feat, 64, depth) for num_feat, depth in ((32, 4), (64, 4), (128, 4), (128, 2))]
    assert [count_parameters(attention) for attention in attentions] == [448_133, 482_885, 564_869, 342_533]
    blocks = [TransformerBlock(num_feat, num_heads) for num_feat, num_heads in ((32, 1), (64, 2), (128, 4))]
    assert [count_parameters(block) for block in blocks] == [14_779, 54_070, 206_188]


def test_counts_of_the_released_network():
    with torch.device('meta'):  # shapes are all that is needed
        net = CTCNet()
    levels = [2 * 29_994 + 448_133 + 4 * 14_779, 2 * 119_628 + 482_885 + 6 * 54_070, 2_757_677]
    assert [count_parameters(level) for level in (net.enc1, net.enc2, net.enc3)] == levels
    assert [count_parameters(level) for level in (net.dec1, net.dec2, net.dec3)] == levels
    mixing = (256 * 128 + 128) + 256 * 128 + (128 * 128 + 128) + 2
    assert [count_parameters(module) for module in net.refine] == [4 * 477_840 + 342_533 + mixing] * 4
    assert [count_parameters(down) for down in (net.down1, net.down2, net.down3)] == [55_296, 221_184, 294_912]
    assert [count_parameters(up) for up in (net.up3, net.up2, net.up1)] == [737_280, 331_776, 82_944]
    assert count_parameters(net) == 22_407_699


def test_macs():
    # 29.41 G are published for convolutions; halving enc1 once instead of twice saves 0.04 G
    sizes = [(32, 1, 128, 4), (64, 2, 64, 6), (128, 4, 32, 6)]
    products = sum(2 * 2 * num * num_feat**2 // heads * side**2 for num_feat, heads, side, num in sizes)
    assert count_macs(CTCNet()).total - products == pytest.approx(29.4e9, rel=0.004)


@pytest.mark.parametrize('size', [(9, 9), (10, 12), (16, 16)])
def test_output(size):
    with torch.no_grad():
        sr = _tiny().eval()(torch.rand(2, 3, *size))
    assert sr.shape == (2, 3, 8 * size[0], 8 * size[1])
    assert sr.is_contiguous()
    assert -0.5 < sr.min() < sr.max() < 1.5


def test_range_inside_is_minus_one_to_one_and_the_enlarged_face_is_added():
    net, lq = _tiny().eval(), torch.rand(1, 3, 9, 10)
    seen = []
    net.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    nn.init.zeros_(net.tail.weight)
    net.tail.bias.data = torch.tensor([-1.0, 0.0, 1.0])
    with torch.no_grad():
        sr = net(lq)
    enlarged = F.interpolate(lq, scale_factor=8, mode='bicubic', antialias=True)
    torch.testing.assert_close(seen[0], 2 * enlarged - 1)
    torch.testing.assert_close(sr, enlarged + torch.tensor([-0.5, 0, 0.5]).view(1, 3, 1, 1))


def test_training_reaches_every_parameter():
    net = _tiny()
    _wake(net)
    F.l1_loss(net(torch.rand(2, 3, 9, 9)), torch.rand(2, 3, 72, 72)).backward()
    assert [name for name, parameter in net.named_parameters() if not parameter.grad.abs().sum() > 0] == []


def test_faces_of_a_batch_do_not_mix():
    net, lq = _tiny().eval(), torch.rand(2, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(net(lq)[1:], net(lq[1:]))


def test_decoder_sees_every_level_of_the_encoder():
    net = _tiny().eval()
    seen = {}
    for name in ('enc1', 'enc2', 'enc3', 'up3', 'up2', 'up1'):
        getattr(net, name).register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: output}))
    for name in ('fuse3', 'fuse2', 'fuse1'):
        getattr(net, name).register_forward_pre_hook(lambda module, inputs, name=name: seen.update({name: inputs[0]}))

    def halve(conv, x):
        return F.conv2d(x, conv.weight, conv.bias, stride=2, padding=1)

    def double(conv, x, padding):
        return F.conv_transpose2d(x, conv.weight, conv.bias, stride=2, padding=padding)

    with torch.no_grad():
        net(torch.rand(1, 3, 9, 10))
        enc1, enc2, enc3 = seen['enc1'], seen['enc2'], seen['enc3']
        expected = {
            'fuse3': [seen['up3'], enc3, halve(net.halve2, enc2), halve(net.halve1, halve(net.halve1, enc1))],
            'fuse2': [seen['up2'], enc2, halve(net.halve1, enc1), double(net.double3, enc3, 3)],
            'fuse1': [seen['up1'], enc1, double(net.double2, enc2, 3),
                      double(net.double3_twice, double(net.double3_twice, enc3, 2), 2)],
        }  # fmt: skip
    for name, parts in expected.items():
        torch.testing.assert_close(seen[name], torch.cat(parts, dim=1))


def _attend_channels(attention, x):
    squeeze, _, excite = attention.bottleneck
    hidden = F.conv2d(x.mean((2, 3), keepdim=True), squeeze.weight, squeeze.bias).clamp_min(0)
    return x * torch.sigmoid(F.conv2d(hidden, excite.weight, excite.bias))


def _scaled_residual(unit, x):
    narrow, slope, widen = unit.residual
    inner = F.conv2d(x, narrow.weight, narrow.bias, padding=1)
    inner = torch.where(inner > 0, inner, slope.weight.view(1, -1, 1, 1) * inner)
    return unit.scales[0] * x + unit.scales[1] * F.conv2d(inner, widen.weight, widen.bias, padding=1)


def test_enhancement_unit_by_hand():
    torch.manual_seed(0)
    unit, x = _unlike_start(EnhancementUnit(6)), torch.randn(2, 6, 5, 7)
    with torch.no_grad():
        first = _scaled_residual(unit.first, x)
        second = _scaled_residual(unit.second, first)
        fused = torch.cat([unit.scales[0] * second, unit.scales[1] * first], dim=1)
        fused = _attend_channels(unit.fuse[2], F.conv2d(fused, unit.fuse[0].weight).clamp_min(0))
        fused = F.conv2d(fused, unit.fuse[3].weight, padding=1).clamp_min(0)
        torch.testing.assert_close(unit(x), unit.scales[2] * x + unit.scales[3] * fused)


def _conv_norm_act_by_hand(layers, x):
    conv, norm, slope = layers
    x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode='reflect'), conv.weight, stride=conv.stride)
    mean, var = (value[:, None, None] for value in (norm.running_mean, norm.running_var))
    x = (x - mean) / (var + norm.eps).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
    return torch.where(x > 0, x, slope.weight[:, None, None] * x)


def _twice_as_large(x):
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.mark.parametrize('num_feat', [3, 4])
def test_structure_attention_of_depth_two_by_hand(num_feat):
    torch.manual_seed(0)
    attention = StructureAttention(num_feat, num_inner=4, depth=2)
    attention(torch.randn(4, num_feat, 8, 8))  # gives the norms statistics that differ from 0 and 1
    _unlike_start(attention)
    net, x = attention.hourglass, torch.randn(1, num_feat, 8, 8)
    with torch.no_grad():
        half = _conv_norm_act_by_hand(net.down[0], x)
        quarter = _conv_norm_act_by_hand(net.middle, _conv_norm_act_by_hand(net.down[1], half))
        half = _conv_norm_act_by_hand(net.keep[1], half) + _conv_norm_act_by_hand(net.up[0], _twice_as_large(quarter))
        full = _conv_norm_act_by_hand(net.keep[0], x) + _conv_norm_act_by_hand(net.up[1], _twice_as_large(half))
        projected = F.conv2d(x, attention.project.weight, attention.project.bias) if num_feat == 3 else x
        structure = F.pad(_attend_channels(attention.attention, full) + projected, (1, 1, 1, 1), mode='reflect')
        gate = 1 / (1 + torch.exp(-F.conv2d(structure, attention.gate.weight, attention.gate.bias)))
        assert gate.shape == (1, 1, 8, 8)
        torch.testing.assert_close(attention(x), gate * x)


def _normed(norm, x):
    mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
    return (x - mean) / (var + norm.eps).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]


def test_transformer_block_by_hand():
    torch.manual_seed(0)
    block, x = _unlike_start(TransformerBlock(8, num_heads=2)).double(), torch.randn(1, 8, 4, 5).double()
    (norm1, attention), (norm2, feed_forward) = block.attention, block.feed_forward

    def pointwise_depthwise(layers, x):
        return F.conv2d(F.conv2d(x, layers[0].weight), layers[1].weight, padding=1, groups=layers[1].weight.shape[0])

    with torch.no_grad():
        query, key, value = pointwise_depthwise(attention.to_qkv, _normed(norm1.norm, x))[0].view(3, 2, 4, 20).numpy()
        attended = np.empty((2, 4, 20))
        for head in range(2):
            for channel in range(4):
                q = query[head, channel] / np.linalg.norm(query[head, channel])
                logits = [q @ k / np.linalg.norm(k) * attention.temperature[head].item() for k in key[head]]
                weights = np.exp(logits) / np.exp(logits).sum()
                attended[head, channel] = sum(weight * v for weight, v in zip(weights, value[head], strict=True))
        expected = x + F.conv2d(torch.from_numpy(attended).view(1, 8, 4, 5), attention.merge.weight)
        wide = pointwise_depthwise(feed_forward.widen, _normed(norm2.norm, expected))
        assert wide.shape[1] == 2 * 21  # 2.66 * 8, rounded down
        hidden = wide[:, :21] * (1 + torch.erf(wide[:, :21] / 2**0.5)) / 2 * wide[:, 21:]
        expected = expected + F.conv2d(hidden, feed_forward.merge.weight)
        torch.testing.assert_close(block(x), expected)


def test_local_global_module_in_a_row():
    torch.manual_seed(0)
    module, x = LocalGlobalModule(4, 8, num_heads=2, num_transformers=2).eval(), torch.randn(1, 4, 32, 32)
    kinds = [EnhancementUnit, StructureAttention, EnhancementUnit, TransformerBlock, TransformerBlock]
    assert [type(part) for part in module.residual] == kinds
    expected = x
    with torch.no_grad():
        for part in module.residual:
            expected = part(expected)
        torch.testing.assert_close(module(x), x + expected)


def test_refinement_module_by_hand():
    torch.manual_seed(0)
    module, x = _unlike_start(RefinementModule(4, 8)), torch.randn(1, 4, 8, 8)

    def enlarge(low):  # bilinear with the corners aligned, as two matrices
        matrix = torch.zeros(8, 4)
        for row, position in enumerate(np.linspace(0, 3, 8)):
            left = min(int(position), 2)
            matrix[row, left], matrix[row, left + 1] = left + 1 - position, position - left
        return matrix @ low @ matrix.T

    def conv1(conv, *parts):
        return F.conv2d(torch.cat(parts, dim=1), conv.weight, conv.bias)

    with torch.no_grad():
        whole = module.whole(module.attend(x))
        low = whole.view(1, 4, 4, 2, 4, 2).mean((3, 5))
        high = module.high(whole - enlarge(low))
        low = module.low(low)
        a, b = module.scales
        high = module.high(conv1(module.mix, a * enlarge(low), b * high))
        fused = conv1(module.fuse[0], a * enlarge(module.low(low)), b * high).clamp_min(0)
        expected = x + module.whole(fused + whole * conv1(module.self_gate, whole))
        torch.testing.assert_close(module(x), expected)


def test_learned_scalars_start_as_published():
    net = _tiny()
    scalars = {name: parameter for name, parameter in net.named_parameters() if name.endswith('scales')}
    assert len(scalars) == 3 * (6 * 2 + 4) + 1  # an enhancement unit holds three
    for name, parameter in scalars.items():
        assert (parameter == (0.5 if name == 'refine.0.scales' else 1)).all()


@pytest.mark.parametrize(
    ('change', 'side'),
    [({}, 9), ({'scale': 4}, 18), ({'num_feat': 6}, 9), ({'num_transformers': [2, 1, 1]}, 9), ({'num_refine': 2}, 9)],
)
def test_round_trip(change, side, tmp_path):
    torch.manual_seed(0)
    arguments, lq = TINY | change, torch.rand(2, 3, side, side)
    saved = CTCNet(**arguments)
    with torch.no_grad():
        saved(lq)  # moves the running statistics, which must be saved too
        torch.save(saved.state_dict(), tmp_path / 'net.pth')
        loaded = CTCNet(**arguments)
        loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
        sr = saved.eval()(lq)
        assert torch.equal(loaded.eval()(lq), sr)
    assert sr.shape == (2, 3, 72, 72)


def test_every_argument_matters():
    net = CTCNet(num_feat=6, num_transformers=[1, 2, 3], num_refine=2)
    assert net.head.out_channels == 6
    assert [len(level.residual) - 3 for level in (net.enc1, net.enc2, net.enc3)] == [1, 2, 3]
    assert [len(level.residual) - 3 for level in (net.dec1, net.dec2, net.dec3)] == [1, 2, 3]
    heads = [level.residual[3].attention[1].num_heads for level in (net.enc1, net.enc2, net.enc3)]
    assert heads == [1, 2, 4]
    assert len(net.refine) == 2
    hourglasses = [module for module in net.modules() if isinstance(module, Hourglass)]
    assert {hourglass.middle[0].out_channels for hourglass in hourglasses} == {12}


@pytest.mark.parametrize('num_transformers', [[4, 6], [4, 6, 6, 6], 4])
def test_wrong_number_of_levels(num_transformers):
    with pytest.raises(ValueError, match=r'num_transformers for 3 levels.*Got (\[4, 6|4\.)'):
        CTCNet(**TINY | {'num_transformers': num_transformers})


@pytest.mark.parametrize(('scale', 'size', 'works'), [(8, (8, 16), '9, 10, 11'), (2, (37, 36), '36, 40, 44')])
def test_wrong_size(scale, size, works):
    with pytest.raises(ValueError, match=rf'CTCNet needs .*multiples of 8 and at least 72\. .*: {works}'):
        CTCNet(scale=scale, **TINY)(torch.rand(1, 3, *size))
