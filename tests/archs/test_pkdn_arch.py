import inspect
import re

import numpy as np
import pytest
import torch
from basicsr.archs import build_network
from basicsr.utils.registry import ARCH_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import RCAB, BicubicUpsample
from pkdn_basicsr.archs.pkdn_arch import PKDNStudent, PKDNTeacher
from pkdn_basicsr.archs.pkdn_blocks import ConcatFusionBlock, FeatureFusionBlock, FusionBlock, ParsingMapFusionBlock
from pkdn_basicsr.report.complexity import count_macs, count_parameters

NUM_CLASSES = 5
TINY = {'num_feat': 4, 'num_enc_blocks': (1, 1, 1), 'num_neck_blocks': 1, 'num_dec_blocks': (1, 1, 1)}
LEVELS = ['enc1', 'enc2', 'enc3', 'neck', 'dec3', 'dec2', 'dec1']


def _student(**changes) -> PKDNStudent:
    torch.manual_seed(0)
    return PKDNStudent(**{**TINY, **changes})


def _teacher(**changes) -> PKDNTeacher:
    torch.manual_seed(1)
    return PKDNTeacher(num_classes=NUM_CLASSES, **{**TINY, **changes})


def _faces(height: int, width: int | None = None, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, height, width or height, generator=torch.Generator().manual_seed(2))


def _parsing(height: int, width: int | None = None, batch: int = 2) -> torch.Tensor:
    classes = torch.randint(NUM_CLASSES, (batch, height, width or height), generator=torch.Generator().manual_seed(3))
    return F.one_hot(classes, NUM_CLASSES).permute(0, 3, 1, 2).float()


# budget

def test_default_student_has_4525816_parameters_within_the_budget():
    assert count_parameters(PKDNStudent()) == 4_525_816 <= 5_200_000


def test_default_student_needs_6_01_gmacs_within_the_budget():
    macs = count_macs(PKDNStudent(), (16, 16)).total
    assert macs <= 7.1e9
    assert macs == pytest.approx(6.01e9, rel=0.005)


def test_default_teacher_is_the_student_with_a_prior_branch_per_level():
    prior_branch = (9 * 19 * 64 + 64) + (9 * 64 * 64 + 64) + (2 * 64 * 64 + 64)
    assert count_parameters(PKDNTeacher()) == count_parameters(PKDNStudent()) + 3 * prior_branch


# shapes and names

@pytest.mark.parametrize(
    ('scale', 'size'), [(8, (16, 16)), (4, (32, 32)), (16, (8, 8)), (8, (2, 3)), (4, (6, 4)), (2, (8, 12)), (3, (8, 8))]
)
def test_result_is_scale_times_the_input(scale, size):
    lq, parsing = _faces(*size), _parsing(scale * size[0], scale * size[1])
    expected = (2, 3, scale * size[0], scale * size[1])
    for sr in (_student(scale=scale)(lq), _teacher(scale=scale)(lq, parsing)):
        assert sr.shape == expected
        assert sr.is_contiguous()  # so that anyone may call view() on it


def test_teacher_and_student_have_features_of_the_same_names_order_and_shapes():
    lq, parsing = _faces(4, 6), _parsing(32, 48)
    expected = {'enc1': (16, 24), 'enc2': (8, 12), 'enc3': (4, 6), 'neck': (4, 6),
                'dec3': (8, 12), 'dec2': (16, 24), 'dec1': (32, 48)}
    for features in (_student().forward_features(lq)[1], _teacher().forward_features(lq, parsing)[1]):
        assert list(features) == LEVELS
        assert {name: tuple(feature.shape) for name, feature in features.items()} == {
            name: (2, 4, *size) for name, size in expected.items()
        }


def test_levels_follow_the_lengths_of_the_lists():
    student = _student(num_enc_blocks=[1, 0], num_dec_blocks=[0, 2])
    assert list(student.forward_features(_faces(2))[1]) == ['enc1', 'enc2', 'neck', 'dec2', 'dec1']


@pytest.mark.parametrize('training', [True, False])
def test_forward_is_the_first_of_forward_features(training):
    lq, parsing = _faces(4), _parsing(32)
    student, teacher = _student().train(training), _teacher().train(training)
    assert torch.equal(student(lq), student.forward_features(lq)[0])
    assert torch.equal(teacher(lq, parsing), teacher.forward_features(lq, parsing)[0])


def test_an_image_does_not_depend_on_the_others_of_its_batch():
    lq, parsing = _faces(4), _parsing(32)
    torch.testing.assert_close(_student()(lq)[1:], _student()(lq[1:]))
    torch.testing.assert_close(_teacher()(lq, parsing)[1:], _teacher()(lq[1:], parsing[1:]))


@pytest.mark.parametrize('net', [_student(), _teacher()])
def test_every_parameter_receives_a_gradient(net):
    for name, parameter in net.named_parameters():
        if name.endswith('bottleneck.0.bias'):
            torch.nn.init.ones_(parameter)  # at width 4 the bottleneck is one ReLU, which may be off by chance
    inputs = (_faces(4), _parsing(32))[:1 if isinstance(net, PKDNStudent) else 2]
    net(*inputs).square().mean().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


# the constructor

def test_both_networks_are_registered_in_basicsr():
    assert ARCH_REGISTRY.get('PKDNStudent') is PKDNStudent
    assert ARCH_REGISTRY.get('PKDNTeacher') is PKDNTeacher
    assert isinstance(build_network({'type': 'PKDNStudent', **TINY}), PKDNStudent)


@pytest.mark.parametrize('cls', [PKDNStudent, PKDNTeacher])
def test_every_argument_arrives(cls):
    arguments = {'scale': 4, 'num_feat': 6, 'num_enc_blocks': [1, 2], 'num_neck_blocks': 3, 'num_dec_blocks': [4, 5],
                 'fusion': 'spatial_attention', 'feature_fusion': False}
    if cls is PKDNTeacher:
        arguments['num_classes'] = 7
    assert set(arguments) == set(inspect.signature(cls).parameters)
    net = build_network({'type': cls.__name__, **arguments})
    assert net.scale == net.upscale == net.upsample.scale == 4
    assert (net.head.out_channels, net.tail.in_channels) == (6, 6)
    assert [len(blocks) for blocks in net.enc_blocks] == [1, 2]
    assert len(net.neck) == 3
    assert [len(blocks) for blocks in net.dec_blocks] == [4, 5]
    assert all(isinstance(block, RCAB) for block in net.neck)
    assert [len(block.attention) for block in net.enc_fusions] == [1, 1]
    assert not list(net.dec_fusions.parameters())
    if cls is PKDNTeacher:
        assert net.num_classes == 7
        assert [block.embed[0].in_channels for block in net.enc_fusions] == [7, 7]


@pytest.mark.parametrize('cls', [PKDNStudent, PKDNTeacher])
def test_an_unknown_argument_is_refused(cls):
    with pytest.raises(TypeError, match='num_feats'):
        cls(num_feats=4)


def test_encoder_and_decoder_of_unequal_depth_are_refused():
    with pytest.raises(ValueError, match=r'\[1, 1\] and num_dec_blocks \[1, 1, 1\] must have the same length'):
        _student(num_enc_blocks=[1, 1])
    with pytest.raises(ValueError, match='num_enc_blocks must be a list of whole numbers, found 3'):
        _student(num_enc_blocks=3)


# ablations

ABLATIONS = [{'fusion': 'channel_attention'}, {'fusion': 'spatial_attention'}, {'fusion': 'no_attention'},
             {'fusion': 'concat'}, {'feature_fusion': False}]


def _removed_and_added(net, ablated):
    before, after = ({name: parameter.shape for name, parameter in network.named_parameters()}
                     for network in (net, ablated))
    return ({name: shape for name, shape in before.items() if after.get(name) != shape},
            {name: shape for name, shape in after.items() if before.get(name) != shape})


def test_by_default_nothing_is_left_out():
    assert all(type(block) is ParsingMapFusionBlock for block in PKDNTeacher().enc_fusions)
    for net in (PKDNTeacher(), PKDNStudent()):
        assert all(isinstance(block, FusionBlock) for block in net.enc_fusions)
        assert all(isinstance(block, FeatureFusionBlock) for block in net.dec_fusions)


@pytest.mark.parametrize(('change', 'where', 'added'), [
    ({'fusion': 'channel_attention'}, r'enc_fusions\.\d\.attention\.1\.', 0),
    ({'fusion': 'spatial_attention'}, r'enc_fusions\.\d\.attention\.[01]\.', 3 * (2 * 49 + 1)),
    ({'fusion': 'no_attention'}, r'enc_fusions\.\d\.attention\.', 0),
    ({'fusion': 'concat'}, r'enc_fusions\.', 3 * (9 * 4 * 4 + 4)),
    ({'feature_fusion': False}, r'dec_fusions\.', 0),
], ids=str)
@pytest.mark.parametrize('make', [_student, _teacher])
def test_an_ablation_replaces_what_it_says_and_nothing_else(make, change, where, added):
    net = make()
    gone, new = _removed_and_added(net, make(**change))
    assert set(gone) == {name for name, _ in net.named_parameters() if re.match(where, name)} != set()
    if change == {'fusion': 'concat'} and make is _teacher:
        added += 3 * 9 * NUM_CLASSES * 4
    assert sum(shape.numel() for shape in new.values()) == added


@pytest.mark.parametrize('change', ABLATIONS, ids=str)
def test_ablated_networks_keep_names_and_shapes_of_their_features(change):
    lq, parsing = _faces(4), _parsing(32)
    expected = {name: feature.shape for name, feature in _student().forward_features(lq)[1].items()}
    student, teacher = _student(**change), _teacher(**change)
    for sr, features in (student.forward_features(lq), teacher.forward_features(lq, parsing)):
        assert sr.shape == (2, 3, 32, 32)
        assert {name: feature.shape for name, feature in features.items()} == expected
    assert not torch.equal(teacher(lq, parsing), teacher(lq, parsing.flip(1)))  # the map still counts


def test_concatenation_without_a_prior_is_the_convolution_alone():
    assert all(type(block) is ConcatFusionBlock for block in _student(fusion='concat').enc_fusions)
    assert _student(fusion='concat').enc_fusions[0].conv.weight.shape == (4, 4, 3, 3)


def test_without_feature_fusion_the_decoder_sees_the_neck_alone():
    student = _student(feature_fusion=False)
    _, features = student.forward_features(_faces(4))
    x = features['neck']
    for up, blocks in zip(student.ups, student.dec_blocks, strict=True):
        x = blocks(up(x))
    torch.testing.assert_close(features['dec1'], x)


@pytest.mark.parametrize('make', [_student, _teacher])
def test_an_unknown_fusion_is_refused(make):
    with pytest.raises(ValueError, match="fusion must be one of attention, .*, concat, found 'concatenation'"):
        make(fusion='concatenation')


# refused inputs

@pytest.mark.parametrize(('scale', 'size', 'works'), [
    (4, (5, 6), '2, 4, 6'), (4, (6, 5), '2, 4, 6'), (2, (6, 8), '4, 8, 12'), (4, (1, 1), '2, 4, 6'),
    (3, (4, 8), '8, 16, 24'),
])
@pytest.mark.parametrize('make', [_student, _teacher])
def test_a_side_that_the_levels_cannot_halve_is_refused_and_those_that_they_can_are_named(make, scale, size, works):
    inputs = [_faces(*size)]
    if make is _teacher:
        inputs.append(_parsing(scale * size[0], scale * size[1]))
    with pytest.raises(ValueError, match=f'PKDN.*{size[0]}x{size[1]} input at scale {scale}.*: {works}, '):
        make(scale=scale)(*inputs)


@pytest.mark.parametrize('shape', [(2, NUM_CLASSES, 4, 4), (2, NUM_CLASSES, 32, 64), (2, 3, 32, 32),
                                   (1, NUM_CLASSES, 32, 32), (2, 32, 32)])
def test_a_map_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r'parsing must have shape \(2, 5, 32, 32\).*found \(' + str(shape[0])):
        _teacher()(_faces(4), torch.zeros(shape))


# checkpoints

def test_the_state_dict_tells_the_scale():
    assert _student(scale=4).state_dict()['scale'] == 4


@pytest.mark.parametrize('strict', [True, False])
def test_weights_of_another_scale_are_refused(strict):
    with pytest.raises(RuntimeError, match='the checkpoint was trained for scale 4, this network has scale 8'):
        _student(scale=8).load_state_dict(_student(scale=4).state_dict(), strict=strict)


def test_weights_of_another_scale_can_be_a_start_without_their_scale():
    source, target = _student(scale=4), _student(scale=8)
    weights = source.state_dict()
    del weights['scale']
    target.load_state_dict(weights, strict=False)
    assert torch.equal(target.neck[0].conv1.weight, source.neck[0].conv1.weight)
    assert target.scale == 8


def test_weights_survive_a_save_and_load_with_weights_only(tmp_path):
    source, target = _student(), PKDNStudent(**TINY)
    torch.save(source.state_dict(), tmp_path / 'net.pth')
    target.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True))
    assert torch.equal(source(_faces(4)), target(_faces(4)))


def test_a_strict_load_of_another_width_is_refused():
    with pytest.raises(RuntimeError, match='size mismatch'):
        _student().load_state_dict(_student(num_feat=8).state_dict())


# what the network computes

@pytest.mark.parametrize('make', [_student, _teacher])
def test_a_silent_tail_leaves_bicubic(make):
    net = make()
    torch.nn.init.zeros_(net.tail.weight)
    torch.nn.init.zeros_(net.tail.bias)
    inputs = [_faces(4)] if make is _student else [_faces(4), _parsing(32)]
    assert torch.equal(net(*inputs), BicubicUpsample(8)(inputs[0]))


def test_encoder_fusions_get_the_share_of_each_class_in_each_pixel():
    teacher, seen = _teacher(), []
    for block in teacher.enc_fusions:
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1].numpy()))
    parsing = _parsing(32, 48)
    parsing[:, :, :5, :7] = 0  # unknown: no class has a share
    teacher(_faces(4, 6), parsing)
    assert len(seen) == 3
    for level, found in enumerate(seen, start=1):
        side = 2**level
        blocks = parsing.numpy().reshape(2, NUM_CLASSES, 32 // side, side, 48 // side, side)
        np.testing.assert_allclose(found, blocks.mean((3, 5)), atol=1e-6)


def test_teacher_depends_on_the_map_and_where_it_changes():
    teacher, lq, parsing = _teacher(), _faces(4), _parsing(32)
    other = parsing.clone()
    other[1] = parsing[1].flip(0)
    first, second = teacher(lq, parsing), teacher(lq, other)
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1])


def test_decoder_fusions_see_the_head_and_every_encoder_feature():
    student, seen = _student(), []
    for block in student.dec_fusions:
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    _, features = student.forward_features(_faces(4))
    assert len(seen) == 3
    for sources in seen:
        assert sources[0].shape == (2, 4, 32, 32)
        assert all(source is features[name] for source, name in zip(sources[1:], LEVELS[:3], strict=True))


# the student begins as the teacher without a map

@pytest.mark.parametrize('change', [{}, {'fusion': 'no_attention'}, {'fusion': 'concat'}, {'feature_fusion': False}],
                         ids=str)
def test_a_student_that_begins_as_the_teacher_makes_what_the_teacher_makes_without_a_map(change):
    # convolutions alone: attention looks at the whole picture, and with it at the border, where the two differ
    teacher, student = (_without_gates(make(num_enc_blocks=(1,), num_dec_blocks=(1,), **change))
                        for make in (_teacher, _student))
    student.begin_as(teacher)
    lq = _faces(8, 8)
    expected, found = teacher(lq, torch.zeros(2, NUM_CLASSES, 64, 64)), student(lq)
    assert (found - BicubicUpsample(8)(lq)).abs().max() > .01
    inner = slice(24, 40)
    torch.testing.assert_close(found[..., inner, inner], expected[..., inner, inner])
    if change == {'fusion': 'concat'}:  # nothing is added to a bias
        torch.testing.assert_close(found, expected)


def _without_gates(net):
    for name, module in list(net.named_modules()):
        if name.endswith('attention'):
            with torch.no_grad():
                for conv in (part for part in module.modules() if isinstance(part, torch.nn.Conv2d)):
                    conv.weight.zero_()
    return net


def test_a_student_that_begins_as_the_teacher_is_close_to_it_with_attention_too():
    teacher, student = _teacher(), _student()
    lq, nothing = _faces(8), torch.zeros(2, NUM_CLASSES, 64, 64)
    before = (student(lq) - teacher(lq, nothing)).abs().mean()
    student.begin_as(teacher)
    assert (student(lq) - teacher(lq, nothing)).abs().mean() < .1 * before
    before = [value.clone() for value in teacher.state_dict().values()]
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.zero_()
    assert all(map(torch.equal, before, teacher.state_dict().values()))  # the weights are its own


@pytest.mark.parametrize(('teacher', 'word'), [
    (_teacher(num_feat=8), 'num_feat'), (_teacher(num_neck_blocks=2), 'blocks'), (_teacher(scale=4), 'scale'),
    (_teacher(fusion='concat'), 'fusion'), (_student(), 'PKDNTeacher alone, found PKDNStudent')])
def test_a_student_does_not_begin_as_a_teacher_that_is_built_otherwise(teacher, word):
    with pytest.raises(ValueError, match=word):
        _student().begin_as(teacher)
