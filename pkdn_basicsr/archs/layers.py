"""Blocks that two or more networks use. Feature maps are `(B, C, H, W)` throughout."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F


class BicubicUpsample(nn.Module):
    """Bicubic enlargement equal to PIL's, without parameters.

    `antialias=True` is what chooses the kernel (a = -0.5, as PIL and MATLAB); without it torch takes a = -0.75, which
    reads 0.13 dB too high on faces. The result is not clamped: like any bicubic it over- and undershoots at edges.

    It is handed on channels-last in memory, and every block here keeps that order: on a CPU the networks are about a
    third quicker so than with torch's default order, which each convolution would have to rearrange and put back. A
    network returns its result in the default order (`.contiguous()`): the host's discriminators call `view` on it.

    Args:
        scale: whole factor by which both sides grow.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Enlarge `(B, C, h, w)` to `(B, C, scale * h, scale * w)`."""
        enlarged = F.interpolate(x, scale_factor=self.scale, mode='bicubic', antialias=True)
        return enlarged.contiguous(memory_format=torch.channels_last)


class ChannelAttention(nn.Module):
    """One gate in (0, 1) for each channel, from what the channel holds over the whole image.

    With average pooling alone this is the channel attention of RCAN (Zhang et al., "Image Super-Resolution Using Very
    Deep Residual Channel Attention Networks", ECCV 2018); with `use_max` that of CBAM (Woo et al., "CBAM:
    Convolutional Block Attention Module", ECCV 2018), where the maximum goes through the same bottleneck and is added
    before the sigmoid. Biases as in RCAN.

    Args:
        num_feat: channels C.
        squeeze_factor: the bottleneck is `num_feat // squeeze_factor` wide, and at least 1.
        use_max: add the max-pooled branch.
    """

    def __init__(self, num_feat: int, squeeze_factor: int = 16, use_max: bool = False) -> None:
        super().__init__()
        num_squeezed = max(num_feat // squeeze_factor, 1)
        self.use_max = use_max
        self.bottleneck = nn.Sequential(
            nn.Conv2d(num_feat, num_squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_squeezed, num_feat, 1),
        )

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        """The weights alone, `(B, C, 1, 1)` in (0, 1), for a block that fuses the product with its own sum."""
        logits = self.bottleneck(x.mean((2, 3), keepdim=True))
        if self.use_max:
            logits = logits + self.bottleneck(x.amax((2, 3), keepdim=True))
        return torch.sigmoid(logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weigh the channels of `(B, C, H, W)`."""
        return x * self.gate(x)


class RCAB(nn.Module):
    """Residual channel attention block of RCAN: conv3, ReLU, conv3, channel attention, plus the input.

    Args:
        num_feat: channels in and out.
        squeeze_factor: see `ChannelAttention`.
    """

    def __init__(self, num_feat: int, squeeze_factor: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.attention = ChannelAttention(num_feat, squeeze_factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `(B, C, H, W)`."""
        residual = self.conv2(F.relu(self.conv1(x), inplace=True))
        return torch.addcmul(x, residual, self.attention.gate(residual))  # x + residual * gate in one pass


class Down(nn.Module):
    """Halve the sides without losing a value: pixel-unshuffle 2, then conv3 `4 * num_in -> num_out`."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4 * num_in, num_out, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take `(B, num_in, H, W)` with even sides to `(B, num_out, H / 2, W / 2)`."""
        return self.conv(F.pixel_unshuffle(x, 2))


class Up(nn.Module):
    """Double the sides: conv3 `num_in -> 4 * num_out`, then pixel-shuffle 2."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_in, 4 * num_out, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take `(B, num_in, H, W)` to `(B, num_out, 2 H, 2 W)`."""
        return F.pixel_shuffle(self.conv(x), 2)


class Hourglass(nn.Module):
    """SPARNet's hourglass (Chen et al., TIP 2021), which CTCNet takes over, without the gate at its end.

    Every halving keeps a convolution of what comes in, which the way back adds.

    Args:
        num_in: channels that come in.
        num_inner: channels inside, and that come out.
        depth: halvings.
        conv_norm_act: `(num_in, num_out, stride=1)` -> one of its convolutions, with norm and activation.
    """

    def __init__(
        self, num_in: int, num_inner: int, depth: int, conv_norm_act: Callable[..., nn.Module]
    ) -> None:
        super().__init__()
        widths = [num_in] + [num_inner] * (depth - 1)
        self.keep = nn.ModuleList(conv_norm_act(width, num_inner) for width in widths)
        self.down = nn.ModuleList(conv_norm_act(width, num_inner, stride=2) for width in widths)
        self.middle = conv_norm_act(num_inner, num_inner)
        self.up = nn.ModuleList(conv_norm_act(num_inner, num_inner) for _ in widths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take `(B, num_in, H, W)` to `(B, num_inner, H, W)`."""
        kept = []
        for keep, down in zip(self.keep, self.down, strict=True):
            kept.append(keep(x))
            x = down(x)
        x = self.middle(x)
        for up in self.up:
            skip = kept.pop()
            x = skip + up(F.interpolate(x, size=skip.shape[-2:], mode='nearest'))
        return x


def check_hr_size(network: nn.Module, lq: torch.Tensor, scale: int, multiple: int, least: int = 1) -> None:
    """Raise a ValueError that states the rule if `network` cannot work on `lq` `(B, C, h, w)` enlarged `scale` times.

    Args:
        network: named in the message.
        lq: the low-resolution input.
        scale: enlargement.
        multiple: both sides of the high-resolution image must be multiples of this.
        least: and at least this long.
    """
    height, width = (int(scale * side) for side in lq.shape[-2:])
    if height % multiple == 0 and width % multiple == 0 and min(height, width) >= least:
        return
    step = multiple // math.gcd(multiple, scale)  # an LR side in multiples of this gives an HR side in `multiple`
    smallest = max(-(-least // (scale * step)), 1) * step
    raise ValueError(
        f'{type(network).__name__} needs high-resolution sides that are multiples of {multiple} and at least '
        f'{max(least, multiple)}. Got {height}x{width}, from a {lq.shape[-2]}x{lq.shape[-1]} input at scale {scale}. '
        f'Input sides that work at this scale: {smallest}, {smallest + step}, {smallest + 2 * step}, ...'
    )
