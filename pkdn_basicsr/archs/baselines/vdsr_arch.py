"""VDSR: Kim, Lee, Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016.

Twenty convolutions find what a bicubic enlargement lacks. Re-implemented from the paper, no code was taken over.

Deviation from what the authors run: three colours go in and out, where they enlarge the luminance alone.
"""

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from pkdn_basicsr.archs.layers import BicubicUpsample


@ARCH_REGISTRY.register()
class VDSR(nn.Module):
    """VDSR in colour, 668,227 parameters: low-resolution face in, high-resolution face out.

    Published training: mean squared error, SGD with momentum 0.9 and weight decay 1e-4, learning rate 0.1 divided by 10
    every 20 of 80 epochs, gradients clipped the more the higher the rate, batch 64. The weights start as there: from
    He et al., "Delving Deep into Rectifiers", ICCV 2015, since with torch's default the signal dies on its way.

    Args:
        scale: enlargement, any whole number.
        num_feat: width of every feature map.
        num_layers: convolutions, at least 2.
    """

    def __init__(self, scale: int = 8, num_feat: int = 64, num_layers: int = 20) -> None:
        super().__init__()
        if num_layers < 2:
            raise ValueError(f'Expected at least 2 num_layers, the first and the last. Got {num_layers}.')
        self.upsample = BicubicUpsample(scale)
        widths = [3] + [num_feat] * (num_layers - 1)
        layers = []
        for num_in in widths[:-1]:
            layers += [nn.Conv2d(num_in, num_feat, 3, padding=1), nn.ReLU(inplace=True)]
        self.residual = nn.Sequential(*layers, nn.Conv2d(num_feat, 3, 3, padding=1))
        self.apply(_initialise)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`."""
        x = self.upsample(lq)
        return (x + self.residual(x)).contiguous()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(module.bias)
