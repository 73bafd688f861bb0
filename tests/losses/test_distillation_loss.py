import math

import pytest
import torch

from pkdn_basicsr import losses
from pkdn_basicsr.losses import affinity, attention_transfer, feature_l1, feature_l2

NAMES = ['FeatureL1Loss', 'FeatureL2Loss', 'AttentionTransferLoss', 'AffinityLoss']
FUNCTIONS = dict(zip(NAMES, [feature_l1, feature_l2, attention_transfer, affinity], strict=True))
any_loss = pytest.mark.parametrize('name', NAMES)
any_function = pytest.mark.parametrize('function', FUNCTIONS.values(), ids=NAMES)
channel_free = pytest.mark.parametrize('function', [attention_transfer, affinity])


def feature(seed, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def build_loss(options):
    from basicsr.losses import build_loss as build  # not on top: pkdn_basicsr makes basicsr importable

    return build(options)


# The formulas once more, element by element.

def loop_l1(student, teacher):
    return sum(abs(float(s) - float(t)) for s, t in zip(student.flat, teacher.flat, strict=True)) / student.size


def loop_l2(student, teacher):
    return sum((float(s) - float(t)) ** 2 for s, t in zip(student.flat, teacher.flat, strict=True)) / student.size


def loop_attention_transfer(student, teacher):
    def attention(image):
        channels, height, width = image.shape
        energy = [sum(image[c, y, x] ** 2 for c in range(channels)) / channels
                  for y in range(height) for x in range(width)]
        length = math.sqrt(sum(value ** 2 for value in energy))
        return [value / length for value in energy]

    terms = [(s - t) ** 2 for one, other in zip(student, teacher, strict=True)
             for s, t in zip(attention(one), attention(other), strict=True)]
    return sum(terms) / len(student)


def loop_affinity(student, teacher, windows=(1, 1)):
    def columns(image):
        channels, height, width = image.shape
        found = []
        for top in range(0, height, windows[0]):
            for left in range(0, width, windows[1]):
                patch = image[:, top:top + windows[0], left:left + windows[1]]
                found.append([patch[c].mean() for c in range(channels)])
        return found

    def cosine(a, b):
        dot = sum(p * q for p, q in zip(a, b, strict=True))
        return dot / math.sqrt(sum(p * p for p in a)) / math.sqrt(sum(q * q for q in b))

    terms = []
    for one, other in zip(student, teacher, strict=True):
        s, t = columns(one), columns(other)
        terms += [abs(cosine(s[i], s[j]) - cosine(t[i], t[j])) for i in range(len(s)) for j in range(len(s))]
    return sum(terms) / len(terms)


LOOPS = dict(zip(NAMES, [loop_l1, loop_l2, loop_attention_transfer, loop_affinity], strict=True))


@any_loss
def test_against_the_formula_in_loops(name):
    student, teacher = feature(0, 2, 3, 4, 5), feature(1, 2, 3, 4, 5)
    assert FUNCTIONS[name](student, teacher).item() == pytest.approx(LOOPS[name](student.numpy(), teacher.numpy()))


@pytest.mark.parametrize('name', ['AttentionTransferLoss', 'AffinityLoss'])
def test_channel_counts_may_differ(name):
    student, teacher = feature(0, 2, 3, 4, 5), feature(1, 2, 7, 4, 5)
    assert FUNCTIONS[name](student, teacher).item() == pytest.approx(LOOPS[name](student.numpy(), teacher.numpy()))


@any_function
def test_gradient_of_the_student(function):
    student, teacher = feature(2, 2, 3, 3, 4).requires_grad_(), feature(3, 2, 3, 3, 4)
    assert torch.autograd.gradcheck(lambda s: function(s, teacher), (student,))


def test_gradient_through_pooling():
    student, teacher = feature(2, 1, 3, 5, 4).requires_grad_(), feature(3, 1, 3, 5, 4)
    assert torch.autograd.gradcheck(lambda s: affinity(s, teacher, max_size=2), (student,))


@any_function
def test_teacher_gets_no_gradient(function):
    student, teacher = feature(0, 2, 3, 4, 4).requires_grad_(), feature(1, 2, 3, 4, 4).requires_grad_()
    function(student, teacher).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@any_function
def test_inputs_are_left_alone(function):
    student, teacher = feature(0, 2, 3, 4, 4), feature(1, 2, 3, 4, 4)
    before = student.clone(), teacher.clone()
    function(student, teacher)
    assert torch.equal(student, before[0])
    assert torch.equal(teacher, before[1])


@any_function
def test_zero_for_equal_features_and_positive_otherwise(function):
    student = feature(0, 2, 3, 4, 4, dtype=torch.float32)
    assert function(student, student.clone()).item() == 0
    changed = student.clone()
    changed[1, 2, 3, 0] += 1
    assert function(student, changed).item() > 0


@any_function
def test_scalar_of_float32(function):
    loss = function(feature(0, 2, 3, 4, 4, dtype=torch.float32), feature(1, 2, 3, 4, 4, dtype=torch.float32))
    assert loss.shape == ()
    assert loss.dtype == torch.float32


@any_function
@pytest.mark.parametrize('zero', ['student', 'teacher', 'both', 'one position', 'one image'])
def test_zero_features_are_safe(function, zero):
    student, teacher = feature(0, 2, 3, 4, 4, dtype=torch.float32), feature(1, 2, 3, 4, 4, dtype=torch.float32)
    if zero in ('student', 'both'):
        student = torch.zeros_like(student)
    if zero in ('teacher', 'both'):
        teacher = torch.zeros_like(teacher)
    if zero == 'one position':
        student[0, :, 1, 2] = 0
    if zero == 'one image':
        student[0] = 0
    student.requires_grad_()
    loss = function(student, teacher)
    loss.backward()
    assert torch.isfinite(loss)
    assert student.grad.abs().max() < 10  # finite, and no 1e12 from a division by a tiny norm either
    assert zero != 'both' or loss.item() == 0


@any_function
def test_nan_is_not_hidden(function):
    student, teacher = feature(0, 2, 3, 4, 4), feature(1, 2, 3, 4, 4)
    student[0, 0, 0, 0] = math.nan
    assert torch.isnan(function(student, teacher))


@any_function
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(function, dtype):
    # 1e-3 squared and squared again underflows in float16
    student, teacher = (1e-3 * feature(seed, 2, 3, 4, 4, dtype=torch.float32) for seed in (0, 1))
    student, teacher = student.to(dtype), teacher.to(dtype)
    expected = function(student.float(), teacher.float())
    assert expected.item() > 0
    assert torch.equal(function(student, teacher), expected)


def test_autocast_does_not_round_the_affinities():
    student, teacher = feature(0, 2, 3, 4, 4, dtype=torch.float32), feature(1, 2, 3, 4, 4, dtype=torch.float32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = affinity(student, teacher)
    assert torch.equal(found, affinity(student, teacher))


@any_function
@pytest.mark.parametrize('shape', [(1, 3, 4, 4), (2, 3, 4, 5), (2, 3, 2, 4), (2, 3, 16)])
def test_unequal_shapes_are_refused(function, shape):
    with pytest.raises(ValueError, match=r'expected features of .*found student \(2, 3, 4, 4\) and teacher \(\d'):
        function(torch.zeros(2, 3, 4, 4), torch.zeros(shape))


@pytest.mark.parametrize('function', [feature_l1, feature_l2])
def test_elementwise_losses_refuse_unequal_channels(function):
    with pytest.raises(ValueError, match=r'one shape, found student \(2, 3, 4, 4\) and teacher \(2, 1, 4, 4\)'):
        function(torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))


@channel_free
def test_positive_scaling_changes_nothing(function):
    student, teacher = feature(0, 2, 3, 4, 4), feature(1, 2, 3, 4, 4)
    expected = function(student, teacher)
    assert torch.allclose(function(0.01 * student, teacher), expected)
    assert torch.allclose(function(student, 50 * teacher), expected)


@channel_free
def test_order_of_channels_changes_nothing(function):
    student, teacher = feature(0, 2, 3, 4, 4), feature(1, 2, 3, 4, 4)
    assert torch.allclose(function(student[:, [2, 0, 1]], teacher), function(student, teacher))


def test_attention_transfer_scales_per_image_and_affinity_per_position():
    student, teacher = feature(0, 2, 3, 4, 4), feature(1, 2, 3, 4, 4)
    per_image = torch.tensor([0.5, 20.0], dtype=torch.float64).view(2, 1, 1, 1)
    per_position = 0.1 + feature(4, 2, 1, 4, 4).abs()
    assert torch.allclose(attention_transfer(student * per_image, teacher), attention_transfer(student, teacher))
    assert torch.allclose(affinity(student * per_position, teacher), affinity(student, teacher))
    assert not torch.allclose(attention_transfer(student * per_position, teacher), attention_transfer(student, teacher))


def test_range_of_attention_transfer():
    one, other = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 3)
    one[0, :, 0, 0], other[0, :, 1, 2] = 3, 7  # attention on two different single positions: the largest difference
    assert attention_transfer(one, other).item() == pytest.approx(2)


def test_range_of_affinity():
    constant, opposed = torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, -1.0]]]])
    # A = [[1, 1], [1, 1]] and [[1, -1], [-1, 1]]: two of four entries differ by 2.
    assert affinity(constant, opposed).item() == pytest.approx(1)


@pytest.mark.parametrize(('size', 'max_size', 'windows'), [
    ((8, 8), 4, (2, 2)),
    ((8, 8), 8, (1, 1)),
    ((9, 9), 4, (3, 3)),
    ((7, 6), 3, (3, 2)),  # the last window of rows holds one row
    ((9, 4), 4, (3, 1)),
])
def test_affinity_pools_large_features(size, max_size, windows):
    student, teacher = feature(0, 2, 3, *size), feature(1, 2, 3, *size)
    expected = loop_affinity(student.numpy(), teacher.numpy(), windows)
    assert affinity(student, teacher, max_size).item() == pytest.approx(expected)


def test_affinity_of_a_large_feature_is_the_one_of_its_32x32_average():
    student, teacher = feature(0, 1, 2, 128, 128), feature(1, 1, 2, 128, 128)
    pooled = [x.unflatten(3, (32, 4)).unflatten(2, (32, 4)).mean(dim=(3, 5)) for x in (student, teacher)]
    assert pooled[0].shape == (1, 2, 32, 32)
    assert torch.allclose(affinity(student, teacher), affinity(*pooled))


@any_loss
def test_built_from_yaml_options_equals_the_function(name):
    student, teacher = feature(0, 2, 3, 4, 4), feature(1, 2, 3, 4, 4)
    expected = FUNCTIONS[name](student, teacher)
    plain, weighted = build_loss({'type': name}), build_loss({'type': name, 'loss_weight': 2.5})
    assert type(plain) is getattr(losses, name)
    assert torch.equal(plain(student, teacher), expected)
    assert torch.allclose(weighted(student, teacher), 2.5 * expected)
    assert not list(plain.parameters())


def test_max_size_from_yaml_options():
    student, teacher = feature(0, 1, 3, 8, 8), feature(1, 1, 3, 8, 8)
    built = build_loss({'type': 'AffinityLoss', 'max_size': 2})
    assert torch.equal(built(student, teacher), affinity(student, teacher, max_size=2))
    with pytest.raises(ValueError, match='max_size must be at least 1, but is 0'):
        build_loss({'type': 'AffinityLoss', 'max_size': 0})
    assert build_loss({'type': 'AffinityLoss', 'max_size': 1})(student, teacher).item() == pytest.approx(
        affinity(student.mean((2, 3), keepdim=True), teacher.mean((2, 3), keepdim=True)).item(), abs=1e-6)


def test_a_feature_of_zeros_has_a_map_of_zeros():
    teacher = torch.rand(3, 2, 4, 5)
    assert attention_transfer(torch.zeros_like(teacher), teacher).item() == pytest.approx(1)  # the squared unit length
    alone = affinity(torch.zeros_like(teacher), teacher)
    assert alone.item() == pytest.approx(torch.nn.functional.cosine_similarity(
        teacher.flatten(2)[..., None], teacher.flatten(2)[..., None, :], dim=1).abs().mean().item(), rel=1e-5)


@any_loss
def test_unknown_option_is_an_error(name):
    with pytest.raises(TypeError, match='los_weight'):
        build_loss({'type': name, 'los_weight': 2.0})
