import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.archs.baselines.fsrnet_arch import FSRNet
from pkdn_basicsr.models.prior import takes_parsing
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'scale': 4, 'num_classes': 5, 'num_feat': 4, 'num_blocks': 1, 'num_hourglasses': 1}


def _net(**changes):
    """A network whose norms have seen something, so that they do not pass their input unchanged."""
    torch.manual_seed(0)
    net = FSRNet(**{**TINY, **changes})
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return net


@pytest.fixture
def net():
    return _net().eval()


def test_registered():
    assert ARCH_REGISTRY.get('FSRNet') is FSRNet


@pytest.mark.parametrize(('num_classes', 'total'), [(11, 3_263_691), (81, 3_272_721)])
def test_parameters(num_classes, total):
    net = FSRNet(num_classes=num_classes)
    assert count_parameters(net) == total
    parts = {'coarse': 225_536, 'encoder': 926_528, 'prior': 1_738_816, 'decoder': 371_392}
    assert {name: count_parameters(getattr(net, name)) for name in parts} == parts
    if num_classes == 11:
        assert count_parameters(net.prior_head) == 1_419


def test_macs():
    macs = count_macs(FSRNet())
    assert macs.total == pytest.approx(15.3e9, rel=0.005)
    assert not any('conv' in name or 'mm' in name for name in macs.skipped)


def test_outputs(net):
    outputs = net.forward_outputs(torch.rand(2, 3, 4, 8))
    assert {name: output.shape for name, output in outputs.items()} == {
        'coarse': (2, 3, 16, 32), 'prior': (2, 5, 8, 16), 'sr': (2, 3, 16, 32)}
    assert all(output.is_contiguous() for output in outputs.values())
    for name in ('coarse', 'sr'):
        assert 0 <= outputs[name].min() < outputs[name].max() <= 1


def test_forward_is_its_result(net):
    lq = torch.rand(1, 3, 4, 8)
    assert torch.equal(net(lq), net.forward_outputs(lq)['sr'])


class _Weights:
    """Takes the tensors of a state dict in the order in which they were made."""

    def __init__(self, net):
        self.state = {name: value for name, value in net.state_dict().items() if not name.endswith('tracked')}
        self.names = list(self.state)

    def take(self, count):
        taken, self.names = self.names[:count], self.names[count:]
        return [self.state[name] for name in taken]

    def norm(self, x):
        weight, bias, mean, var = (tensor[:, None, None] for tensor in self.take(4))
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def residual(self, x):
        first, = self.take(1)
        y = self.norm(F.conv2d(F.pad(x, (1, 1, 1, 1), 'reflect'), first)).clamp(min=0)
        second, = self.take(1)
        return x + self.norm(F.conv2d(F.pad(y, (1, 1, 1, 1), 'reflect'), second))

    def bottleneck(self, x, widens=False):
        shortcut = F.conv2d(x, *self.take(2)) if widens else x
        y = F.conv2d(self.norm(x).clamp(min=0), *self.take(2))
        y = F.conv2d(self.norm(y).clamp(min=0), *self.take(2), padding=1)
        return shortcut + F.conv2d(self.norm(y).clamp(min=0), *self.take(2))

    def hourglass(self, x, depth):
        skip = self.bottleneck(x)
        y = self.bottleneck(F.max_pool2d(x, 2))
        y = self.hourglass(y, depth - 1) if depth > 1 else self.bottleneck(y)
        return skip + self.bottleneck(y).repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_it_is_the_published_network(net):
    lq = torch.rand(2, 3, 4, 8, requires_grad=True)
    made = _Weights(net)
    x = 2 * Bicubic(scale=4)(lq) - 1
    x = made.norm(F.conv2d(x, *made.take(1), padding=1)).clamp(min=0)
    for _ in range(3):
        x = made.residual(x)
    coarse = F.conv2d(x, *made.take(1), padding=1).tanh()
    x = made.norm(F.conv2d(coarse, *made.take(1), stride=2, padding=1)).clamp(min=0)
    x = made.residual(x)
    features = F.conv2d(x, *made.take(1), padding=1).tanh()
    x = made.norm(F.conv2d(coarse, *made.take(1), stride=2, padding=3)).clamp(min=0)
    x = made.bottleneck(x, widens=True)
    for _ in range(2):
        x = made.residual(x)
    seen = made.hourglass(x, depth=3)
    prior = F.conv2d(seen, *made.take(2))
    x = made.norm(F.conv2d(torch.cat([features, seen], 1), *made.take(1), padding=1)).clamp(min=0)
    x = F.conv_transpose2d(x, *made.take(1), stride=2, padding=1, output_padding=1)
    x = made.norm(x).clamp(min=0)
    for _ in range(3):
        x = made.residual(x)
    sr = F.conv2d(x, *made.take(1), padding=1).tanh()
    assert not made.names

    outputs = net.forward_outputs(lq)
    torch.testing.assert_close(outputs['coarse'], (coarse + 1) / 2)
    torch.testing.assert_close(outputs['prior'], prior, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(outputs['sr'], (sr + 1) / 2)
    expected, = torch.autograd.grad((sr / 2).sum(), lq)  # trained end to end: nothing is detached
    found, = torch.autograd.grad(outputs['sr'].sum(), lq)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_training_reaches_every_parameter(net):
    # in eval mode, since a norm in training mode takes out the bias before it
    outputs = net.forward_outputs(torch.rand(2, 3, 8, 8))
    sum(F.mse_loss(output, torch.rand_like(output)) for output in outputs.values()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_the_prior_reaches_the_result_by_its_features_not_by_its_map(net):
    F.mse_loss(net(torch.rand(2, 3, 8, 8)), torch.rand(2, 3, 32, 32)).backward()
    assert all(parameter.grad is None for parameter in net.prior_head.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.prior.parameters())


def test_images_of_a_batch_do_not_meet_in_eval_mode(net):
    lq = torch.rand(2, 3, 4, 8)
    torch.testing.assert_close(net(lq)[1:], net(lq[1:]))
    assert not torch.allclose(net.train()(lq), net.eval()(lq), atol=1e-3)  # by BatchNorm


def test_it_is_not_taken_for_a_teacher(net):
    assert not takes_parsing(net)
    assert not hasattr(net, 'num_classes')  # by which the check before a run knows who is given a map


@pytest.mark.parametrize('change', [{}, {'scale': 8}, {'num_classes': 3}, {'num_feat': 6}, {'num_blocks': 2},
                                    {'num_hourglasses': 2}])
def test_round_trip(change, tmp_path):
    arguments = {**TINY, **change}
    saved = _net(**change).eval()
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded = FSRNet(**arguments).eval()
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True))
    lq = torch.rand(1, 3, 4, 4)
    outputs = saved.forward_outputs(lq)
    assert all(torch.equal(output, outputs[name]) for name, output in loaded.forward_outputs(lq).items())
    assert outputs['sr'].shape[-1] == 4 * arguments['scale']
    assert outputs['prior'].shape[1] == arguments['num_classes']


def test_every_argument_matters():
    plain = count_parameters(FSRNet(**TINY))
    block, hourglass = 2 * (9 * 4 * 4 + 2 * 4), 10 * (16 + 36 + 8 + 4 * 4 * 9 + 4 + 8 + 40)
    assert count_parameters(FSRNet(**{**TINY, 'num_blocks': 3})) == plain + 2 * block
    assert count_parameters(FSRNet(**{**TINY, 'num_hourglasses': 2})) == plain + hourglass
    assert FSRNet(**{**TINY, 'num_feat': 6}).coarse[0].out_channels == 6


@pytest.mark.parametrize('size', [(4, 6), (5, 4)])
def test_wrong_size(net, size):
    with pytest.raises(ValueError, match='FSRNet needs .* multiples of 16 .*: 4, 8, 12'):
        net(torch.rand(1, 3, *size))
