"""SPARNet: Chen, Gong, Wang, Li, Wong, "Learning Spatial Attention for Face Super-Resolution", IEEE Transactions on
Image Processing 30, 2021 (online 2020).

A residual autoencoder whose every unit weighs its residual by a spatial attention map, found by a small hourglass.
Re-implemented from a description of the released networks, no code was taken over. The released depth of 10 body
units gives 10.5 M parameters; the paper states 9.9 M.

Deviations from what the authors run: the native low-resolution face goes in and is enlarged inside, by a bicubic;
images are in [0, 1] outside and [-1, 1], the authors' range, inside; the hourglass enlarges a map to the size of its
skip instead of by 2, which is the same wherever the sides are multiples of 32 and lets other multiples of 8 work.
"""  # noqa: D205

from typing import Literal

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from pkdn_basicsr.archs.layers import BicubicUpsample, Hourglass, check_hr_size

Attention = Literal['2d', '3d']


def _conv3(num_in: int, num_out: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, stride, padding=1, padding_mode='reflect', bias=bias)


def _conv_norm_act(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv3(num_in, num_out, stride, bias=False), nn.BatchNorm2d(num_out), _activation())


def _activation() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.2, inplace=True)


class _Hourglass(Hourglass):
    """The attention map `(B, num_gates, H, W)` in (0, 1) of `(B, num_in, H, W)`, looked for on `depth` halvings."""

    def __init__(self, num_in: int, num_gates: int, num_inner: int, depth: int) -> None:
        super().__init__(num_in, num_inner, depth, _conv_norm_act)
        self.gate = _conv3(num_inner, num_gates)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.gate(super().forward(x)))


class _FaceAttentionUnit(nn.Module):
    """Pre-activation residual unit; its residual, not its shortcut, is weighed by the hourglass's attention map.

    Down-sampling is a stride in the second convolution, up-sampling a nearest enlargement before the first.
    """

    def __init__(
        self,
        num_in: int,
        num_out: int,
        depth: int,
        num_inner: int,
        attention: Attention,
        resample: Literal['down', 'up', None] = None,
    ) -> None:
        super().__init__()
        stride = 2 if resample == 'down' else 1
        enlarge = nn.Upsample(scale_factor=2, mode='nearest') if resample == 'up' else nn.Identity()
        changes = num_in != num_out or resample is not None
        self.shortcut = nn.Sequential(enlarge, _conv3(num_in, num_out, stride)) if changes else nn.Identity()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(num_in),
            _activation(),
            enlarge,
            _conv_norm_act(num_in, num_out),
            _conv3(num_out, num_out, stride, bias=False),
            nn.BatchNorm2d(num_out),
        )
        self.attention = _Hourglass(num_out, num_out if attention == '3d' else 1, num_inner, depth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.residual(x)
        return torch.addcmul(self.shortcut(x), residual, self.attention(residual))


@ARCH_REGISTRY.register()
class SPARNet(nn.Module):
    """SPARNet as released, 10.5 M parameters: low-resolution face in, high-resolution face out.

    Published training: L1, Adam 2e-4 with betas (0.9, 0.99), batch 32, 20 epochs.

    Args:
        scale: enlargement; 8 in the paper.
        num_feat: width at full resolution; it doubles at the first two halvings. The hourglasses are twice as wide,
            64 as released (that they follow `num_feat` is our choice).
        num_blocks: units in the body, between encoder and decoder.
        attention: '2d' for one map for all channels, '3d' for one map a channel.
    """

    def __init__(
        self, scale: int = 8, num_feat: int = 32, num_blocks: int = 10, attention: Attention = '2d'
    ) -> None:
        super().__init__()
        if attention not in ('2d', '3d'):
            raise ValueError(f"Expected attention '2d' or '3d'. Got {attention!r}.")
        self.scale = scale
        narrow, middle, wide = num_feat, 2 * num_feat, 4 * num_feat

        def unit(num_in: int, num_out: int, depth: int, resample: Literal['down', 'up', None] = None) -> nn.Module:
            return _FaceAttentionUnit(num_in, num_out, depth, 2 * num_feat, attention, resample)

        self.upsample = BicubicUpsample(scale)
        self.head = _conv3(3, narrow)
        self.encoder = nn.Sequential(
            unit(narrow, middle, 4, 'down'), unit(middle, wide, 3, 'down'), unit(wide, wide, 2, 'down')
        )
        self.body = nn.Sequential(*(unit(wide, wide, 2) for _ in range(num_blocks)))
        self.decoder = nn.Sequential(
            unit(wide, wide, 3, 'up'), unit(wide, middle, 4, 'up'), unit(middle, narrow, 5, 'up')
        )
        self.tail = _conv3(narrow, 3)
        self.apply(_initialise)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`, each side a multiple of 8 and at least 64."""
        check_hr_size(self, lq, self.scale, multiple=8, least=64)
        x = 2 * self.upsample(lq) - 1
        x = self.tail(self.decoder(self.body(self.encoder(self.head(x)))))
        return ((x + 1) / 2).contiguous()


@ARCH_REGISTRY.register()
class SPARNetLight(SPARNet):
    """The authors' light variant, 5.24 M parameters: one body unit, and an attention map for every channel.

    Args:
        scale: see `SPARNet`.
        num_feat: see `SPARNet`.
        num_blocks: see `SPARNet`.
    """

    def __init__(self, scale: int = 8, num_feat: int = 32, num_blocks: int = 1) -> None:
        super().__init__(scale, num_feat, num_blocks, attention='3d')


def _initialise(module: nn.Module) -> None:
    """Start as the authors do: convolutions from N(0, 0.02), norms from N(1, 0.02); biases at 0 are ours."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
    if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)) and module.bias is not None:
        nn.init.zeros_(module.bias)
