import cmath
import math

import numpy as np
import pytest
import torch

import pkdn_basicsr  # noqa: F401  (makes `import basicsr` work)
from pkdn_basicsr.losses import spectrum_loss
from pkdn_basicsr.losses.spectrum_loss import amplitude_l1, phase_l1

NAMES = ['AmplitudeLoss', 'PhaseLoss']
FUNCTIONS = dict(zip(NAMES, [amplitude_l1, phase_l1], strict=True))
PARTS = dict(zip(NAMES, [abs, cmath.phase], strict=True))
any_loss = pytest.mark.parametrize('name', NAMES)
any_function = pytest.mark.parametrize('function', FUNCTIONS.values(), ids=NAMES)


def image(seed, *shape, dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def build_loss(options):
    from basicsr.losses import build_loss as build

    return build(options)


def loop(part, prediction, target):
    """The formula once more: channel by channel with numpy's FFT, frequency by frequency in Python."""
    terms = []
    for one, other in zip(prediction.flatten(0, 1).numpy(), target.flatten(0, 1).numpy(), strict=True):
        spectra = (np.fft.fft2(x)[:, : x.shape[1] // 2 + 1].flat for x in (one, other))
        terms += [abs(part(complex(f)) - part(complex(g))) for f, g in zip(*spectra, strict=True)]
    return sum(terms) / len(terms)


@any_loss
@pytest.mark.parametrize('size', [(5, 7), (7, 5), (9, 9)])
def test_against_numpy_in_loops(name, size):
    # Odd sides: no frequency but (0, 0), which is positive, is real, so that no phase lies on the cut at pi.
    prediction, target = image(0, 2, 3, *size), image(1, 2, 3, *size)
    assert FUNCTIONS[name](prediction, target).item() == pytest.approx(loop(PARTS[name], prediction, target))


@pytest.mark.parametrize('size', [(4, 6), (8, 5)])
def test_amplitude_of_even_sides_against_numpy_in_loops(size):
    prediction, target = image(0, 2, 3, *size), image(1, 2, 3, *size)
    assert amplitude_l1(prediction, target).item() == pytest.approx(loop(abs, prediction, target))


def test_norm_is_the_plain_sum():
    one, other = torch.ones(1, 1, 4, 6), torch.full((1, 1, 4, 6), 0.5)
    # 24 and 12 at (0, 0), 0 at the 15 other frequencies of the half-spectrum
    assert amplitude_l1(one, other).item() == pytest.approx((24 - 12) / 16)


@pytest.mark.parametrize(('phases', 'expected'), [
    ((0.2, -0.4), 0.6),
    ((math.pi - 0.1, 0.1 - math.pi), 2 * math.pi - 0.2),  # not 0.2: not wrapped, as in the release
])
def test_phase_of_one_frequency(phases, expected):
    spectra = torch.fft.rfft2(image(0, 1, 1, 5, 5)).repeat(2, 1, 1, 1)
    spectra[:, 0, 1, 1] = torch.tensor([cmath.rect(3, phase) for phase in phases])
    prediction, target = torch.fft.irfft2(spectra, s=(5, 5)).split(1)
    assert phase_l1(prediction, target).item() == pytest.approx(expected / (5 * 3), rel=1e-6)


@any_function
def test_gradient(function):
    prediction, target = image(2, 1, 2, 3, 5).requires_grad_(), image(3, 1, 2, 3, 5)
    assert torch.autograd.gradcheck(lambda x: function(x, target), (prediction,))


@any_function
def test_zero_for_equal_images_and_positive_otherwise(function):
    one = image(0, 2, 3, 8, 8, dtype=torch.float32)
    assert function(one, one.clone()).item() == 0
    changed = one.clone()
    changed[1, 2, 3, 0] += 1
    assert function(one, changed).item() > 0


def test_amplitude_ignores_a_cyclic_shift_and_phase_a_positive_factor():
    one, other = image(0, 2, 3, 7, 9), image(1, 2, 3, 7, 9)
    shifted = one.roll((2, 3), dims=(2, 3))
    assert amplitude_l1(shifted, one).item() == pytest.approx(0, abs=1e-12)
    assert phase_l1(shifted, one).item() > 0.1
    assert phase_l1(3 * one, other).item() == pytest.approx(phase_l1(one, other).item())
    assert amplitude_l1(3 * one, other).item() > amplitude_l1(one, other).item()


@any_function
@pytest.mark.parametrize('value', [0.0, 1e-25, 0.5])
def test_flat_images_have_a_finite_gradient(function, value):
    flat = torch.full((1, 3, 8, 8), value, requires_grad=True)
    loss = function(flat, image(0, 1, 3, 8, 8, dtype=torch.float32))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(flat.grad).all()


@any_function
def test_nan_is_not_hidden(function):
    broken = image(0, 1, 3, 4, 4)
    broken[0, 0, 0, 0] = math.nan
    assert torch.isnan(function(broken, image(1, 1, 3, 4, 4)))


@any_function
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(function, dtype):
    one, other = (image(seed, 2, 3, 7, 9).to(dtype) for seed in (0, 1))
    loss = function(one, other)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, function(one.float(), other.float()))


@any_function
def test_autocast_changes_nothing(function):
    one, other = (image(seed, 2, 3, 7, 9, dtype=torch.float32) for seed in (0, 1))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = function(one, other)
    assert found.dtype == torch.float32
    assert torch.equal(found, function(one, other))


@any_function
@pytest.mark.parametrize('shape', [(1, 3, 4, 4), (2, 3, 4, 5), (2, 3, 16)])
def test_unequal_shapes_are_refused(function, shape):
    with pytest.raises(ValueError, match=r'one shape \(B, C, H, W\), found prediction \(2, 3, 4, 4\) and target \(\d'):
        function(torch.zeros(2, 3, 4, 4), torch.zeros(shape))


@any_function
def test_three_dimensions_are_refused(function):
    with pytest.raises(ValueError, match=r'found prediction \(3, 4, 4\)'):
        function(torch.zeros(3, 4, 4), torch.zeros(3, 4, 4))


@any_loss
def test_built_from_yaml_options_equals_the_function(name):
    one, other = image(0, 2, 3, 4, 4), image(1, 2, 3, 4, 4)
    expected = FUNCTIONS[name](one, other)
    plain, weighted = build_loss({'type': name}), build_loss({'type': name, 'loss_weight': 0.01})
    assert type(plain) is getattr(spectrum_loss, name)
    assert torch.equal(plain(one, other), expected)
    assert torch.allclose(weighted(one, other), 0.01 * expected)
    assert not list(plain.parameters())


@any_loss
def test_unknown_option_is_an_error(name):
    with pytest.raises(TypeError, match='los_weight'):
        build_loss({'type': name, 'los_weight': 2.0})
