import numpy as np
import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from PIL import Image
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.srcnn_arch import SRCNN
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'scale': 4, 'num_feat': 4, 'num_mapped': 3}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return SRCNN(**TINY)


def test_registered():
    assert ARCH_REGISTRY.get('SRCNN') is SRCNN


@pytest.mark.parametrize(('kernel_sizes', 'count'), [((9, 1, 5), 20_099), ((9, 5, 5), 69_251)])
def test_parameters(kernel_sizes, count):
    assert count_parameters(SRCNN(kernel_sizes=kernel_sizes)) == count


@pytest.mark.parametrize(('kernel_sizes', 'stated'), [((9, 1, 5), 0.33e9), ((9, 5, 5), 1.13e9)])
def test_macs(kernel_sizes, stated):
    macs = count_macs(SRCNN(kernel_sizes=kernel_sizes))
    assert macs.total == pytest.approx(stated, rel=0.01)
    assert macs.skipped == {'aten::_upsample_bicubic2d_aa': 1}  # no convolution is left out


def _patch_by_patch(picture, weight, bias):
    """A convolution on a picture `(C, H, W)` whose sides are padded with zeros, in plain loops."""
    num_out, _, side, _ = weight.shape
    padded = np.pad(picture, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
    result = np.empty((num_out, *picture.shape[1:]))
    for y in range(picture.shape[1]):
        for x in range(picture.shape[2]):
            patch = padded[:, y:y + side, x:x + side]
            result[:, y, x] = (weight * patch).sum((1, 2, 3)) + bias
    return result


def test_it_is_three_convolutions_of_the_bicubic_enlargement(net):
    lq = torch.rand(1, 3, 3, 4)
    x = np.stack([np.array(Image.fromarray(channel.numpy()).resize((16, 12), Image.Resampling.BICUBIC))
                  for channel in lq[0]])
    for layer in (net.extract, net.map, net.reconstruct):
        x = _patch_by_patch(x, layer.weight.detach().numpy(), layer.bias.detach().numpy())
        if layer is not net.reconstruct:
            x = x.clip(min=0)
    torch.testing.assert_close(net(lq)[0].detach().double(), torch.from_numpy(x), atol=1e-5, rtol=1e-4)


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


@pytest.mark.parametrize('change', [{}, {'scale': 2}, {'num_feat': 5}, {'num_mapped': 6}, {'kernel_sizes': [7, 5, 3]}])
def test_round_trip(change, tmp_path):
    arguments = {**TINY, **change}
    torch.manual_seed(0)
    saved = SRCNN(**arguments)
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded = SRCNN(**arguments)
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True))
    lq = torch.rand(1, 3, 4, 4)
    assert torch.equal(loaded(lq), saved(lq))
    assert saved(lq).shape[-1] == 4 * arguments['scale']


def test_every_argument_matters():
    net = SRCNN(scale=2, num_feat=5, num_mapped=6, kernel_sizes=[7, 5, 3])
    weights = [net.extract.weight, net.map.weight, net.reconstruct.weight]
    assert [weight.shape for weight in weights] == [(5, 3, 7, 7), (6, 5, 5, 5), (3, 6, 3, 3)]


@pytest.mark.parametrize('kernel_sizes', [(9, 2, 5), (9, 5), (9, 1, 1, 5), 9])
def test_wrong_kernels(kernel_sizes):
    with pytest.raises(ValueError, match=r'three odd kernel_sizes.*Got (\(9, |9\.)'):
        SRCNN(kernel_sizes=kernel_sizes)
