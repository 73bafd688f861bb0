"""CTCNet: Gao, Xu, Li, Yang, Zeng, Qi, "CTCNet: A CNN-Transformer Cooperation Network for Face Image
Super-Resolution", IEEE Transactions on Image Processing 32, 2023.

An encoder and a decoder of three levels, each level convolutions with SPARNet's attention followed by Restormer's
transformer blocks; modules that part low from high frequencies between them; and before each decoder level a fusion
of the encoder features of all levels. Re-implemented from a description of the released network, no code was taken
over.

Deviations from what the authors run: the native low-resolution face goes in and is enlarged inside, by a bicubic;
images are in [0, 1] outside and [-1, 1], the authors' range, inside; about two million parameters that nothing uses
are left out; resizing is to the size of the feature that it meets instead of by 2, which is the same wherever the
sides are multiples of 64 and lets other multiples of 8 work.
"""  # noqa: D205

from collections.abc import Sequence

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from pkdn_basicsr.archs.baselines.ctcnet_blocks import LocalGlobalModule, RefinementModule
from pkdn_basicsr.archs.layers import BicubicUpsample, ChannelAttention, check_hr_size


@ARCH_REGISTRY.register()
class CTCNet(nn.Module):
    """CTCNet, 22.4 M parameters: low-resolution face in, high-resolution face out.

    Published training: L1, Adam 2e-4 with betas (0.9, 0.99), batch 10, 100 epochs of 18,000 CelebA faces.

    Args:
        scale: enlargement; 8 in the paper.
        num_feat: width at full resolution; it doubles at the first two halvings. The hourglasses are
            twice as wide, 64 as released (that they follow `num_feat` is our choice).
        num_transformers: transformer blocks at full, half and quarter resolution, in encoder and decoder alike.
        num_refine: refinement modules at an eighth of the resolution.
    """

    def __init__(
        self,
        scale: int = 8,
        num_feat: int = 32,
        num_transformers: Sequence[int] = (4, 6, 6),
        num_refine: int = 4,
    ) -> None:
        super().__init__()
        if not isinstance(num_transformers, Sequence) or len(num_transformers) != 3:
            raise ValueError(f'Expected num_transformers for 3 levels, fine to coarse. Got {num_transformers}.')
        self.scale = scale
        narrow, middle, wide = num_feat, 2 * num_feat, 4 * num_feat

        def level(index: int) -> LocalGlobalModule:
            return LocalGlobalModule(2**index * num_feat, middle, 2**index, num_transformers[index])

        self.upsample = BicubicUpsample(scale)
        self.head = nn.Conv2d(3, narrow, 3, padding=1)
        self.enc1, self.enc2, self.enc3 = (level(index) for index in range(3))
        self.down1, self.down2, self.down3 = _down(narrow, middle), _down(middle, wide), _down(wide, wide)
        self.refine = nn.Sequential(*(RefinementModule(wide, middle) for _ in range(num_refine)))
        self.up3, self.up2, self.up1 = _up(wide, wide), _up(wide, middle), _up(middle, narrow)
        self.dec3, self.dec2, self.dec1 = (level(index) for index in (2, 1, 0))
        self.tail = nn.Conv2d(narrow, 3, 3, padding=1)

        # multi-scale fusion of the encoder's features, each brought to the decoder's level at its own width
        self.halve1 = nn.Conv2d(narrow, narrow, 3, 2, padding=1)  # applied twice for a quarter
        self.halve2 = nn.Conv2d(middle, middle, 3, 2, padding=1)
        self.double2 = nn.ConvTranspose2d(middle, middle, 8, 2, padding=3)
        self.double3 = nn.ConvTranspose2d(wide, wide, 8, 2, padding=3)
        self.double3_twice = nn.ConvTranspose2d(wide, wide, 6, 2, padding=2)  # and so for a quadruple
        self.fuse3 = _fuse(wide + wide + middle + narrow, wide)
        self.fuse2 = _fuse(middle + middle + narrow + wide, middle)
        self.fuse1 = _fuse(narrow + narrow + middle + wide, narrow)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`, each side a multiple of 8 and at least 72."""
        check_hr_size(self, lq, self.scale, multiple=8, least=72)
        enlarged = self.upsample(lq)
        enc1 = self.enc1(self.head(2 * enlarged - 1))
        enc2 = self.enc2(self.down1(enc1))
        enc3 = self.enc3(self.down2(enc2))
        x = self.refine(self.down3(enc3))
        half1 = self.halve1(enc1)
        x = torch.cat([self.up3(x), enc3, self.halve2(enc2), self.halve1(half1)], dim=1)
        x = self.dec3(self.fuse3(x))
        x = torch.cat([self.up2(x), enc2, half1, self.double3(enc3)], dim=1)
        x = self.dec2(self.fuse2(x))
        x = torch.cat([self.up1(x), enc1, self.double2(enc2), self.double3_twice(self.double3_twice(enc3))], dim=1)
        x = self.dec1(self.fuse1(x))
        return (enlarged + self.tail(x) / 2).contiguous()  # a residual of [-1, 1] is half as large in [0, 1]


def _down(num_in: int, num_out: int) -> nn.Sequential:
    return _resample(nn.Conv2d(num_in, num_out, 3, 2, padding=1, bias=False), num_out)


def _up(num_in: int, num_out: int) -> nn.Sequential:
    return _resample(nn.ConvTranspose2d(num_in, num_out, 6, 2, padding=2, bias=False), num_out)


def _resample(resize: nn.Module, num_out: int) -> nn.Sequential:
    smooth = nn.Conv2d(num_out, num_out, 3, padding=1, bias=False)
    return nn.Sequential(resize, nn.LeakyReLU(0.2, inplace=True), smooth, nn.LeakyReLU(0.2, inplace=True))


def _fuse(num_in: int, num_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(num_in, num_out, 3, padding=1), ChannelAttention(num_out, squeeze_factor=16))
