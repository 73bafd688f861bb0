"""The blocks of PKDN: how a level of the encoder takes in its prior, and how the decoder reuses the encoder's features.

Their insides are our choice; so are the plainer ones that ablations put in their place.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import ChannelAttention

Fusion = Literal['attention', 'channel_attention', 'spatial_attention', 'no_attention', 'concat']


class SpatialAttention(nn.Module):
    """Weight every pixel by a gate computed from the mean and the maximum over channels (CBAM, Woo et al. 2018).

    (B, C, h, w) -> (B, C, h, w).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times a gate in (0, 1) of shape (B, 1, h, w)."""
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.conv(summary))


class FusionBlock(nn.Module):
    """The student's fusion block: a residual block with channel, then spatial attention. Our choice.

    (B, C, h, w) -> (B, C, h, w). It is the teacher's block without the prior branch, so that both networks have
    features of the same shape under the same name. `fusion` says which of the two attentions it has.
    """

    def __init__(self, num_feat: int, fusion: Fusion = 'attention') -> None:
        super().__init__()
        self.refine = nn.Sequential(
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
        )
        attention = []
        if fusion in ('attention', 'channel_attention'):
            attention.append(ChannelAttention(num_feat, use_max=True))
        if fusion in ('attention', 'spatial_attention'):
            attention.append(SpatialAttention())
        self.attention = nn.Sequential(*attention)  # empty, it returns its input

    def forward(self, x: Tensor) -> Tensor:
        """Return the refined feature."""
        return x + self.attention(self.refine(x))


class ParsingMapFusionBlock(FusionBlock):
    """The teacher's fusion block: the prior is embedded and mixed in before the refinement. Its insides are our choice.

    x (B, C, h, w) and prior (B, K, h, w), the share of each class in each pixel -> (B, C, h, w).
    """

    def __init__(self, num_feat: int, num_classes: int, fusion: Fusion = 'attention') -> None:
        super().__init__(num_feat, fusion)
        self.embed = nn.Sequential(
            nn.Conv2d(num_classes, num_feat, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
        )
        self.mix = nn.Conv2d(2 * num_feat, num_feat, 1)

    def forward(self, x: Tensor, prior: Tensor) -> Tensor:
        """Return the feature enriched by the prior."""
        mixed = self.mix(torch.cat([x, self.embed(prior)], 1))
        return x + self.attention(self.refine(mixed))

    @torch.no_grad()
    def without_prior(self) -> dict[str, Tensor]:
        """Return the weights of the `FusionBlock` that does what this one does where the prior is zero.

        `mix` is linear: its part for x goes into the first convolution of `refine`, what it makes of an embedding of
        nothing into that convolution's bias. Convolutions pad with zeros, so the two are unequal at the border.
        """
        weights = {name: value for name, value in self.state_dict().items() if not name.startswith(('embed.', 'mix.'))}
        refine, num_feat = self.refine[0], self.refine[0].in_channels
        nothing = torch.zeros(1, self.embed[0].in_channels, 5, 5).to(refine.weight)
        embedded = self.embed(nothing)[0, :, 2, 2]  # the middle, which sees no border
        of_x, of_prior = self.mix.weight[:, :, 0, 0].split(num_feat, 1)
        weights['refine.0.weight'] = torch.einsum('omhw,mi->oihw', refine.weight, of_x)
        weights['refine.0.bias'] = refine.bias + refine.weight.sum((2, 3)) @ (of_prior @ embedded + self.mix.bias)
        return weights


class ConcatFusionBlock(nn.Module):
    """Feature and prior concatenated, then a convolution: the plain cascading that the paper criticises, for ablation.

    x (B, C, h, w) and prior (B, K, h, w) -> (B, C, h, w). The student's, with `num_classes` 0, takes x alone.
    """

    def __init__(self, num_feat: int, num_classes: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_feat + num_classes, num_feat, 3, padding=1)

    def forward(self, x: Tensor, *prior: Tensor) -> Tensor:
        """Return the convolution of all that is given."""
        return self.conv(torch.cat([x, *prior], 1))

    def without_prior(self) -> dict[str, Tensor]:
        """Return the weights of the block that does what this one does where the prior is zero."""
        num_feat = self.conv.out_channels
        return {'conv.weight': self.conv.weight.detach()[:, :num_feat], 'conv.bias': self.conv.bias.detach()}


def make_fusion_block(fusion: Fusion, num_feat: int, num_classes: int = 0) -> nn.Module:
    """Return the fusion block of one encoder level: the teacher's, or the student's where `num_classes` is 0.

    Raises:
        ValueError: An unknown `fusion`.
    """
    if fusion not in get_args(Fusion):
        raise ValueError(f'fusion must be one of {", ".join(get_args(Fusion))}, found {fusion!r}')
    if fusion == 'concat':
        return ConcatFusionBlock(num_feat, num_classes)
    if num_classes:
        return ParsingMapFusionBlock(num_feat, num_classes, fusion)
    return FusionBlock(num_feat, fusion)


class FeatureFusionBlock(nn.Module):
    """Merge the upsampled feature with the encoder features of every scale, then channel attention. Our choice.

    x (B, C, h, w) and encoder features (B, C, 2^k h, 2^k w), k any integer, ordered from fine to coarse
    -> (B, C, h, w).

    This is "resize all, concatenate, 1x1 convolution": because a 1x1 convolution commutes with average pooling and
    with bilinear interpolation, each feature is convolved at the smaller of the two sizes and the results are added.
    Coarse features climb together, x2 at a time, so only one full-size interpolation is left.
    """

    def __init__(self, num_feat: int, num_sources: int) -> None:
        super().__init__()
        self.merge_x = nn.Conv2d(num_feat, num_feat, 1)
        self.merge_sources = nn.ModuleList(nn.Conv2d(num_feat, num_feat, 1, bias=False) for _ in range(num_sources))
        self.attention = ChannelAttention(num_feat)

    def forward(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        """Return `x` plus the attended mixture of `x` and all `sources`."""
        merged = self.merge_x(x)
        coarse = None
        for merge, source in zip(reversed(self.merge_sources), reversed(sources), strict=True):
            if source.shape[-1] > x.shape[-1]:
                source = F.avg_pool2d(source, source.shape[-1] // x.shape[-1])
            if coarse is not None:
                coarse = _double_until(coarse, min(source.shape[-1], x.shape[-1]))
            coarse = merge(source) if coarse is None else coarse + merge(source)
        return x + self.attention(merged + coarse)


def _double_until(x: Tensor, width: int) -> Tensor:
    while x.shape[-1] < width:
        x = F.interpolate(x, scale_factor=2, mode='bilinear')
    return x


class NoFeatureFusion(nn.Module):
    """In the place of `FeatureFusionBlock`, for ablation: nothing of the encoder reaches the decoder past the neck."""

    def forward(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        """Return `x` as it is."""
        return x
