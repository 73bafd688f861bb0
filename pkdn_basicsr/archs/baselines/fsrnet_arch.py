"""FSRNet: Chen, Tai, Liu, Shen, Yang, "FSRNet: End-to-End Learning Face Super-Resolution with Facial Priors", CVPR
2018.

The first network to use a prior of faces: a coarse result, of which one branch finds features and another the parsing
map, and a decoder that makes the face from both. Re-implemented from a description of public ports (the authors gave
no training code), no code was taken over. As in the ports, the decoder takes the features that the map is read from,
not the map.

Deviations: the native low-resolution face goes in and is enlarged inside, by a bicubic; images are in [0, 1] outside
and [-1, 1], the ports' range, inside; every residual block has weights of its own, where one port repeats a single one.
"""  # noqa: D205

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import BicubicUpsample, check_hr_size

_HOURGLASS_DEPTH = 3


def _conv3(num_in: int, num_out: int, stride: int = 1, padding_mode: str = 'zeros') -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, stride, padding=1, padding_mode=padding_mode, bias=False)


def _norm_act(num_feat: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(num_feat), nn.ReLU(inplace=True)


class _ResidualBlock(nn.Module):
    """Conv3, norm, ReLU, conv3, norm, plus the input; the sides are reflected."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv3(num_feat, num_feat, padding_mode='reflect'), *_norm_act(num_feat),
            _conv3(num_feat, num_feat, padding_mode='reflect'), nn.BatchNorm2d(num_feat),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class _Bottleneck(nn.Module):
    """Pre-activation residual block of stacked hourglasses: conv1 to half the width, conv3, conv1 back."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        half = num_out // 2
        self.shortcut = nn.Conv2d(num_in, num_out, 1) if num_in != num_out else nn.Identity()
        self.body = nn.Sequential(
            *_norm_act(num_in), nn.Conv2d(num_in, half, 1),
            *_norm_act(half), nn.Conv2d(half, half, 3, padding=1),
            *_norm_act(half), nn.Conv2d(half, num_out, 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.body(x)


class _Hourglass(nn.Module):
    """What is seen at half the size, enlarged, plus what is seen at full size; `depth` halvings in all."""

    def __init__(self, num_feat: int, depth: int) -> None:
        super().__init__()
        self.skip = _Bottleneck(num_feat, num_feat)
        self.down = _Bottleneck(num_feat, num_feat)
        self.inner = _Hourglass(num_feat, depth - 1) if depth > 1 else _Bottleneck(num_feat, num_feat)
        self.up = _Bottleneck(num_feat, num_feat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.up(self.inner(self.down(F.max_pool2d(x, 2))))
        return self.skip(x) + F.interpolate(inner, scale_factor=2, mode='nearest')


@ARCH_REGISTRY.register()
class FSRNet(nn.Module):
    """FSRNet with parsing maps as its prior, 3.26 M parameters: low-resolution face in, high-resolution face out.

    Published training: mean squared error of the coarse result, of the result (both in [-1, 1]) and of the prior, in
    equal parts; RMSprop, learning rate 2.5e-4, batch 14.

    Args:
        scale: enlargement; 8 in the paper.
        num_classes: channels K of the prior; 11 facial parts (scheme `fsrnet`), or as many heatmaps as there are.
        num_feat: width; the prior's branch is twice as wide.
        num_blocks: residual blocks in the branch that finds features.
        num_hourglasses: in the branch that finds the prior, one after the other.
    """

    def __init__(
        self,
        scale: int = 8,
        num_classes: int = 11,
        num_feat: int = 64,
        num_blocks: int = 12,
        num_hourglasses: int = 2,
    ) -> None:
        super().__init__()
        self.scale = scale  # `num_classes` is no attribute: it is the mark of a network that takes a map
        num_prior = 2 * num_feat
        self.upsample = BicubicUpsample(scale)
        self.coarse = nn.Sequential(
            _conv3(3, num_feat), *_norm_act(num_feat),
            *(_ResidualBlock(num_feat) for _ in range(3)),
            _conv3(num_feat, 3), nn.Tanh(),
        )  # fmt: skip
        self.encoder = nn.Sequential(
            _conv3(3, num_feat, stride=2), *_norm_act(num_feat),
            *(_ResidualBlock(num_feat) for _ in range(num_blocks)),
            _conv3(num_feat, num_feat), nn.Tanh(),
        )  # fmt: skip
        self.prior = nn.Sequential(
            nn.Conv2d(3, num_feat, 7, stride=2, padding=3, bias=False), *_norm_act(num_feat),
            _Bottleneck(num_feat, num_prior),
            *(_ResidualBlock(num_prior) for _ in range(2)),
            *(_Hourglass(num_prior, _HOURGLASS_DEPTH) for _ in range(num_hourglasses)),
        )  # fmt: skip
        self.prior_head = nn.Conv2d(num_prior, num_classes, 1)
        self.decoder = nn.Sequential(
            _conv3(num_feat + num_prior, num_feat), *_norm_act(num_feat),
            nn.ConvTranspose2d(num_feat, num_feat, 3, stride=2, padding=1, output_padding=1, bias=False),
            *_norm_act(num_feat),
            *(_ResidualBlock(num_feat) for _ in range(3)),
            _conv3(num_feat, 3), nn.Tanh(),
        )  # fmt: skip

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)` in [0, 1]; both sides must be multiples of 16."""
        return self.forward_outputs(lq)['sr']

    def forward_outputs(self, lq: torch.Tensor) -> dict[str, torch.Tensor]:
        """As `forward`, with everything that is supervised.

        Returns:
            coarse: the first result, shaped and ranged as `sr`.
            prior: `(B, K, s*h / 2, s*w / 2)`, near 1 where a class is and near 0 elsewhere, once trained.
            sr: the result.
        """
        check_hr_size(self, lq, self.scale, multiple=2 * 2**_HOURGLASS_DEPTH)
        coarse = self.coarse(2 * self.upsample(lq) - 1)
        prior = self.prior(coarse)
        sr = self.decoder(torch.cat([self.encoder(coarse), prior], dim=1))
        outputs = {'coarse': (coarse + 1) / 2, 'prior': self.prior_head(prior), 'sr': (sr + 1) / 2}
        return {name: output.contiguous() for name, output in outputs.items()}
