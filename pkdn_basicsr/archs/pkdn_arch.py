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

from collections.abc import Sequence

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import RCAB, BicubicUpsample, Down, Up, check_hr_size
from pkdn_basicsr.archs.pkdn_blocks import FeatureFusionBlock, Fusion, NoFeatureFusion, make_fusion_block


class PKDN(nn.Module):
    """The frame that teacher and student share; only the fusion blocks of the encoder differ.

    Args:
        scale: Upscaling factor from `lq` to the result.
        num_feat: Width C of every feature.
        num_enc_blocks: RCABs of each encoder level, from fine to coarse. Its length is the number of levels L.
        num_neck_blocks: RCABs between encoder and decoder.
        num_dec_blocks: RCABs of each decoder level, from coarse to fine; as long as `num_enc_blocks`.
        fusion: What the encoder's fusion blocks are. For ablation, `channel_attention`, `spatial_attention` and
            `no_attention` leave them that one attention, the other or none; `concat` puts plain concatenation and one
            convolution in their place. Attention elsewhere in the network stays.
        feature_fusion: Whether the decoder has feature fusion blocks. For ablation, without them it reuses nothing of
            the encoder: there are no skip connections, as in KDFSRNet (our choice), but for the global residual.
        num_classes: Classes of the prior; 0 where there is none, as in the student.

    Raises:
        ValueError: Encoder and decoder differ in levels, an argument is no count, or `fusion` is unknown.
        RuntimeError: On loading a checkpoint of another scale.
    """

    def __init__(self, scale: int, num_feat: int, num_enc_blocks: Sequence[int], num_neck_blocks: int,
                 num_dec_blocks: Sequence[int], fusion: Fusion, feature_fusion: bool, num_classes: int = 0) -> None:
        super().__init__()
        _check_counts(1, scale=[scale], num_feat=[num_feat])
        _check_counts(0, num_enc_blocks=num_enc_blocks, num_neck_blocks=[num_neck_blocks],
                      num_dec_blocks=num_dec_blocks)
        if len(num_enc_blocks) != len(num_dec_blocks):
            raise ValueError(f'num_enc_blocks {list(num_enc_blocks)} and num_dec_blocks {list(num_dec_blocks)} must '
                             'have the same length: one entry per level')
        fusions = [make_fusion_block(fusion, num_feat, num_classes) for _ in num_enc_blocks]
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
        self.dec_fusions = nn.ModuleList(
            FeatureFusionBlock(num_feat, self.num_levels + 1) if feature_fusion else NoFeatureFusion()
            for _ in num_dec_blocks)
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
        if not isinstance(numbers, Sequence):
            raise ValueError(f'{name} must be a list of whole numbers, found {numbers}')
        wrong = [number for number in numbers if not isinstance(number, int) or number < smallest]
        if wrong or not numbers:
            raise ValueError(f'{name} must be whole numbers of at least {smallest}, found {wrong or numbers}')


def _rcabs(num_feat: int, num: int) -> nn.Sequential:
    return nn.Sequential(*(RCAB(num_feat) for _ in range(num)))


@ARCH_REGISTRY.register()
class PKDNStudent(PKDN):
    """The student: sees the low-resolution face alone.

    The default (x8) has 4.5 M parameters; constructor arguments are those of `PKDN`. With `fusion: concat` there is
    nothing to concatenate, and the convolution is left.
    """

    def __init__(self, scale: int = 8, num_feat: int = 64, num_enc_blocks: Sequence[int] = (2, 6, 10),
                 num_neck_blocks: int = 12, num_dec_blocks: Sequence[int] = (10, 5, 0), fusion: Fusion = 'attention',
                 feature_fusion: bool = True) -> None:
        super().__init__(scale, num_feat, num_enc_blocks, num_neck_blocks, num_dec_blocks, fusion, feature_fusion)

    def begin_as(self, teacher: 'PKDNTeacher') -> None:
        """Take over a teacher's weights: the result is what the teacher makes without a map (our choice).

        What the prior branches add for an unknown map is the same everywhere but at the border, where the two
        networks differ a little; it goes into the weights of the fusion blocks. Train the teacher with `map_dropout`,
        lest it has never seen an unknown map.

        Raises:
            ValueError: The teacher is not built as the student is.
        """
        if not isinstance(teacher, PKDNTeacher):
            raise ValueError(f'the student can begin as a PKDNTeacher alone, found {type(teacher).__name__}')
        weights = {name: value for name, value in teacher.state_dict().items() if not name.startswith('enc_fusions.')}
        for level, block in enumerate(teacher.enc_fusions):
            weights |= {f'enc_fusions.{level}.{name}': value for name, value in block.without_prior().items()}
        try:
            self.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError('the student can begin as a teacher that is built alike alone, with the same scale, '
                             f'num_feat, blocks and fusion ({" ".join(str(error).split())[:200]})') from None

    def forward(self, lq: Tensor) -> Tensor:
        """Super-resolve `lq`.

        Args:
            lq: (B, 3, h, w), RGB in [0, 1].

        Returns:
            (B, 3, scale * h, scale * w), RGB, not clamped.

        Raises:
            ValueError: A side that the levels cannot halve; the message says which sides can.

        Example:
            >>> PKDNStudent(num_feat=8)(torch.rand(1, 3, 16, 20)).shape
            torch.Size([1, 3, 128, 160])
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
        scale, num_feat, num_enc_blocks, num_neck_blocks, num_dec_blocks, fusion, feature_fusion: As in `PKDN`.
    """

    def __init__(self, num_classes: int = 19, scale: int = 8, num_feat: int = 64,
                 num_enc_blocks: Sequence[int] = (2, 6, 10), num_neck_blocks: int = 12,
                 num_dec_blocks: Sequence[int] = (10, 5, 0), fusion: Fusion = 'attention',
                 feature_fusion: bool = True) -> None:
        _check_counts(1, num_classes=[num_classes])
        super().__init__(scale, num_feat, num_enc_blocks, num_neck_blocks, num_dec_blocks, fusion, feature_fusion,
                         num_classes)
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

        Example:
            >>> PKDNTeacher(num_feat=8)(torch.rand(1, 3, 16, 16), torch.zeros(1, 19, 128, 128)).shape
            torch.Size([1, 3, 128, 128])
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
