import numpy as np
import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.dic_arch import (
    DIC,
    _AttentiveFeedbackBlock,
    _AttentiveFusion,
    _Bottleneck,
    _FeedbackBlock,
    _Hourglass,
    _LandmarkNet,
    merge_landmarks,
)
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'num_feat': 4, 'num_groups': 2, 'num_steps': 3, 'num_landmark_feat': 8}
MEAN = torch.tensor([0.509, 0.424, 0.378]).view(1, 3, 1, 1)
GROUPS = [range(36, 42), range(42, 48), range(27, 36), range(48, 68), range(27)]


def _tiny():
    torch.manual_seed(0)
    return DIC(**TINY)


def test_registered():
    assert ARCH_REGISTRY.get('DIC') is DIC


def test_counts_of_the_released_network():
    with torch.device('meta'):  # shapes are all that is needed
        net = DIC()
    assert count_parameters(net.head) == 3 * 192 * 9 + 192 + 1
    assert count_parameters(net.first_block) == 4_090_776
    assert count_parameters(net.block) == 5_559_720
    assert count_parameters(net.block.fusion) == (48 * 240 + 240) + 14 * (240 * 48 * 9 + 240)
    assert count_parameters(net.tail) == (48 * 48 * 64 + 48 + 1) + (48 * 3 * 9 + 3)
    assert count_parameters(net.landmarks) == 11_999_172
    assert count_parameters(net) == 21_803_849


class _AllOutputs(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, lq):
        return tuple(self.net.forward_outputs(lq).values())


def test_macs():
    # traced by `forward`, the landmarks of the last step, which no image needs, would not count;
    # a quarter of the area is a quarter of the cost
    assert 4 * count_macs(_AllOutputs(DIC()), lq_size=(8, 8)).total == pytest.approx(45.3e9, rel=0.003)


@pytest.mark.parametrize('size', [(8, 8), (9, 10), (16, 8)])
def test_outputs(size):
    height, width = size
    net, lq = _tiny(), torch.rand(2, 3, *size)
    with torch.no_grad():
        outputs = net.forward_outputs(lq)
        sr = net(lq)
        assert torch.equal(net.eval()(lq), sr)
    assert list(outputs) == ['sr1', 'components1', 'sr2', 'components2', 'sr', 'components3']
    assert torch.equal(outputs['sr'], sr)
    for name, output in outputs.items():
        expected = (2, 5, 2 * height, 2 * width) if name.startswith('components') else (2, 3, 8 * height, 8 * width)
        assert output.shape == expected
        assert output.is_contiguous()
    assert -0.5 < sr.min() < sr.max() < 1.5


def test_training_reaches_every_parameter():
    torch.manual_seed(0)
    net = DIC(**TINY | {'num_feat': 8, 'num_landmark_feat': 32})  # in fewer channels, chance turns some off
    outputs = net.forward_outputs(torch.rand(2, 3, 8, 8))
    loss = sum(
        0.1 * F.mse_loss(output, torch.rand_like(output)) if name.startswith('components')
        else F.l1_loss(output, torch.rand_like(output))
        for name, output in outputs.items()
    )  # fmt: skip
    loss.backward()
    assert [name for name, parameter in net.named_parameters() if not parameter.grad.abs().sum() > 0] == []


def test_faces_of_a_batch_do_not_mix():
    net, lq = _tiny(), torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(net(lq)[1:], net(lq[1:]))


def test_mean_is_shifted_inside_and_the_enlarged_face_is_added():
    net, lq = _tiny(), torch.rand(1, 3, 8, 10)
    seen = []
    for part in (net.head, net.landmarks):
        part.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    nn.init.zeros_(net.tail[-1].weight)
    net.tail[-1].bias.data = torch.tensor([-0.1, 0.0, 0.1])
    with torch.no_grad():
        sr = net(lq)
    enlarged = F.interpolate(lq, scale_factor=8, mode='bilinear', align_corners=False)
    torch.testing.assert_close(sr, enlarged + net.tail[-1].bias.view(1, 3, 1, 1))
    torch.testing.assert_close(seen[0], lq - MEAN)
    torch.testing.assert_close(seen[1], sr - MEAN)


def test_mean_is_not_stored():
    assert not any('mean' in key for key in DIC(**TINY).state_dict())


def test_every_step_builds_on_the_one_before():
    net = _tiny()
    calls = {'first_block': [], 'block': [], 'landmarks': []}
    for name, made in calls.items():
        getattr(net, name).register_forward_hook(lambda module, *call, made=made: made.append(call))
    lq = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        outputs = net.forward_outputs(lq)
        enlarged = F.interpolate(lq, scale_factor=8, mode='bilinear', align_corners=False)
        shallow = net.head(lq - MEAN)
        features = [feature for _, feature in calls['first_block'] + calls['block']]
        for name, feature in zip(['sr1', 'sr2', 'sr'], features, strict=True):
            torch.testing.assert_close(outputs[name], enlarged + net.tail(feature))
    for step, ((x, previous, components), _) in enumerate(calls['block'], start=1):
        torch.testing.assert_close(x, shallow)
        assert previous is features[step - 1]
        assert components is outputs[f'components{step}']
    hidden = None
    for step, ((_, remembered), (heatmaps, memory)) in enumerate(calls['landmarks'], start=1):
        assert remembered is hidden
        hidden = memory
        torch.testing.assert_close(outputs[f'components{step}'], merge_landmarks(heatmaps))


def _conv_prelu(conv, prelu, x, function=F.conv2d, **arguments):
    x = function(x, conv.weight, conv.bias, **arguments)
    return torch.where(x > 0, x, prelu.weight * x)


def _densely_by_hand(block, x):
    low, high = [x], []
    for group, (up, down) in enumerate(zip(block.up, block.down, strict=True)):
        x = torch.cat(low, dim=1)
        x = _conv_prelu(block.merge_low[group - 1].conv, block.merge_low[group - 1].activation, x) if group else x
        high.append(_conv_prelu(*up, x, F.conv_transpose2d, stride=8, padding=2))
        x = torch.cat(high, dim=1)
        x = _conv_prelu(block.merge_high[group - 1].conv, block.merge_high[group - 1].activation, x) if group else x
        low.append(_conv_prelu(*down, x, stride=8, padding=2))
    return _conv_prelu(block.compress_out.conv, block.compress_out.activation, torch.cat(low[1:], dim=1))


def test_feedback_block_by_hand():
    torch.manual_seed(0)
    block, x = _FeedbackBlock(num_in=5, num_feat=4, num_groups=3), torch.randn(2, 5, 3, 4)
    with torch.no_grad():
        torch.testing.assert_close(block(x), _densely_by_hand(block, _conv_prelu(*block.compress_in, x)))


def test_attentive_feedback_block_by_hand():
    torch.manual_seed(0)
    block = _AttentiveFeedbackBlock(num_feat=4, num_groups=2)
    x, previous, components = torch.randn(1, 4, 3, 4), torch.randn(1, 4, 3, 4), torch.randn(1, 5, 3, 4)
    with torch.no_grad():
        fused = block.fusion(_conv_prelu(*block.compress_in, torch.cat([x, previous], dim=1)), components)
        torch.testing.assert_close(block(x, previous, components), _densely_by_hand(block, fused))


def test_attentive_fusion_is_five_networks_weighed_by_component():
    torch.manual_seed(0)
    fusion, x, components = _AttentiveFusion(4), torch.randn(2, 4, 3, 5), 3 * torch.randn(2, 5, 3, 5)
    expected = 0
    with torch.no_grad():
        weights = components.exp() / components.exp().sum(1, keepdim=True)
        for component in range(5):
            own = slice(4 * component, 4 * component + 4)
            widen, _, *blocks = fusion.branches
            branch = F.leaky_relu(F.conv2d(x, widen.weight[own], widen.bias[own]), 0.2)
            assert len(blocks) == 7
            for block in blocks:
                first, _, second = block.residual
                inner = F.leaky_relu(F.conv2d(branch, first.weight[own], first.bias[own], padding=1), 0.2)
                branch = branch + F.conv2d(inner, second.weight[own], second.bias[own], padding=1)
            expected = expected + branch * weights[:, component:component + 1]
        torch.testing.assert_close(fusion(x, components), expected)


def test_merge_landmarks_by_hand():
    generator = np.random.default_rng(0)
    heatmaps = generator.normal(size=(2, 68, 6, 7)).astype('float32')
    heatmaps[0, 40] = 0.01 * heatmaps[0, 40]  # a maximum below 0.05
    heatmaps[1, 3] = -1
    expected = np.zeros((2, 5, 6, 7))
    for face in range(2):
        for component, group in enumerate(GROUPS):
            for landmark in group:
                heatmap = heatmaps[face, landmark]
                expected[face, component] += heatmap / max(heatmap.max(), 0.05)
    merged = merge_landmarks(torch.from_numpy(heatmaps))
    np.testing.assert_allclose(merged, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('num_in', [4, 6])
def test_bottleneck_by_hand(num_in):
    torch.manual_seed(0)
    unit, x = _Bottleneck(num_in, 4), torch.randn(1, num_in, 5, 6)
    narrow, _, middle, widen = unit.residual
    with torch.no_grad():
        residual = F.conv2d(x, narrow.weight, narrow.bias).clamp_min(0)
        residual = F.conv2d(F.conv2d(residual, middle.weight, middle.bias, padding=1), widen.weight, widen.bias)
        shortcut = x if num_in == 4 else F.conv2d(x, unit.shortcut.weight, unit.shortcut.bias)
        torch.testing.assert_close(unit(x), shortcut + residual)


def test_hourglass_of_depth_two_by_hand():
    torch.manual_seed(0)
    net, x = _Hourglass(4, depth=2), torch.randn(1, 4, 8, 8)

    def halve(x):
        return x.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).amax((3, 5))

    def double(x):  # bilinear with the corners aligned, as two matrices
        side = x.shape[-1]
        matrix = torch.zeros(2 * side, side)
        for row, position in enumerate(np.linspace(0, side - 1, 2 * side)):
            left = min(int(position), side - 2)
            matrix[row, left], matrix[row, left + 1] = left + 1 - position, position - left
        return matrix @ x @ matrix.T

    with torch.no_grad():
        half = net.down[0](halve(x))
        quarter = net.up[0](net.middle(net.down[1](halve(half))))
        expected = net.keep[0](x) + double(net.up[1](net.keep[1](half) + double(quarter)))
        torch.testing.assert_close(net(x), expected)


def test_landmark_net_remembers():
    torch.manual_seed(0)
    net, image, memory = _LandmarkNet(8), torch.randn(1, 3, 64, 72), torch.randn(1, 8, 16, 18)
    with torch.no_grad():
        features = net.features(image)
        assert features.shape == (1, 8, 16, 18)
        for hidden, beside in ((None, features), (memory, memory)):
            both = F.conv2d(torch.cat([features, beside], dim=1), net.recall.weight, net.recall.bias)
            expected = net.hourglass(both)
            heatmaps, after = net(image, hidden)
            torch.testing.assert_close(after, expected[:, 8:])
            torch.testing.assert_close(heatmaps, net.heatmaps(expected[:, :8]))
            assert heatmaps.shape == (1, 68, 16, 18)


def test_start():
    slopes = [module.weight for module in DIC(**TINY).modules() if isinstance(module, nn.PReLU)]
    assert all(slope.shape == (1,) for slope in slopes)
    torch.testing.assert_close(torch.cat(slopes), torch.full((len(slopes),), 0.2))


@pytest.mark.parametrize(
    ('change', 'side'),
    [
        ({}, 8),
        ({'scale': 4}, 16),
        ({'scale': 16}, 4),
        ({'num_feat': 6}, 8),
        ({'num_groups': 3}, 8),
        ({'num_steps': 2}, 8),
        ({'num_landmark_feat': 16}, 8),
    ],
)
def test_round_trip(change, side, tmp_path):
    torch.manual_seed(0)
    arguments, lq = TINY | change, torch.rand(1, 3, side, side)
    saved, loaded = DIC(**arguments), DIC(**arguments)
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
    with torch.no_grad():
        sr = saved(lq)
        assert torch.equal(loaded(lq), sr)
    assert sr.shape == (1, 3, 64, 64)


def test_every_argument_matters():
    net = DIC(scale=12, num_feat=6, num_groups=3, num_steps=2, num_landmark_feat=16)
    assert net.head[0].out_channels == 6 * 3**2
    assert net.tail[0].in_channels == 6
    assert len(net.first_block.up) == len(net.block.up) == 3
    assert net.landmarks.recall.in_channels == 32
    with torch.no_grad():
        outputs = net.forward_outputs(torch.rand(1, 3, 6, 6))
    assert list(outputs) == ['sr1', 'components1', 'sr', 'components2']
    assert outputs['sr'].shape == (1, 3, 72, 72)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'scale': 2}, r'multiple of 4\. Got 2'),
        ({'scale': 6}, r'multiple of 4\. Got 6'),
        ({'num_steps': 1}, r'at least 2 steps.*Got 1'),
    ],
)
def test_wrong_argument(change, message):
    with pytest.raises(ValueError, match=message):
        DIC(**TINY | change)


@pytest.mark.parametrize(('scale', 'size', 'works'), [(8, (7, 16), '8, 9, 10'), (4, (16, 15), '16, 17, 18')])
def test_wrong_size(scale, size, works):
    with pytest.raises(ValueError, match=rf'DIC needs .*multiples of 4 and at least 64\. .*: {works}'):
        DIC(**TINY | {'scale': scale})(torch.rand(1, 3, *size))
