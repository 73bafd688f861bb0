import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines import KDFSRNetStudent, KDFSRNetTeacher
from pkdn_basicsr.archs.baselines.kdfsrnet_arch import voc_palette
from pkdn_basicsr.archs.layers import ChannelAttention
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'num_feat': 4, 'num_blocks': 1}
STAGES = ['enc1', 'enc2', 'enc3', 'enc4', 'neck', 'dec4', 'dec3', 'dec2', 'dec1']


def _parsing(batch: int, num_classes: int, height: int, width: int) -> torch.Tensor:
    classes = torch.randint(num_classes, (batch, height, width))
    return F.one_hot(classes, num_classes).permute(0, 3, 1, 2).float()


def _net_and_inputs(network):
    torch.manual_seed(0)
    if network is KDFSRNetTeacher:
        return network(num_classes=5, **TINY), (torch.rand(2, 3, 4, 6), _parsing(2, 5, 32, 48))
    return network(**TINY), (torch.rand(2, 3, 4, 6),)


@pytest.mark.parametrize('name', ['KDFSRNetStudent', 'KDFSRNetTeacher'])
def test_registered(name):
    assert ARCH_REGISTRY.get(name).__name__ == name


def test_parameter_counts():
    assert count_parameters(KDFSRNetStudent()) == 5_203_995
    assert count_parameters(KDFSRNetTeacher()) == 2_526_027


@pytest.mark.parametrize(('network', 'num_blocks', 'num_in'), [(KDFSRNetStudent, 6, 3), (KDFSRNetTeacher, 2, 6)])
def test_part_counts(network, num_blocks, num_in):
    parts = network().autoencoder
    assert count_parameters(parts.head) == num_in * 64 * 9 + 64
    assert [count_parameters(stage) for stage in parts.encoder] == [147_520 + num_blocks * 74_436] * 4
    assert count_parameters(parts.neck) == num_blocks * 74_436
    assert [count_parameters(stage) for stage in parts.decoder] == [147_712 + num_blocks * 74_436] * 4
    assert count_parameters(parts.tail) == 64 * 3 * 9 + 3


def test_macs():
    assert count_macs(KDFSRNetStudent()).total == pytest.approx(13.7e9, rel=0.005)  # stated to three digits
    parsing = torch.zeros(1, 19, 128, 128)
    assert count_macs(KDFSRNetTeacher(), extra_inputs=(parsing,)).total == pytest.approx(5.71e9, rel=0.005)


@pytest.mark.parametrize('network', [KDFSRNetStudent, KDFSRNetTeacher])
def test_features(network):
    net, inputs = _net_and_inputs(network)
    sr, features = net.forward_features(*inputs)
    assert sr.shape == (2, 3, 32, 48)
    torch.testing.assert_close(sr, net(*inputs))
    assert list(features) == STAGES
    halvings = [1, 2, 3, 4, 4, 3, 2, 1, 0]
    assert [feature.shape for feature in features.values()] == [(2, 4, 32 >> n, 48 >> n) for n in halvings]


def test_features_are_the_stages_in_a_row():
    net, (lq,) = _net_and_inputs(KDFSRNetStudent)
    parts = net.autoencoder
    x = parts.head(net.upsample(lq))
    expected = []
    for stage in [*parts.encoder, parts.neck, *parts.decoder]:
        x = stage(x)
        expected.append(x)
    sr, features = net.forward_features(lq)
    for feature, stage_output in zip(features.values(), expected, strict=True):
        torch.testing.assert_close(feature, stage_output)
    torch.testing.assert_close(sr, parts.tail(x))


def _wake(net):
    """Give the one-channel bottlenecks of a tiny network a bias that no chance of the weights can turn off."""
    for module in net.modules():
        if isinstance(module, ChannelAttention):
            torch.nn.init.ones_(module.bottleneck[0].bias)


def test_teacher_training_reaches_every_parameter():
    teacher, inputs = _net_and_inputs(KDFSRNetTeacher)
    _wake(teacher)
    F.l1_loss(teacher(*inputs), torch.rand(2, 3, 32, 48)).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in teacher.parameters())


def test_student_training_reaches_every_parameter():
    teacher, inputs = _net_and_inputs(KDFSRNetTeacher)
    student = KDFSRNetStudent(**TINY)
    _wake(student)
    with torch.no_grad():
        sr_teacher, taught = teacher.forward_features(*inputs)
    sr, features = student.forward_features(inputs[0])
    distance = sum(F.l1_loss(features[name], taught[name]) for name in features) / len(features)
    loss = F.l1_loss(sr, torch.rand_like(sr)) + 10 * distance + 0.1 * F.l1_loss(sr, sr_teacher)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in student.parameters())


def test_teacher_looks_at_the_map():
    teacher, (lq, parsing) = _net_and_inputs(KDFSRNetTeacher)
    with torch.no_grad():
        assert not torch.allclose(teacher(lq, parsing), teacher(lq, parsing.roll(1, dims=1)))


def test_teacher_paints_classes_in_their_colours():
    teacher, (lq, parsing) = _net_and_inputs(KDFSRNetTeacher)
    parsing[:, :, :8] = 0  # no class: black, as background
    seen = []
    teacher.autoencoder.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    teacher(lq, parsing)
    colours = voc_palette(5).T[parsing.argmax(1)].permute(0, 3, 1, 2)
    colours[:, :, :8] = 0
    torch.testing.assert_close(seen[0][:, :3], teacher.upsample(lq))
    torch.testing.assert_close(seen[0][:, 3:], colours)


def test_palette():
    palette = voc_palette(256)
    published = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 8: (64, 0, 0),
                 20: (0, 64, 128), 255: (224, 224, 192)}  # fmt: skip
    for index, colour in published.items():
        assert tuple((palette[:, index] * 255).round().int().tolist()) == colour
    assert len(palette.T.unique(dim=0)) == 256
    torch.testing.assert_close(voc_palette(19), palette[:, :19])


@pytest.mark.parametrize('num_classes', [0, 257])
def test_palette_has_its_limits(num_classes):
    with pytest.raises(ValueError, match=f'1 to 256 parsing classes.*Got {num_classes}'):
        voc_palette(num_classes)


def test_palette_is_not_stored():
    assert not any('palette' in key for key in KDFSRNetTeacher(**TINY).state_dict())


@pytest.mark.parametrize(('network', 'change'), [
    *((network, change) for network in (KDFSRNetStudent, KDFSRNetTeacher)
      for change in ({}, {'scale': 4}, {'num_feat': 8}, {'num_blocks': 2})),
    (KDFSRNetTeacher, {'num_classes': 3}),
])
def test_round_trip(network, change, tmp_path):
    arguments = TINY | change
    torch.manual_seed(0)
    saved = network(**arguments)
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded = network(**arguments)
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
    inputs = [torch.rand(1, 3, 8, 8)]
    if network is KDFSRNetTeacher:
        side = 8 * arguments.get('scale', 8)
        inputs.append(_parsing(1, arguments.get('num_classes', 19), side, side))
    with torch.no_grad():
        sr = saved(*inputs)
        assert torch.equal(loaded(*inputs), sr)
    assert sr.shape[-1] == 8 * arguments.get('scale', 8)


def test_every_argument_matters():
    student, teacher = KDFSRNetStudent(num_feat=8, num_blocks=3), KDFSRNetTeacher(num_feat=8, num_blocks=3)
    for net in (student, teacher):
        assert net.autoencoder.head.out_channels == 8
        assert len(net.autoencoder.neck) == 3
    assert KDFSRNetTeacher(num_classes=7, **TINY).palette.shape == (3, 7)


@pytest.mark.parametrize('network', [KDFSRNetStudent, KDFSRNetTeacher])
@pytest.mark.parametrize('size', [(4, 5), (5, 4)])
def test_wrong_size(network, size):
    net, inputs = _net_and_inputs(network)
    with pytest.raises(ValueError, match=rf'{network.__name__} needs .* multiples of 16 .*: 2, 4, 6'):
        net(torch.rand(2, 3, *size), *inputs[1:])


@pytest.mark.parametrize('shape', [(2, 4, 32, 48), (2, 5, 4, 6), (1, 5, 32, 48), (2, 32, 48)])
def test_wrong_map(shape):
    teacher, (lq, _) = _net_and_inputs(KDFSRNetTeacher)
    with pytest.raises(ValueError, match=r'shape \(2, 5, 32, 48\)\. Got \('):
        teacher(lq, torch.zeros(shape))
