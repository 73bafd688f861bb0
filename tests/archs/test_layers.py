import numpy as np
import pytest
import torch
from PIL import Image

import pkdn_basicsr  # noqa: F401
from pkdn_basicsr.archs.layers import RCAB, BicubicUpsample, ChannelAttention, Down, Up, check_hr_size
from pkdn_basicsr.report.complexity import count_parameters


def _as_tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize('scale', [2, 4, 8])
def test_bicubic_is_pils(scale):
    # middle greys, because PIL rounds and clamps between its two passes: noise of full contrast would differ by more
    picture = np.random.default_rng(0).integers(64, 192, (16, 12, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(picture).resize((12 * scale, 16 * scale), Image.Resampling.BICUBIC))
    enlarged = BicubicUpsample(scale)(_as_tensor(picture))
    got = (enlarged.clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy()
    assert np.abs(got - expected).max() <= 1  # torch's default kernel, a = -0.75, is up to 20 levels off


def test_bicubic_keeps_overshoot_and_is_channels_last():
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1
    enlarged = BicubicUpsample(8)(step)
    assert enlarged.min() < 0
    assert enlarged.max() > 1
    assert enlarged.is_contiguous(memory_format=torch.channels_last)


def test_bicubic_has_nothing_to_store():
    assert BicubicUpsample(8).state_dict() == {}


@pytest.mark.parametrize('use_max', [False, True])
def test_channel_attention_against_loops(use_max):
    torch.manual_seed(0)
    attention = ChannelAttention(6, squeeze_factor=3, use_max=use_max)
    x = torch.randn(2, 6, 5, 4)
    w1, b1, w2, b2 = (parameter.detach().numpy().squeeze() for parameter in attention.parameters())
    expected = np.empty(x.shape)
    for n, image in enumerate(x.numpy()):
        pooled = [[channel.mean() for channel in image]] + ([[channel.max() for channel in image]] if use_max else [])
        logits = sum(w2 @ np.maximum(w1 @ np.array(values) + b1, 0) + b2 for values in pooled)
        for c in range(6):
            expected[n, c] = image[c] / (1 + np.exp(-logits[c]))
    np.testing.assert_allclose(attention(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_channel_attention_max_branch_adds_no_parameters():
    assert count_parameters(ChannelAttention(64)) == 64 * 4 + 4 + 4 * 64 + 64
    assert count_parameters(ChannelAttention(64, use_max=True)) == count_parameters(ChannelAttention(64))


def test_channel_attention_bottleneck_is_never_empty():
    assert count_parameters(ChannelAttention(8, squeeze_factor=16)) == 8 + 1 + 8 + 8


def test_rcab_against_its_parts():
    torch.manual_seed(0)
    block = RCAB(8, squeeze_factor=4)
    x = torch.randn(2, 8, 6, 7)
    residual = block.conv2(torch.relu(block.conv1(x)))
    torch.testing.assert_close(block(x), x + block.attention(residual))


def test_rcab_count_and_gradients():
    block = RCAB(64)
    assert count_parameters(block) == 74_436
    x = torch.randn(2, 64, 4, 4, requires_grad=True)
    block(x).square().mean().backward()
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in block.parameters())


def test_down_reads_every_pixel_of_its_window():
    down = Down(2, 8)
    torch.nn.init.dirac_(down.conv.weight)  # the convolution hands its eight inputs on
    torch.nn.init.zeros_(down.conv.bias)
    x = torch.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)
    expected = torch.stack([x[0, c, i::2, j::2] for c in range(2) for i in range(2) for j in range(2)])[None]
    torch.testing.assert_close(down(x), expected)


def test_up_writes_every_pixel_of_its_window():
    up = Up(8, 2)
    torch.nn.init.dirac_(up.conv.weight)
    torch.nn.init.zeros_(up.conv.bias)
    x = torch.arange(8 * 2 * 3.0).reshape(1, 8, 2, 3)
    got = up(x)
    assert got.shape == (1, 2, 4, 6)
    for c in range(2):
        for i in range(2):
            for j in range(2):
                torch.testing.assert_close(got[:, c, i::2, j::2], x[:, 4 * c + 2 * i + j])


def test_down_and_up_counts():
    assert count_parameters(Down(64, 64)) == 147_520
    assert count_parameters(Up(64, 64)) == 147_712
    assert count_parameters(Down(3, 5)) == 9 * 12 * 5 + 5
    assert count_parameters(Up(3, 5)) == 9 * 3 * 20 + 20


@pytest.mark.parametrize('block', [RCAB(8), Down(8, 8), Up(8, 8), ChannelAttention(8)])
def test_blocks_keep_channels_last(block):
    x = torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    assert block(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(('size', 'scale', 'multiple', 'least'), [((4, 6), 8, 16, 1), ((8, 9), 8, 8, 64)])
def test_hr_size_that_works(size, scale, multiple, least):
    check_hr_size(torch.nn.Identity(), torch.zeros(1, 3, *size), scale, multiple, least)


@pytest.mark.parametrize(
    ('size', 'scale', 'multiple', 'least', 'works'),
    [
        ((15, 16), 8, 16, 1, '2, 4, 6'),
        ((16, 15), 8, 16, 1, '2, 4, 6'),
        ((7, 16), 8, 8, 64, '8, 9, 10'),
        ((30, 32), 2, 8, 64, '32, 36, 40'),
        ((9, 9), 3, 16, 64, '32, 48, 64'),
    ],
)
def test_hr_size_that_does_not_work(size, scale, multiple, least, works):
    with pytest.raises(ValueError, match=rf'multiples of {multiple} and at least .*at this scale: {works}, '):
        check_hr_size(torch.nn.Identity(), torch.zeros(1, 3, *size), scale, multiple, least)
