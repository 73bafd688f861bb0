import math

import pytest
import torch
from basicsr.losses import build_loss
from torch.nn import functional as F

from pkdn_basicsr.losses.parsing_loss import ParsingLoss, frequency_weights, soft_dice, weighted_cross_entropy

IGNORE = 255
FREQUENCIES = [0.5, 0.25, 0.2, 0.05]


def sample(seed=0, unknown=True, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, 4, 3, 5, generator=generator, dtype=dtype)
    parsing = torch.randint(3, (2, 3, 5), generator=generator, dtype=torch.uint8)  # class 3 does not occur
    if unknown:
        parsing[0, 0] = IGNORE
    return logits, parsing


def known_pixels(logits, parsing):
    """(probabilities of the classes, true class) of every pixel that is known, as plain numbers."""
    for image, labels in zip(logits.tolist(), parsing.tolist(), strict=True):
        for y, row in enumerate(labels):
            for x, label in enumerate(row):
                if label != IGNORE:
                    powers = [math.exp(channel[y][x]) for channel in image]
                    yield [power / sum(powers) for power in powers], label


def loop_cross_entropy(logits, parsing, weights):
    pixels = list(known_pixels(logits, parsing))
    return (sum(-weights[label] * math.log(p[label]) for p, label in pixels)
            / sum(weights[label] for _, label in pixels))


def loop_dice(logits, parsing):
    pixels = list(known_pixels(logits, parsing))
    losses = []
    for k in {label for _, label in pixels}:
        shared = sum(p[k] for p, label in pixels if label == k)
        sizes = sum(p[k] for p, _ in pixels) + sum(label == k for _, label in pixels)
        losses.append(1 - 2 * shared / sizes)
    return sum(losses) / len(losses)


@pytest.mark.parametrize('unknown', [False, True])
def test_against_the_formula_in_loops(unknown):
    logits, parsing = sample(unknown=unknown)
    weights = [frequency ** -0.5 for frequency in FREQUENCIES]
    entropy = loop_cross_entropy(logits, parsing, weights)
    assert weighted_cross_entropy(logits, parsing).item() == pytest.approx(loop_cross_entropy(logits, parsing, [1] * 4))
    assert weighted_cross_entropy(logits, parsing, torch.tensor(weights, dtype=torch.float64)).item() == pytest.approx(
        entropy)
    dice = loop_dice(logits, parsing)
    assert soft_dice(logits, parsing).item() == pytest.approx(dice)
    loss = ParsingLoss(FREQUENCIES, dice_weight=0.5, loss_weight=3).double()
    assert loss(logits, parsing).item() == pytest.approx(3 * (entropy + 0.5 * dice), rel=1e-6)


def test_without_frequencies_it_is_torchs_cross_entropy_plus_dice():
    logits, parsing = sample()
    expected = F.cross_entropy(logits, parsing.long(), ignore_index=IGNORE) + soft_dice(logits, parsing)
    torch.testing.assert_close(ParsingLoss()(logits, parsing), expected)


def test_only_the_ratios_of_weights_matter():
    logits, parsing = sample()
    weights = frequency_weights(FREQUENCIES).double()
    torch.testing.assert_close(weights, torch.tensor([1 / math.sqrt(f) for f in FREQUENCIES]).double())
    torch.testing.assert_close(weighted_cross_entropy(logits, parsing, weights),
                               weighted_cross_entropy(logits, parsing, 7 * weights))


def test_dice_is_zero_for_certain_and_right_and_one_for_certain_and_wrong():
    parsing = torch.tensor([[[0, 1], [2, 2]]], dtype=torch.uint8)
    right = 200. * F.one_hot(parsing.long(), 3).permute(0, 3, 1, 2)
    assert soft_dice(right, parsing).item() == pytest.approx(0, abs=1e-6)
    assert soft_dice(right.roll(1, dims=1), parsing).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize('function', [weighted_cross_entropy, soft_dice])
def test_unknown_pixels_do_not_count(function):
    logits, parsing = sample()
    other = logits.clone()
    other[0, :, 0] = 50 * torch.randn(4, 5, dtype=torch.float64)
    assert function(logits, parsing) == function(other, parsing)


@pytest.mark.parametrize('function', [weighted_cross_entropy, soft_dice])
def test_gradient(function):
    logits, parsing = sample()
    assert torch.autograd.gradcheck(lambda x: function(x, parsing), (logits.requires_grad_(),))


def test_dice_of_a_single_pixel():
    logits = torch.tensor([1., 3.]).view(1, 2, 1, 1)
    probability = torch.softmax(logits, 1)[0, 1].item()
    assert soft_dice(logits, torch.ones(1, 1, 1)).item() == pytest.approx(1 - 2 * probability / (probability + 1))


def test_nothing_known_is_no_loss_and_no_gradient():
    logits, parsing = sample()
    logits.requires_grad_()
    loss = ParsingLoss(FREQUENCIES).double()(logits, torch.full_like(parsing, IGNORE))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_half_precision_scores_are_summed_in_float32():
    logits, parsing = sample(dtype=torch.float32)
    half = logits.to(torch.bfloat16)
    loss = ParsingLoss(FREQUENCIES)(half, parsing)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, ParsingLoss(FREQUENCIES)(half.float(), parsing))


def test_option_files_build_it_and_training_has_no_parameters_of_it():
    loss = build_loss({'type': 'ParsingLoss', 'class_frequencies': FREQUENCIES})
    assert isinstance(loss, ParsingLoss)
    assert not list(loss.parameters())


def test_wrong_input_is_named():
    logits, parsing = sample()
    with pytest.raises(ValueError, match=r'found \(2, 4, 3, 5\) and \(2, 3, 4\)'):
        soft_dice(logits, parsing[..., :-1])
    with pytest.raises(ValueError, match='each of the 4 classes, found 3'):
        ParsingLoss(FREQUENCIES[:3])(logits, parsing)
    with pytest.raises(ValueError, match='above 0, found 0'):
        ParsingLoss([0.5, 0.5, 0])
