import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.fish_parsing_net_arch import FishParsingNet, load_parsing_net
from pkdn_basicsr.report.complexity import count_macs, count_parameters


@pytest.fixture
def net():
    torch.manual_seed(0)
    return FishParsingNet(num_feat=4)


def test_registered():
    assert ARCH_REGISTRY.get('FishParsingNet') is FishParsingNet


def test_part_counts():
    net = FishParsingNet()
    assert count_parameters(net.head) == 1_792
    assert [count_parameters(block) for block in net.body] == [73_856] * 8
    assert count_parameters(net.tail) == 1_731
    assert count_parameters(net) == 594_371


def test_macs():
    weights = 594_371 - (17 * 64 + 3)  # every weight but the biases is used once a pixel
    assert count_macs(FishParsingNet()).total == weights * 16 * 16


@pytest.mark.parametrize('size', [(4, 4), (3, 7)])
def test_output(net, size):
    lq = torch.rand(2, 3, *size)
    picture = net(lq)
    assert picture.shape == lq.shape
    assert torch.equal(net.eval()(lq), picture)
    torch.testing.assert_close(net(lq[1:]), picture[1:])


def test_named_output(net):
    lq = torch.rand(2, 3, 4, 4)
    outputs = net.forward_outputs(lq)
    assert list(outputs) == ['parsing']
    assert torch.equal(outputs['parsing'], net(lq))


def test_training_reaches_every_parameter(net):
    F.l1_loss(net.forward_outputs(torch.rand(2, 3, 8, 8))['parsing'], torch.rand(2, 3, 8, 8)).backward()
    assert [name for name, parameter in net.named_parameters() if parameter.grad.abs().sum() == 0] == []


def test_network_by_hand(net):
    state = net.state_dict()

    def conv(name, x):
        return F.conv2d(x, state[f'{name}.weight'], state[f'{name}.bias'], padding=1)

    lq = torch.rand(2, 3, 5, 6)
    x = conv('head', lq)
    for n in range(8):
        x = x + 0.2 * conv(f'body.{n}.conv2', conv(f'body.{n}.conv1', x).clamp(min=0))
    torch.testing.assert_close(net(lq), conv('tail', x))


@pytest.mark.parametrize('num_feat', [4, 6])
def test_round_trip(num_feat, tmp_path):
    saved, loaded = FishParsingNet(num_feat), FishParsingNet(num_feat)
    assert saved.head.out_channels == num_feat
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
    lq = torch.rand(1, 3, 4, 4)
    assert torch.equal(loaded(lq), saved(lq))


@pytest.mark.parametrize('keys', [['params'], ['params', 'params_ema']])
def test_averaged_weights_are_preferred(net, keys, tmp_path):
    saved = {key: FishParsingNet(num_feat=4).state_dict() for key in keys}
    torch.save(saved, tmp_path / 'net.pth')
    load_parsing_net(net, str(tmp_path / 'net.pth'))
    assert all(torch.equal(value, saved[keys[-1]][name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_missing_file(device, tmp_path, usage_error):
    path = str(tmp_path / 'none.pth')
    with torch.device(device):
        net = FishParsingNet(num_feat=4)
    with usage_error('parsing_net', path, 'basicsr train -opt options/baselines/fish_parsing_net.yml'):
        load_parsing_net(net, path)


def test_file_of_another_width(net, tmp_path, usage_error):
    path = tmp_path / 'net.pth'
    torch.save({'params': FishParsingNet(num_feat=6).state_dict()}, path)
    with usage_error('parsing_net', path, 'FishParsingNet of num_feat 4', 'size mismatch', 'another num_feat'):
        load_parsing_net(net, str(path))


class _Anything:
    pass


@pytest.mark.parametrize(('content', 'reason'), [
    ({'state_dict': {}}, 'there are no weights in the file'), ({'params': _Anything()}, 'Python objects'),
    ([1, 2], 'expected weights'), (None, 'damaged'),
])
def test_file_of_another_kind(net, content, reason, tmp_path, usage_error):
    path = tmp_path / 'net.pth'
    if content is None:
        path.touch()
    else:
        torch.save(content, path)
    with usage_error('parsing_net', path, reason):
        load_parsing_net(net, str(path))


def test_on_the_meta_device_a_file_is_looked_at_and_nothing_is_loaded(tmp_path, usage_error, recwarn):
    path = tmp_path / 'net.pth'
    with torch.device('meta'):
        net = FishParsingNet(num_feat=4)
    torch.save({'params': FishParsingNet(num_feat=4).state_dict()}, path)
    load_parsing_net(net, str(path))
    assert net.head.weight.is_meta
    torch.save({'params': FishParsingNet(num_feat=6).state_dict()}, path)
    with usage_error('parsing_net', path, 'size mismatch'):
        load_parsing_net(net, str(path))
    assert not recwarn.list
