"""PKDN: Prior Knowledge Distillation Network for Face Super-Resolution (Yang et al., arXiv 2409.14385).

From the paper (abstract and a published review): the teacher is an autoencoder fed with the low-resolution face and the
true parsing map; parsing map fusion blocks with attention sit in its encoder, a feature fusion block in its decoder
reuses the multi-scale encoder features; the student is alike but sees the low-resolution face only.
Everything else here is our choice: depth and width, the insides of both blocks, where the features are tapped.

    u  = bicubic(lq)                          global residual
    x0 = conv3(u)
    encoder, level i = 1..L:                  enc_i = Fusion_i(RCABs_i(Down(enc_{i-1})) [, parsing])
    neck:                                     RCABs
    decoder, level i = L..1:                  dec_i = RCABs_i(FeatureFusion_i(Up(dec_{i+1}), {x0, enc_1..enc_L}))
    sr = u + conv3(dec_1)
"""

from collections.abc import Callable, Sequence

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import RCAB, BicubicUpsample, ChannelAttention, Down, Up, check_hr_size


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
    features of the same shape under the same name.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.refine = nn.Sequential(
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
        )
        self.attention = nn.Sequential(ChannelAttention(num_feat, use_max=True), SpatialAttention())

    def forward(self, x: Tensor) -> Tensor:
        """Return the refined feature."""
        return x + self.attention(self.refine(x))


class ParsingMapFusionBlock(FusionBlock):
    """The teacher's fusion block: the prior is embedded and mixed in before the refinement. Its insides are our choice.

    x (B, C, h, w) and prior (B, K, h, w), the share of each class in each pixel -> (B, C, h, w).
    """

    def __init__(self, num_feat: int, num_classes: int) -> None:
        super().__init__(num_feat)
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


class PKDN(nn.Module):
    """The frame that teacher and student share; only the fusion blocks of the encoder differ.

    Args:
        scale: Upscaling factor from `lq` to the result.
        num_feat: Width C of every feature.
        num_enc_blocks: RCABs of each encoder level, from fine to coarse. Its length is the number of levels L.
        num_neck_blocks: RCABs between encoder and decoder.
        num_dec_blocks: RCABs of each decoder level, from coarse to fine; as long as `num_enc_blocks`.
        fusion_block: Makes the fusion block of an encoder level.

    Raises:
        ValueError: Encoder and decoder differ in levels, or an argument is no count.
        RuntimeError: On loading a checkpoint of another scale.
    """

    def __init__(self, scale: int, num_feat: int, num_enc_blocks: Sequence[int], num_neck_blocks: int,
                 num_dec_blocks: Sequence[int], fusion_block: Callable[[], FusionBlock]) -> None:
        super().__init__()
        _check_counts(1, scale=[scale], num_feat=[num_feat])
        _check_counts(0, num_enc_blocks=num_enc_blocks, num_neck_blocks=[num_neck_blocks],
                      num_dec_blocks=num_dec_blocks)
        if len(num_enc_blocks) != len(num_dec_blocks):
            raise ValueError(f'num_enc_blocks {list(num_enc_blocks)} and num_dec_blocks {list(num_dec_blocks)} must '
                             'have the same length: one entry per level')
        fusions = [fusion_block() for _ in num_enc_blocks]
        self.upscale = scale
        self.num_levels = len(num_enc_blocks)
        self.register_buffer('scale', torch.tensor(scale))  # in the checkpoint, so that the network can be rebuilt

        self.upsample = BicubicUpsample(scale)
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.downs = nn.ModuleList(Down(num_feat, num_feat) for _ in num_enc_blocks)
        self.enc_blocks = nn.ModuleList(_rcabs(num_feat, n) for n in num_enc_blocks)
        self.enc_fusions = nn.ModuleList(fusions)
        self.neck = _rcabs(num_feat, num_neck_blocks)
        self.ups = nn.ModuleList(Up(num_feat, num_feat) for _ in num_dec_blocks)
        self.dec_fusions = nn.ModuleList(FeatureFusionBlock(num_feat, self.num_levels + 1) for _ in num_dec_blocks)
        self.dec_blocks = nn.ModuleList(_rcabs(num_feat, n) for n in num_dec_blocks)
        self.tail = nn.Conv2d(num_feat, 3, 3, padding=1)

    def super_resolve(self, lq: Tensor, priors: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the frame; `priors` holds what each encoder level's fusion block takes beside its feature."""
        features = {}
        base = self.upsample(lq)
        x = self.head(base)
        skips = [x]
        for level in range(self.num_levels):
            x = self.enc_blocks[level](self.downs[level](x))
            x = self.enc_fusions[level](x, *priors[level])
            skips.append(x)
            features[f'enc{level + 1}'] = x
        x = self.neck(x)
        features['neck'] = x
        for step in range(self.num_levels):
            x = self.dec_fusions[step](self.ups[step](x), skips)
            x = self.dec_blocks[step](x)
            features[f'dec{self.num_levels - step}'] = x
        return (base + self.tail(x)).contiguous(), features  # discriminators call view() on it

    def _check_size(self, lq: Tensor) -> None:
        check_hr_size(self, lq, self.upscale, multiple=2**self.num_levels)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                              error_msgs):
        # the weights of every scale have the same shapes, so only this buffer tells them apart
        scale = state_dict.get(f'{prefix}scale')
        if scale is not None and int(scale) != self.upscale:
            error_msgs.append(f'the checkpoint was trained for scale {int(scale)}, this network has scale '
                              f"{self.upscale}; to start from it all the same, delete its key '{prefix}scale' and load "
                              'it with strict=False')
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                                      error_msgs)


def _check_counts(smallest: int, **counts: Sequence[int]) -> None:
    for name, numbers in counts.items():
        wrong = [number for number in numbers if not isinstance(number, int) or number < smallest]
        if wrong or not numbers:
            raise ValueError(f'{name} must be whole numbers of at least {smallest}, found {wrong or numbers}')


def _rcabs(num_feat: int, num: int) -> nn.Sequential:
    return nn.Sequential(*(RCAB(num_feat) for _ in range(num)))


@ARCH_REGISTRY.register()
class PKDNStudent(PKDN):
    """The student: sees the low-resolution face alone.

    The default (x8) has 2.6 M parameters; constructor arguments are those of `PKDN`.
    """

    def __init__(self, scale: int = 8, num_feat: int = 64, num_enc_blocks: Sequence[int] = (2, 3, 3),
                 num_neck_blocks: int = 4, num_dec_blocks: Sequence[int] = (3, 3, 1)) -> None:
        super().__init__(scale, num_feat, num_enc_blocks, num_neck_blocks, num_dec_blocks,
                         lambda: FusionBlock(num_feat))

    def forward(self, lq: Tensor) -> Tensor:
        """Super-resolve `lq`.

        Args:
            lq: (B, 3, h, w), RGB in [0, 1].

        Returns:
            (B, 3, scale * h, scale * w), RGB, not clamped.

        Raises:
            ValueError: A side that the levels cannot halve; the message says which sides can.
        """
        return self.forward_features(lq)[0]

    def forward_features(self, lq: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the result of `forward` and the features `enc1..encL`, `neck`, `decL..dec1`, each (B, C, ., .)."""
        self._check_size(lq)
        return self.super_resolve(lq, [()] * self.num_levels)


@ARCH_REGISTRY.register()
class PKDNTeacher(PKDN):
    """The teacher: sees the low-resolution face and the true parsing map.

    Args:
        num_classes: Classes K of the parsing map (19 for CelebAMask-HQ).
        scale, num_feat, num_enc_blocks, num_neck_blocks, num_dec_blocks: As in `PKDN`.
    """

    def __init__(self, num_classes: int = 19, scale: int = 8, num_feat: int = 64,
                 num_enc_blocks: Sequence[int] = (2, 3, 3), num_neck_blocks: int = 4,
                 num_dec_blocks: Sequence[int] = (3, 3, 1)) -> None:
        _check_counts(1, num_classes=[num_classes])
        super().__init__(scale, num_feat, num_enc_blocks, num_neck_blocks, num_dec_blocks,
                         lambda: ParsingMapFusionBlock(num_feat, num_classes))
        self.num_classes = num_classes

    def forward(self, lq: Tensor, parsing: Tensor) -> Tensor:
        """Super-resolve `lq` with the help of `parsing`.

        Args:
            lq: (B, 3, h, w), RGB in [0, 1].
            parsing: (B, K, scale * h, scale * w), one-hot; all zero where the class is unknown.

        Returns:
            (B, 3, scale * h, scale * w), RGB, not clamped.

        Raises:
            ValueError: A side that the levels cannot halve, or a map of another shape.
        """
        return self.forward_features(lq, parsing)[0]

    def forward_features(self, lq: Tensor, parsing: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the result of `forward` and the features `enc1..encL`, `neck`, `decL..dec1`, each (B, C, ., .)."""
        self._check_size(lq)
        self._check_parsing(lq, parsing)
        priors = []
        for _ in range(self.num_levels):
            parsing = F.avg_pool2d(parsing, 2)  # one-hot -> class shares
            priors.append((parsing,))
        return self.super_resolve(lq, priors)

    def _check_parsing(self, lq: Tensor, parsing: Tensor) -> None:
        batch, _, height, width = lq.shape
        expected = (batch, self.num_classes, self.upscale * height, self.upscale * width)
        if tuple(parsing.shape) != expected:
            raise ValueError(f'parsing must have shape {expected} (batch, num_classes, height and width of the '
                             f'result), found {tuple(parsing.shape)}')
