"""Blocks of CTCNet, described in `ctcnet_arch`; each keeps the height and width of what it is given."""

import torch
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import ChannelAttention, Hourglass


class _ScaledResidual(nn.Module):
    """`a * x + b * residual(x)`, `a` and `b` learned; the residual is a bottleneck of half the width."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        num_inner = num_feat // 2
        self.residual = nn.Sequential(
            nn.Conv2d(num_feat, num_inner, 3, padding=1),
            nn.PReLU(num_inner),
            nn.Conv2d(num_inner, num_feat, 3, padding=1),
        )
        self.scales = nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scales[0] * x + self.scales[1] * self.residual(x)


class EnhancementUnit(nn.Module):
    """Feature enhancement unit (FEU): two residual units in a row, both outputs fused and added to the input.

    Args:
        num_feat: channels C.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.first = _ScaledResidual(num_feat)
        self.second = _ScaledResidual(num_feat)
        self.fuse = nn.Sequential(
            nn.Conv2d(2 * num_feat, num_feat, 1, bias=False),
            nn.ReLU(inplace=True),
            ChannelAttention(num_feat, squeeze_factor=16),
            nn.Conv2d(num_feat, num_feat, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
        )
        self.scales = nn.Parameter(torch.ones(4))  # of the second unit, the first, the input and what was fused

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `(B, C, H, W)`."""
        first = self.first(x)
        second = self.second(first)
        fused = self.fuse(torch.cat([self.scales[0] * second, self.scales[1] * first], dim=1))
        return self.scales[2] * x + self.scales[3] * fused


def _conv_norm_act(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 3, stride, padding=1, padding_mode='reflect', bias=False),
        nn.BatchNorm2d(num_out),
        nn.PReLU(num_out),
    )


class StructureAttention(nn.Module):
    """Facial structure attention: one map in (0, 1), from an hourglass and channel attention, weighs all channels.

    Args:
        num_feat: channels C.
        num_inner: width of the hourglass.
        depth: halvings in the hourglass; the innermost map must still be 2x2, for the reflection padding.
    """

    def __init__(self, num_feat: int, num_inner: int, depth: int) -> None:
        super().__init__()
        self.hourglass = Hourglass(num_feat, num_inner, depth, _conv_norm_act)
        self.attention = ChannelAttention(num_inner, squeeze_factor=16)
        self.project = nn.Conv2d(num_feat, num_inner, 1) if num_feat != num_inner else nn.Identity()
        self.gate = nn.Conv2d(num_inner, 1, 3, padding=1, padding_mode='reflect')

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weigh `(B, C, H, W)`."""
        structure = self.attention(self.hourglass(x)) + self.project(x)
        return x * torch.sigmoid(self.gate(structure))


class _ChannelNorm(nn.Module):
    """Layer norm over the channels of every pixel."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(num_feat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _ChannelSelfAttention(nn.Module):
    """Restormer's transposed attention: channels, not pixels, attend to each other, so the cost is linear in pixels."""

    def __init__(self, num_feat: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_qkv = nn.Sequential(
            nn.Conv2d(num_feat, 3 * num_feat, 1, bias=False),
            nn.Conv2d(3 * num_feat, 3 * num_feat, 3, padding=1, groups=3 * num_feat, bias=False),
        )
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.merge = nn.Conv2d(num_feat, num_feat, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = self.to_qkv(x).flatten(2).unflatten(1, (3, self.num_heads, -1))  # (B, 3, heads, C / heads, H * W)
        query, key, value = heads.unbind(1)
        similarity = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        attended = (similarity * self.temperature).softmax(-1) @ value
        return self.merge(attended.flatten(1, 2).unflatten(-1, x.shape[-2:]))


class _GatedFeedForward(nn.Module):
    """Restormer's feed-forward: one half of a 2.66 times wider feature gates the other."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        num_hidden = int(2.66 * num_feat)
        self.widen = nn.Sequential(
            nn.Conv2d(num_feat, 2 * num_hidden, 1, bias=False),
            nn.Conv2d(2 * num_hidden, 2 * num_hidden, 3, padding=1, groups=2 * num_hidden, bias=False),
        )
        self.merge = nn.Conv2d(num_hidden, num_feat, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, value = self.widen(x).chunk(2, dim=1)
        return self.merge(F.gelu(gate) * value)


class TransformerBlock(nn.Module):
    """Transformer block of Restormer (Zamir et al., CVPR 2022).

    Args:
        num_feat: channels C.
        num_heads: attention heads; divides C.
    """

    def __init__(self, num_feat: int, num_heads: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(_ChannelNorm(num_feat), _ChannelSelfAttention(num_feat, num_heads))
        self.feed_forward = nn.Sequential(_ChannelNorm(num_feat), _GatedFeedForward(num_feat))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `(B, C, H, W)`."""
        x = x + self.attention(x)
        return x + self.feed_forward(x)


class LocalGlobalModule(nn.Module):
    """Local-global feature cooperation module (LGCM): convolutions for the parts, transformer blocks for the whole.

    Args:
        num_feat: channels C.
        num_inner: width of the attention's hourglass.
        num_heads: heads in each transformer block.
        num_transformers: transformer blocks.
    """

    def __init__(self, num_feat: int, num_inner: int, num_heads: int, num_transformers: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            EnhancementUnit(num_feat),
            StructureAttention(num_feat, num_inner, depth=4),
            EnhancementUnit(num_feat),
            *(TransformerBlock(num_feat, num_heads) for _ in range(num_transformers)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `(B, C, H, W)`."""
        return x + self.residual(x)


class RefinementModule(nn.Module):
    """Feature refinement module (FRM): low and high frequencies are enhanced apart and put together twice.

    The units for the low, the high and the whole feature are used twice each.

    Args:
        num_feat: channels C.
        num_inner: width of the attention's hourglass.
    """

    def __init__(self, num_feat: int, num_inner: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(EnhancementUnit(num_feat), StructureAttention(num_feat, num_inner, depth=2))
        self.whole = EnhancementUnit(num_feat)
        self.low = EnhancementUnit(num_feat)
        self.high = EnhancementUnit(num_feat)
        self.mix = nn.Conv2d(2 * num_feat, num_feat, 1)
        self.fuse = nn.Sequential(nn.Conv2d(2 * num_feat, num_feat, 1, bias=False), nn.ReLU(inplace=True))
        self.self_gate = nn.Conv2d(num_feat, num_feat, 1)
        self.scales = nn.Parameter(torch.full((2,), 0.5))  # of low and high, in both fusions

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `(B, C, H, W)`."""
        whole = self.whole(self.attend(x))
        low = F.avg_pool2d(whole, 2)
        high = whole - _enlarge(low, whole)
        low, high = self.low(low), self.high(high)
        mixed = self.high(self.mix(self._join(_enlarge(low, whole), high)))
        fused = self.fuse(self._join(_enlarge(self.low(low), whole), mixed))
        return x + self.whole(fused + whole * self.self_gate(whole))

    def _join(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.scales[0] * low, self.scales[1] * high], dim=1)


def _enlarge(low: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return F.interpolate(low, size=like.shape[-2:], mode='bilinear', align_corners=True)
