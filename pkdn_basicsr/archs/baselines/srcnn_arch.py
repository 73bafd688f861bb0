"""SRCNN: Dong, Loy, He, Tang, "Image Super-Resolution Using Deep Convolutional Networks", IEEE Transactions on Pattern
Analysis and Machine Intelligence 38(2), 2016 (ECCV 2014).

The first network for super-resolution: three convolutions over a bicubic enlargement. Re-implemented from the paper,
no code was taken over.

Deviations from what the authors run: three colours go in and out, where they enlarge the luminance alone; the sides
are padded with zeros, so that the result is as large as the enlargement; the weights start as torch's default has it.
"""  # noqa: D205

from collections.abc import Sequence

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import BicubicUpsample


@ARCH_REGISTRY.register()
class SRCNN(nn.Module):
    """SRCNN 9-1-5 in colour, 20,099 parameters: low-resolution face in, high-resolution face out.

    Published training: mean squared error, SGD with momentum 0.9 and learning rate 1e-4 (1e-5 in the last layer).

    Args:
        scale: enlargement, any whole number.
        num_feat: width after the first convolution, which extracts patches.
        num_mapped: width after the second, which maps them to those of high resolution.
        kernel_sizes: sides of the three kernels, odd; (9, 5, 5) is the paper's larger variant.
    """

    def __init__(
        self, scale: int = 8, num_feat: int = 64, num_mapped: int = 32, kernel_sizes: Sequence[int] = (9, 1, 5)
    ) -> None:
        super().__init__()
        if not isinstance(kernel_sizes, Sequence) or len(kernel_sizes) != 3 \
                or any(side % 2 == 0 for side in kernel_sizes):
            raise ValueError(f'Expected three odd kernel_sizes, e.g. (9, 1, 5). Got {kernel_sizes}.')
        first, second, third = kernel_sizes
        self.upsample = BicubicUpsample(scale)
        self.extract = nn.Conv2d(3, num_feat, first, padding=first // 2)
        self.map = nn.Conv2d(num_feat, num_mapped, second, padding=second // 2)
        self.reconstruct = nn.Conv2d(num_mapped, 3, third, padding=third // 2)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`."""
        x = F.relu(self.extract(self.upsample(lq)))
        x = F.relu(self.map(x))
        return self.reconstruct(x).contiguous()
