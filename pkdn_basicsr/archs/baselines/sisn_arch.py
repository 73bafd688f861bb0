"""SISN: Lu, Wang, Zhang, Wang, Liu, Wang, Jiang, "Face Hallucination via Split-Attention in Split-Attention Network",
ACM International Conference on Multimedia, 2021.

Groups of split-attention blocks work at low resolution; beside each group's row of blocks a single block replaces the
usual identity, so that structure and detail go two ways. Re-implemented from a description of the released network, no
code was taken over.

Deviations from what the authors run: images are in [0, 1] outside and 0..255, the authors' range, inside; the face is
not enlarged by nearest neighbour and pixel-unshuffled at once, which gives every pixel scale² times, but repeated; a
convolution in every block that nothing uses is left out.
"""  # noqa: D205

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import Up

_NUM_SPLITS = 4
_MEAN = (0.4488, 0.4371, 0.4040)  # RGB in [0, 1], as released


class _SplitAttention(nn.Module):
    """Four features of `(B, C, H, W)`, each from a quarter of it, averaged; a channel's four weights sum to 1."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.split = nn.Sequential(
            nn.Conv2d(num_feat, _NUM_SPLITS * num_feat, 3, padding=1, groups=_NUM_SPLITS, bias=False),
            nn.BatchNorm2d(_NUM_SPLITS * num_feat),
            nn.ReLU(inplace=True),
        )
        self.weigh = nn.Sequential(
            nn.Conv2d(num_feat, num_feat, 1),
            nn.BatchNorm2d(num_feat),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_feat, _NUM_SPLITS * num_feat, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        splits = self.split(x).unflatten(1, (_NUM_SPLITS, -1))
        logits = self.weigh(splits.sum(1).mean((2, 3), keepdim=True))
        weights = logits.unflatten(1, (_NUM_SPLITS, -1)).softmax(1)
        return (splits * weights).sum(1)


class _Block(nn.Module):
    """Internal-feature split attention block: a bottleneck of full width around the attention, plus the input."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(num_feat, num_feat, 1, bias=False),
            nn.BatchNorm2d(num_feat),
            nn.ReLU(inplace=True),
            _SplitAttention(num_feat),
            nn.Conv2d(num_feat, num_feat, 1, bias=False),
            nn.BatchNorm2d(num_feat),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.residual(x), inplace=True)


class _Group(nn.Module):
    """External-internal split attention group: a long and a short path, added."""

    def __init__(self, num_feat: int, num_blocks: int) -> None:
        super().__init__()
        self.long = nn.Sequential(
            *(_Block(num_feat) for _ in range(num_blocks)), nn.Conv2d(num_feat, num_feat, 3, padding=1)
        )
        self.short = _Block(num_feat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.long(x) + self.short(x)


@ARCH_REGISTRY.register()
class SISN(nn.Module):
    """SISN, 8.30 M parameters at scale 8: low-resolution face in, high-resolution face out.

    The two mean shifts are 1×1 convolutions that training may change, as released. In training a batch must hold two
    images or more: the attention has a BatchNorm over one value an image.

    Published training: L1 on 0..255, Adam 2e-4, batch 10, 1,000,000 iterations, halved every 50,000.

    Args:
        scale: enlargement, a power of two; the published scales are 4 and 8.
        num_feat: width of every feature map, a multiple of 4.
        num_groups: groups.
        num_blocks: blocks on the long path of a group.
    """

    def __init__(self, scale: int = 8, num_feat: int = 64, num_groups: int = 10, num_blocks: int = 10) -> None:
        super().__init__()
        num_doublings = scale.bit_length() - 1
        if scale < 2 or scale != 2**num_doublings:
            raise ValueError(f'SISN doubles the sides step by step: scale must be 2, 4, 8, 16, ... Got {scale}.')
        self.scale = scale
        self.subtract_mean = _mean_shift(-1)
        self.head = nn.Conv2d(3 * scale**2, num_feat, 3, padding=1)
        self.body = nn.Sequential(
            *(_Group(num_feat, num_blocks) for _ in range(num_groups)), nn.Conv2d(num_feat, num_feat, 3, padding=1)
        )
        self.tail = nn.Sequential(
            *(Up(num_feat, num_feat) for _ in range(num_doublings)), nn.Conv2d(num_feat, 3, 3, padding=1)
        )
        self.add_mean = _mean_shift(1)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`."""
        x = self.subtract_mean(255 * lq)
        x = self.head(x.repeat_interleave(self.scale**2, dim=1))
        x = x + self.body(x)
        return (self.add_mean(self.tail(x)) / 255).contiguous()


def _mean_shift(sign: int) -> nn.Conv2d:
    shift = nn.Conv2d(3, 3, 1)
    nn.init.dirac_(shift.weight)
    shift.bias.data = sign * 255 * torch.tensor(_MEAN)
    return shift
