import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.archs.baselines.vdsr_arch import VDSR
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'scale': 4, 'num_feat': 4, 'num_layers': 3}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return VDSR(**TINY)


def test_registered():
    assert ARCH_REGISTRY.get('VDSR') is VDSR


def test_parameters():
    convolutions = [module for module in VDSR().modules() if isinstance(module, nn.Conv2d)]
    assert [count_parameters(layer) for layer in convolutions] == [1_792] + 18 * [36_928] + [1_731]
    assert count_parameters(VDSR()) == 668_227


def test_macs():
    macs = count_macs(VDSR())
    assert macs.total == pytest.approx(10.9e9, rel=0.005)
    assert macs.skipped == {'aten::_upsample_bicubic2d_aa': 1, 'aten::add': 1}  # no convolution is left out


def test_it_is_a_row_of_convolutions_added_to_the_bicubic_enlargement(net):
    lq = torch.rand(2, 3, 4, 6)
    enlarged = x = Bicubic(scale=4)(lq)
    weights = list(net.state_dict().values())
    assert len(weights) == 6
    for index in range(0, 6, 2):
        x = F.conv2d(F.pad(x, (1, 1, 1, 1)), weights[index], weights[index + 1])
        if index < 4:
            x = x.clamp(min=0)
    torch.testing.assert_close(net(lq), enlarged + x)


def test_an_empty_residual_leaves_the_bicubic_enlargement(net):
    nn.init.zeros_(net.residual[-1].weight)
    lq = torch.rand(1, 3, 4, 4)
    assert torch.equal(net(lq), Bicubic(scale=4)(lq))


def test_the_signal_neither_dies_nor_grows_on_its_way():
    torch.manual_seed(0)
    net = VDSR()
    assert all(not layer.bias.any() for layer in net.residual[::2])
    sizes = []
    for layer in net.residual[2::2]:
        layer.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].square().mean()))
    with torch.no_grad():
        net(torch.rand(1, 3, 4, 4))
    assert len(sizes) == 19
    assert 0.1 < sizes[-1] / sizes[0] < 10


@pytest.mark.parametrize('size', [(4, 6), (5, 3), (1, 1)])
def test_any_size_works(net, size):
    sr = net(torch.rand(2, 3, *size))
    assert sr.shape == (2, 3, 4 * size[0], 4 * size[1])
    assert sr.is_contiguous()


def test_images_of_a_batch_do_not_meet_and_the_mode_does_not_matter(net):
    lq = torch.rand(2, 3, 4, 6)
    torch.testing.assert_close(net(lq)[1:], net(lq[1:]))
    assert torch.equal(net.train()(lq), net.eval()(lq))


def test_training_reaches_every_parameter(net):
    F.mse_loss(net(torch.rand(2, 3, 4, 4)), torch.rand(2, 3, 16, 16)).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


@pytest.mark.parametrize('change', [{}, {'scale': 2}, {'num_feat': 5}, {'num_layers': 2}])
def test_round_trip(change, tmp_path):
    arguments = {**TINY, **change}
    torch.manual_seed(0)
    saved = VDSR(**arguments)
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded = VDSR(**arguments)
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True))
    lq = torch.rand(1, 3, 4, 4)
    assert torch.equal(loaded(lq), saved(lq))
    assert saved(lq).shape[-1] == 4 * arguments['scale']


def test_every_argument_matters():
    convolutions = VDSR(num_feat=5, num_layers=4).residual[::2]
    assert [layer.weight.shape[:2] for layer in convolutions] == [(5, 3), (5, 5), (5, 5), (3, 5)]


def test_wrong_depth():
    with pytest.raises(ValueError, match='at least 2 num_layers.*Got 1'):
        VDSR(num_layers=1)
