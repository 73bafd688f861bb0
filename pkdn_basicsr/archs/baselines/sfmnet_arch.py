"""SFMNet: Wang, Jiang, Zhong, Liu, "Spatial-Frequency Mutual Learning for Face Super-Resolution", CVPR 2023.

Two U-shaped branches of one topology side by side. The spatial one sees what is near; the frequency one filters the
amplitude and the phase of the Fourier transform, where every value depends on the whole face. After each of 14 units a
fusion block hands the frequency feature over to the spatial branch, whose image is the result. Re-implemented from a
description of the released network, no code was taken over.

Deviations from what the authors run: the native low-resolution face goes in and is enlarged inside (they feed a
bicubic enlargement made beforehand); the second attention of each fusion block, which nothing uses, is left out (8.55 M
of 8.80 M parameters remain); NaN and infinity are not replaced by 1e-5, so that a run that diverges is seen; 1e-8 is
not added around the transform, because the gradients of amplitude and phase are 0 at 0 as taken here.

A phase jumps by 2 pi where it wraps around, so that rounding errors grow: with random weights, results of one face
differ by up to 5e-3 between batch sizes or thread counts, where other networks differ by 1e-6.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import BicubicUpsample, check_hr_size

_NUM_LEVELS = 3

Features = tuple[torch.Tensor, torch.Tensor]  # of the spatial and of the frequency branch, (B, C, H, W) each


def _conv3(num_in: int, num_out: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, padding=1, bias=bias)


def _to_tokens(x: torch.Tensor) -> torch.Tensor:
    """`(B, C, H, W)` as `(B, H * W, C)`, a view of what is channels-last in memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _to_image(tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """`(B, H * W, C)` as `(B, C, H, W)`, channels-last in memory."""
    return tokens.unflatten(1, size).permute(0, 3, 1, 2)


def _without_autocast(x: torch.Tensor) -> AbstractContextManager:
    """For what must not be rounded to half precision; the meta device knows no autocast."""
    device_type = x.device.type
    available = torch.amp.is_autocast_available(device_type)
    return torch.autocast(device_type, enabled=False) if available else nullcontext()


def _at_least_float32(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


# `abs` and `angle` of complex numbers, and torch.polar, take about three times as long on a CPU as these two.
def _to_polar(spectrum: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Amplitude and phase; a value of 0 gets no gradient."""
    real, imag = spectrum.real.contiguous(), spectrum.imag.contiguous()
    return torch.addcmul(real.square(), imag, imag).clamp_min(1e-24).sqrt(), torch.atan2(imag, real)


def _from_polar(amplitude: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
    return torch.complex(amplitude * phase.cos(), amplitude * phase.sin())


def _down(num_feat: int) -> nn.Sequential:
    """The second convolution is the paper's pixel-unshuffle 2 and 1x1 convolution `4 C -> C` in one."""
    return nn.Sequential(_conv3(num_feat, num_feat), nn.Conv2d(num_feat, num_feat, 2, stride=2, bias=False))


def _up(num_feat: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(num_feat, 4 * num_feat, 1), nn.PixelShuffle(2), nn.PReLU())


def _stay(num_feat: int) -> nn.Sequential:
    return nn.Sequential()


class _ResidualBlock(nn.Module):
    """Two convolutions; the ReLU comes after the sum."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = _conv3(num_feat, num_feat)
        self.conv2 = _conv3(num_feat, num_feat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(F.relu(self.conv1(x), inplace=True)).add_(x).relu_()


class _SpatialUnit(nn.Module):
    """Two residual blocks and a convolution, beside a shortcut with a learned factor."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _ResidualBlock(num_feat), _ResidualBlock(num_feat), _conv3(num_feat, num_feat), nn.PReLU()
        )
        self.shortcut = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x).addcmul_(x, self.shortcut)


class _SpectrumFilter(nn.Module):
    """Residual pair of convolutions over one real half-spectrum."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = _conv3(num_feat, num_feat, bias=True)
        self.conv2 = _conv3(num_feat, num_feat, bias=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(F.leaky_relu(self.conv1(x), 0.1, inplace=True)).add_(x)


class _FrequencyUnit(nn.Module):
    """Filters amplitude and phase of the Fourier transform separately, between two 1x1 convolutions.

    The second is a `Linear`, which takes the transform's result in the order in memory that it has.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(num_feat, num_feat, 1)
        self.amplitude = _SpectrumFilter(num_feat)
        self.phase = _SpectrumFilter(num_feat)
        self.leave = nn.Linear(num_feat, num_feat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        filtered = self._filter(self.enter(x)).abs_()
        return _to_image(self.leave(_to_tokens(filtered)), x.shape[2:]).add_(x)

    def _filter(self, x: torch.Tensor) -> torch.Tensor:
        """In float32 whatever the autocast: 8 bits are too few for a phase, and no FFT takes bfloat16."""
        with _without_autocast(x):
            amplitude, phase = _to_polar(torch.fft.rfft2(_at_least_float32(x)))
            spectrum = _from_polar(self.amplitude(amplitude), self.phase(phase))
            return torch.fft.irfft2(spectrum, s=x.shape[-2:])


class _CrossAttention(nn.Module):
    """Adds to a feature a mixture of another's channels, by how alike the channels of the two are (Restormer's type).

    The channels are split into heads; within a head the query of `x` is compared with the key of `other`.
    """

    def __init__(self, num_feat: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = self._projection(num_feat, num_feat)
        self.key_value = self._projection(num_feat, 2 * num_feat)
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.output = nn.Linear(num_feat, num_feat, bias=False)

    @staticmethod
    def _projection(num_in: int, num_out: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(num_in, num_out, 1, bias=False),
            nn.Conv2d(num_out, num_out, 3, padding=1, groups=num_out, bias=False),
        )

    def forward(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        query = _to_tokens(self.query(x))
        key, value = _to_tokens(self.key_value(other)).chunk(2, dim=2)
        weights = self._channel_weights(query, key)
        # Both products are linear in `value`. Joined into one C x C matrix they go over the image once, not twice.
        mixture = weights.transpose(2, 3) @ self.output.weight.t().unflatten(0, (self.num_heads, -1))
        return _to_image(value @ mixture.flatten(1, 2), x.shape[2:]).add_(x)

    def _channel_weights(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """`(B, heads, d, d)`, rows that sum to 1, from the cosines between the channels of `(B, H * W, heads * d)`.

        The sums over the image stay in float32, they overflow float16. Dividing the sums by the lengths of the
        channels, rather than the channels themselves, spares two passes over the image.
        """
        with _without_autocast(query):
            query, key = (_at_least_float32(x).unflatten(2, (self.num_heads, -1)).permute(0, 2, 3, 1)
                          for x in (query, key))
            lengths = [x.square().sum(dim=3, keepdim=True).clamp_min(1e-24).sqrt() for x in (query, key)]
            cosines = query @ key.transpose(2, 3) / (lengths[0] * lengths[1].transpose(2, 3))
            return torch.softmax(cosines * self.temperature, dim=3)


class _Fusion(nn.Module):
    """Lets a spatial and a frequency feature attend to each other, and adds them by gates in (0, 1)."""

    def __init__(self, num_feat: int, num_heads: int) -> None:
        super().__init__()
        self.spatial = _conv3(num_feat, num_feat, bias=True)
        self.frequency = _conv3(num_feat, num_feat, bias=True)
        self.attention = _CrossAttention(num_feat, num_heads)
        self.gates = nn.Sequential(
            _conv3(2 * num_feat, num_feat, bias=True), _conv3(num_feat, 2 * num_feat, bias=True)
        )

    def forward(self, spatial: torch.Tensor, frequency: torch.Tensor) -> torch.Tensor:
        spatial, frequency = self.spatial(spatial), self.frequency(frequency)
        frequency = self.attention(frequency, spatial)
        spatial = self.attention(spatial, frequency)
        gates = self.gates(torch.cat([frequency, spatial], dim=1)).sigmoid_()
        frequency_gate, spatial_gate = gates.chunk(2, dim=1)
        return (frequency * frequency_gate).addcmul_(spatial, spatial_gate)


class _Stage(nn.Module):
    """Both branches at one resolution: resampling, then twice a unit in each and a fusion into the spatial one."""

    def __init__(self, resample: Callable[[int], nn.Sequential], num_feat: int, num_heads: int) -> None:
        super().__init__()
        self.spatial_resample = resample(num_feat)
        self.spatial_units = nn.ModuleList(_SpatialUnit(num_feat) for _ in range(2))
        self.frequency_resample = resample(num_feat)
        self.frequency_units = nn.ModuleList(_FrequencyUnit(num_feat) for _ in range(2))
        self.fusions = nn.ModuleList(_Fusion(num_feat, num_heads) for _ in range(2))

    def forward(self, features: Features, skip: Features | None = None) -> tuple[Features, Features]:
        """Both features for the next stage, and as they were before the second fusion, for a skip connection.

        `skip` is added after the second units.
        """
        spatial, frequency = self.spatial_resample(features[0]), self.frequency_resample(features[1])
        frequency = self.frequency_units[0](frequency)
        spatial = self.fusions[0](self.spatial_units[0](spatial), frequency)
        spatial, frequency = self.spatial_units[1](spatial), self.frequency_units[1](frequency)
        if skip is not None:
            spatial, frequency = spatial + skip[0], frequency + skip[1]
        return (self.fusions[1](spatial, frequency), frequency), (spatial, frequency)


@ARCH_REGISTRY.register()
class SFMNet(nn.Module):
    """SFMNet, 8.55 M parameters: low-resolution face in, high-resolution face out.

    Published training: L1 on the images of both branches, plus 0.01 times the L1 distances of amplitude and of phase
    (`AmplitudeLoss`, `PhaseLoss`) on the frequency branch's; Adam 1e-4 with betas (0.9, 0.99), batch 8, 50 epochs.

    Args:
        scale: enlargement; 4, 8 or 16 in the paper.
        num_feat: width of every feature map.
        num_heads: heads of the attention in the fusion blocks; divides `num_feat`.
    """

    def __init__(self, scale: int = 8, num_feat: int = 64, num_heads: int = 8) -> None:
        super().__init__()
        if num_feat % num_heads:
            raise ValueError(f'Expected num_heads to divide num_feat. Got {num_heads} and {num_feat}.')
        self.scale = scale
        self.upsample = BicubicUpsample(scale)
        self.heads = nn.ModuleList(nn.Sequential(_conv3(3, num_feat), nn.PReLU()) for _ in range(2))
        self.encoder = nn.ModuleList(_Stage(_down, num_feat, num_heads) for _ in range(_NUM_LEVELS))
        self.decoder = nn.ModuleList(
            _Stage(resample, num_feat, num_heads) for resample in [_stay] + [_up] * _NUM_LEVELS
        )
        self.tails = nn.ModuleList(nn.Sequential(_conv3(num_feat, 3), nn.PReLU()) for _ in range(2))

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`; `s*h` and `s*w` must be multiples of 8."""
        return self.forward_outputs(lq)['sr']

    def forward_outputs(self, lq: torch.Tensor) -> dict[str, torch.Tensor]:
        """As `forward`, with the images of both branches: `sr`, the result, and `frequency`."""
        check_hr_size(self, lq, self.scale, multiple=2**_NUM_LEVELS)
        enlarged = self.upsample(lq)
        features = tuple(head(enlarged) for head in self.heads)
        skips = [features]
        for stage in self.encoder:
            features, skip = stage(features)
            skips.append(skip)
        for stage in self.decoder:
            features, _ = stage(features, skips.pop())
        images = [(enlarged + tail(x)).contiguous() for tail, x in zip(self.tails, features, strict=True)]
        return dict(zip(['sr', 'frequency'], images, strict=True))
