"""The floor of every table."""

from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn

from pkdn_basicsr.archs.layers import BicubicUpsample


@ARCH_REGISTRY.register()
class Bicubic(nn.Module):
    """Bicubic interpolation as a network without parameters (a = -0.5, as PIL; not torch's default -0.75).

    Args:
        scale: Upscaling factor.
    """

    def __init__(self, scale: int = 8) -> None:
        super().__init__()
        self.upsample = BicubicUpsample(scale)

    def forward(self, lq: Tensor) -> Tensor:
        """Enlarge `lq` (B, 3, h, w), RGB in [0, 1], to (B, 3, scale * h, scale * w); not clamped."""
        return self.upsample(lq).contiguous()
