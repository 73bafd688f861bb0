import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.sisn_arch import SISN, _Group
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'num_feat': 8, 'num_groups': 2, 'num_blocks': 2}
MEAN = torch.tensor([0.4488, 0.4371, 0.4040])[:, None, None]


def _trained(net):
    """Give the norms statistics that differ from 0 and 1, then turn to eval mode."""
    with torch.no_grad():
        for _ in range(5):
            net(torch.randn(4, 8, 6, 6) if isinstance(net, _Group) else torch.rand(4, 3, 6, 6))
    return net.eval()


def test_registered():
    assert ARCH_REGISTRY.get('SISN') is SISN


def test_part_counts_of_the_released_network():
    net = SISN()
    groups = net.body[:-1]
    assert count_parameters(net.subtract_mean) == count_parameters(net.add_mean) == 12
    assert count_parameters(net.head) == 110_656
    assert [count_parameters(block) for group in groups for block in group.long[:-1]] == [66_752] * 100
    assert [count_parameters(group.short) for group in groups] == [66_752] * 10
    assert [count_parameters(group) for group in groups] == [771_200] * 10
    assert count_parameters(net.tail) == 3 * 147_712 + 1_731
    assert count_parameters(net) == 8_304_475


def test_macs():
    assert count_macs(SISN()).total == pytest.approx(2.2e9, abs=0.05e9)  # stated to two digits


@pytest.mark.parametrize('scale', [2, 4, 8, 16])
@pytest.mark.parametrize('size', [(4, 4), (3, 5)])
def test_output(scale, size):
    lq = torch.rand(2, 3, *size)
    net = SISN(scale, **TINY)
    for sr in (net(lq), net.eval()(lq), net.to(memory_format=torch.channels_last)(lq)):
        assert sr.shape == (2, 3, scale * size[0], scale * size[1])
        assert sr.is_contiguous()


def test_range_inside_is_0_to_255_around_the_mean():
    net = SISN(**TINY).eval()
    torch.nn.init.zeros_(net.tail[-1].weight)
    net.tail[-1].bias.data = torch.tensor([0, 127.5, 255]) - 255 * MEAN.flatten()
    seen = []
    net.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    lq = torch.rand(1, 3, 4, 6)
    with torch.no_grad():
        sr = net(lq)
    enlarged = lq.repeat_interleave(8, 2).repeat_interleave(8, 3)  # what the authors feed
    torch.testing.assert_close(seen[0], F.pixel_unshuffle(255 * (enlarged - MEAN), 8))
    torch.testing.assert_close(sr, torch.tensor([0, 0.5, 1])[:, None, None].expand_as(sr))


def _before_a_norm(name):
    return name.endswith('weigh.0.bias')  # as released; in training the norm takes it out again


@pytest.mark.parametrize('mode', ['train', 'eval'])
def test_training_reaches_every_parameter(mode):
    torch.manual_seed(0)
    net = SISN(**TINY).train(mode == 'train')
    F.l1_loss(net(torch.rand(6, 3, 4, 4)), torch.rand(6, 3, 32, 32)).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    still = [name for name, parameter in net.named_parameters()
             if parameter.grad.abs().sum() == 0 and not (mode == 'train' and _before_a_norm(name))]
    assert still == []


def _norm_by_hand(state, name, x):
    mean, var, weight, bias = (state[f'{name}.{key}'][:, None, None]
                               for key in ('running_mean', 'running_var', 'weight', 'bias'))
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def _block_by_hand(state, x):
    """One block of width 8 from its state dict, the four splits one after the other."""
    y = F.conv2d(x, state['residual.0.weight'])
    y = _norm_by_hand(state, 'residual.1', y).clamp(min=0)
    splits = []
    for n in range(4):
        weight = state['residual.3.split.0.weight'][8 * n:8 * n + 8]
        splits.append(F.conv2d(y[:, 2 * n:2 * n + 2], weight, padding=1))
    splits = _norm_by_hand(state, 'residual.3.split.1', torch.cat(splits, 1)).clamp(min=0).split(8, 1)
    pooled = sum(splits).mean((2, 3))[:, :, None, None]
    hidden = F.conv2d(pooled, state['residual.3.weigh.0.weight'], state['residual.3.weigh.0.bias'])
    hidden = _norm_by_hand(state, 'residual.3.weigh.1', hidden).clamp(min=0)
    logits = F.conv2d(hidden, state['residual.3.weigh.3.weight'], state['residual.3.weigh.3.bias'])
    powers = [logit.exp() for logit in logits.split(8, 1)]
    y = sum(split * power / sum(powers) for split, power in zip(splits, powers, strict=True))
    y = _norm_by_hand(state, 'residual.5', F.conv2d(y, state['residual.4.weight']))
    return (x + y).clamp(min=0)


def test_group_by_hand():
    torch.manual_seed(0)
    group = _trained(_Group(8, 2))
    x = torch.randn(2, 8, 5, 7)
    first, second, conv = group.long
    with torch.no_grad():
        long = _block_by_hand(second.state_dict(), _block_by_hand(first.state_dict(), x))
        long = F.conv2d(long, conv.weight, conv.bias, padding=1)
        expected = long + _block_by_hand(group.short.state_dict(), x)
        torch.testing.assert_close(group(x), expected)


def test_trunk_is_residual():
    torch.manual_seed(0)
    net = _trained(SISN(**TINY))
    lq = torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        x = net.head((255 * (lq - MEAN)).repeat_interleave(64, 1))
        for_tail = x + net.body(x)
        for up in net.tail[:3]:
            for_tail = F.pixel_shuffle(up.conv(for_tail), 2)
        expected = net.tail[3](for_tail) / 255 + MEAN
        torch.testing.assert_close(net(lq), expected)


def test_images_of_a_batch_do_not_mix_in_eval_mode():
    torch.manual_seed(0)
    net = _trained(SISN(**TINY))
    lq = torch.rand(3, 3, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(net(lq)[1:2], net(lq[1:2]))


def test_a_batch_of_one_is_for_eval_mode():
    net = SISN(**TINY)
    with pytest.raises(ValueError, match='more than 1 value per channel when training'):
        net(torch.rand(1, 3, 4, 4))
    assert net.eval()(torch.rand(1, 3, 4, 4)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize('change', [{}, {'scale': 4}, {'num_feat': 4}, {'num_groups': 1}, {'num_blocks': 1}])
def test_round_trip(change, tmp_path):
    torch.manual_seed(0)
    arguments = TINY | change
    saved = _trained(SISN(**arguments))
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded = SISN(**arguments).eval()
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
    lq = torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        assert torch.equal(loaded(lq), saved(lq))


def test_every_argument_matters():
    net = SISN(scale=4, num_feat=12, num_groups=3, num_blocks=5)
    assert len(net.body) == 3 + 1
    assert [len(group.long) for group in net.body[:-1]] == [5 + 1] * 3
    assert net.head.weight.shape == (12, 3 * 4**2, 3, 3)
    assert len(net.tail) == 2 + 1


def test_builds_on_the_meta_device():
    with torch.device('meta'):
        assert SISN(**TINY).eval()(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 128, 128)


@pytest.mark.parametrize('scale', [-2, 0, 1, 3, 6])
def test_wrong_scale(scale):
    with pytest.raises(ValueError, match=rf'SISN .*scale must be 2, 4, 8, 16, \.\.\. Got {scale}\.'):
        SISN(scale)
