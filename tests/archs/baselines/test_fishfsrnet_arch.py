import numpy as np
import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.fish_parsing_net_arch import FishParsingNet
from pkdn_basicsr.archs.baselines.fishfsrnet_arch import (
    FishFSRNet,
    _ChannelGate,
    _MultiScaleRefine,
    _ParsingFusion,
    _PixelGate,
)
from pkdn_basicsr.report.complexity import count_macs, count_parameters


def _awake(net):
    """Give the narrow bottlenecks of a tiny network a bias that no chance of the weights can turn off."""
    for module in net.modules():
        if isinstance(module, (_ChannelGate, _PixelGate)):
            torch.nn.init.ones_(module.bottleneck[0].bias)
    return net


@pytest.fixture
def net():
    torch.manual_seed(0)
    return _awake(FishFSRNet(num_feat=4))


def _enlarged(x, times):
    return x.repeat_interleave(times, 2).repeat_interleave(times, 3)


def test_registered():
    assert ARCH_REGISTRY.get('FishFSRNet') is FishFSRNet


def test_part_counts():
    net = FishFSRNet()
    up, down, conv, fusion = 147_712, 147_520, 36_928, 221_584
    assert [count_parameters(net.first), count_parameters(net.last)] == [1_792, 1_731]
    assert [count_parameters(block) for block in net.tail[0].fusions] == [fusion] * 2
    assert [count_parameters(step) for step in net.tail] == [up + 2 * fusion] * 3
    assert [count_parameters(step) for step in net.body] == [down + 2 * fusion] * 3
    assert [count_parameters(step) for step in net.head] == [conv + up + 2 * fusion, up + 2 * fusion, up + fusion]
    assert [count_parameters(refine) for refine in net.refine_by_tail] == [457_616, 494_544, 568_400]
    assert [count_parameters(refine) for refine in net.refine_by_body] == [568_400, 494_544, 457_616]
    assert count_parameters(net) == 8_177_331


def test_macs():
    net = FishFSRNet()
    fish = count_macs(net).total - count_macs(net.parsing_net).total  # stated without the parsing network
    assert fish == pytest.approx(36.28e9, rel=5e-4)


@pytest.mark.parametrize('scale', [2, 4, 8, 16])
def test_output(scale):
    net = FishFSRNet(scale, num_feat=4)
    lq = torch.rand(2, 3, 3, 5)
    with torch.no_grad():
        sr = net(lq)
        assert sr.shape == (2, 3, scale * 3, scale * 5)
        assert sr.is_contiguous()
        assert torch.equal(net.eval()(lq), sr)
        torch.testing.assert_close(net(lq[1:]), sr[1:])


def test_training_reaches_every_parameter_but_the_parsing_network(net):
    F.l1_loss(net(torch.rand(2, 3, 4, 4)), torch.rand(2, 3, 32, 32)).backward()
    assert not any(parameter.requires_grad for parameter in net.parsing_net.parameters())
    without = {name for name, parameter in net.named_parameters() if parameter.grad is None}
    assert without == {f'parsing_net.{name}' for name, _ in net.parsing_net.named_parameters()}
    still = [name for name, parameter in net.named_parameters()
             if name not in without and parameter.grad.abs().sum() == 0]
    assert still == []


def test_no_gradient_goes_through_the_parsing_network(net):
    seen = []
    net.parsing_net.register_forward_hook(lambda module, inputs, output: seen.append(output))
    net(torch.rand(1, 3, 4, 4, requires_grad=True))
    assert not seen[0].requires_grad


def test_result_depends_on_the_parsing_picture(net):
    lq = torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        before = net(lq)
        net.parsing_net.tail.bias += 1
        assert not torch.allclose(net(lq), before)


def _conv(module, x, stride=1):
    return F.conv2d(x, module.weight, module.bias, stride, padding=module.weight.shape[-1] // 2)


def _channel_gate_by_hand(gate, x):
    narrow, _, wide = gate.bottleneck
    values = x.numpy().reshape(*x.shape[:2], -1)
    logits = 0
    for pooled in (values.mean(-1), values.max(-1), values.var(-1)):
        vector = torch.from_numpy(np.float32(pooled))[:, :, None, None]
        logits = logits + _conv(wide, _conv(narrow, vector).clamp(min=0))
    return x / (1 + torch.exp(-logits))


@torch.no_grad()
def test_fusion_by_hand():
    torch.manual_seed(0)
    fusion = _ParsingFusion(8)
    x, parsing = torch.randn(2, 8, 5, 6), torch.rand(2, 3, 5, 6)
    refined = _conv(fusion.refine[2], _conv(fusion.refine[0], x).clamp(min=0))
    hidden = _conv(fusion.pixel_gate.bottleneck[0], refined).clamp(min=0)
    assert hidden.shape[1] == 16
    by_pixel = refined / (1 + torch.exp(-_conv(fusion.pixel_gate.bottleneck[2], hidden)))
    by_channel = _channel_gate_by_hand(fusion.channel_gate, refined)
    refined = _conv(fusion.join_gates, torch.cat([by_pixel, by_channel], 1))
    embedded = [_conv(fusion.embed_feature[0], x).clamp(min=0), _conv(fusion.embed_parsing[0], parsing).clamp(min=0)]
    prior = _conv(fusion.join_parsing, torch.cat(embedded, 1))
    expected = x + _conv(fusion.join, torch.cat([prior, refined], 1))
    torch.testing.assert_close(fusion(x, parsing), expected)


@torch.no_grad()
@pytest.mark.parametrize('level', [0, 1, 2])
def test_refine_by_hand(level):
    torch.manual_seed(0)
    refine = _MultiScaleRefine(8, 3, level)
    pyramid = [torch.randn(2, 8, 3 * 2**n, 2 * 2**n) for n in range(3)]
    x = torch.randn_like(pyramid[level])
    refined = []
    for other, feature in enumerate(pyramid):
        if other < level:
            feature = _enlarged(feature, 2 ** (level - other))
        if other > level:
            feature = _conv(refine.bring[other][0], feature, stride=2)
        if other > level + 1:
            feature = _conv(refine.bring[other][2], feature.clamp(min=0), stride=2)
        y = x - feature
        for block in refine.refine[other]:
            y = y + _conv(block.conv2, _conv(block.conv1, y).clamp(min=0))
        refined.append(x + y)
    joined = _conv(refine.join[0], torch.cat(refined, 1))
    torch.testing.assert_close(refine(x, pyramid), x + _channel_gate_by_hand(refine.join[1], joined))


@torch.no_grad()
def test_path_of_the_released_network_step_by_step(net):
    lq = torch.rand(2, 3, 2, 3)
    p1 = net.parsing_net(lq)
    p2, p4, p8 = (_enlarged(p1, times) for times in (2, 4, 8))

    def up(step, x):
        return F.pixel_shuffle(_conv(step.resample.conv, x), 2)

    def down(step, x):
        return _conv(step.resample.conv, F.pixel_unshuffle(x, 2))

    def fuse(step, x, parsing):
        first, second = step.fusions
        return second(first(x, parsing), parsing)

    x1 = up(net.tail[0], _conv(net.first, lq))
    x2 = up(net.tail[1], fuse(net.tail[0], x1, p2))
    x3 = up(net.tail[2], fuse(net.tail[1], x2, p4))
    x = net.refine_by_tail[0](fuse(net.tail[2], x3, p8), [x1, x2, x3])
    x4 = down(net.body[0], x)
    x = net.refine_by_tail[1](fuse(net.body[0], x4, p4), [x1, x2, x3])
    x5 = down(net.body[1], x)
    x = net.refine_by_tail[2](fuse(net.body[1], x5, p2), [x1, x2, x3])
    x6 = down(net.body[2], x)
    x = net.refine_by_body[0](fuse(net.body[2], x6, p1), [x6, x5, x4])
    turn, first_up = net.head[0].resample
    x = F.pixel_shuffle(_conv(first_up.conv, _conv(turn, x)), 2)
    x = net.refine_by_body[1](fuse(net.head[0], x, p2), [x6, x5, x4])
    x = net.refine_by_body[2](fuse(net.head[1], up(net.head[1], x), p4), [x6, x5, x4])
    (twice,) = net.head[2].fusions
    x = twice(twice(up(net.head[2], x), p8), p8)
    torch.testing.assert_close(net(lq), _conv(net.last, x))


@pytest.mark.parametrize('change', [{}, {'scale': 4}, {'num_feat': 6}])
def test_round_trip_needs_no_file_of_the_parsing_network(change, tmp_path):
    arguments = {'num_feat': 4} | change
    file = tmp_path / 'parsing.pth'
    torch.save({'params': FishParsingNet(arguments['num_feat']).state_dict()}, file)
    saved = FishFSRNet(**arguments, parsing_net=str(file))
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded = FishFSRNet(**arguments)
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
    lq = torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        assert torch.equal(loaded(lq), saved(lq))


def test_parsing_network_is_loaded_and_stays_frozen(tmp_path):
    trained = FishParsingNet(num_feat=4)
    torch.save({'params': trained.state_dict()}, tmp_path / 'parsing.pth')
    net = FishFSRNet(num_feat=4, parsing_net=str(tmp_path / 'parsing.pth'))
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in net.parsing_net.state_dict().items())
    assert not any(parameter.requires_grad for parameter in net.train().parsing_net.parameters())


def test_every_argument_matters():
    net = FishFSRNet(scale=4, num_feat=6)
    assert net.first.out_channels == net.parsing_net.head.out_channels == 6
    parts = (net.tail, net.refine_by_tail, net.body, net.refine_by_body, net.head)
    assert [len(part) for part in parts] == [2] * 5


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_missing_parsing_network(device, tmp_path, usage_error):
    path = tmp_path / 'none.pth'
    with torch.device(device), usage_error('parsing_net', path, 'options/baselines/fish_parsing_net.yml'):
        FishFSRNet(num_feat=4, parsing_net=str(path))


def test_builds_on_the_meta_device(tmp_path):
    path = tmp_path / 'parsing.pth'
    torch.save({'params': FishParsingNet(num_feat=4).state_dict()}, path)
    with torch.device('meta'):
        net = FishFSRNet(num_feat=4, parsing_net=str(path))
        assert net(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 128, 128)
    assert all(parameter.is_meta for parameter in net.parameters())


@pytest.mark.parametrize('scale', [-2, 0, 1, 3, 6])
def test_wrong_scale(scale):
    with pytest.raises(ValueError, match=rf'FishFSRNet .*scale must be 2, 4, 8, 16, \.\.\. Got {scale}\.'):
        FishFSRNet(scale)
