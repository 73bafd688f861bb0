r"""Losses on the Fourier spectrum of an image: how far the amplitudes and the phases of result and truth are apart.

Source: Wang et al., "Spatial-Frequency Mutual Learning for Face Super-Resolution" (SFMNet), CVPR 2023, which adds 0.01
times each to L1 on the image. Both take :math:`F = \mathrm{rfft2}(x)` of each channel, the half-spectrum
`(B, C, H, W // 2 + 1)` of torch's default norm, "backward": nothing is divided, so :math:`F_{00}` is the sum of the
`H * W` pixels and amplitudes grow with the image, as in the authors' release. Everything is computed in float32 or
better, also under autocast. A frequency that is exactly 0 gets no gradient.
"""

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F


def amplitude_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the amplitudes; see `AmplitudeLoss`."""
    prediction, target = _spectra(prediction, target)
    return F.l1_loss(prediction.abs(), target.abs())


def phase_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the phases; see `PhaseLoss`."""
    prediction, target = _spectra(prediction, target)
    return F.l1_loss(_angle(prediction), _angle(target))


@LOSS_REGISTRY.register()
class AmplitudeLoss(nn.Module):
    r"""Mean absolute difference of amplitudes, :math:`\mathrm{mean}\, \bigl| |F(x)| - |F(y)| \bigr|`.

    Args:
        loss_weight: Factor on the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Weighted loss, a scalar, from two images (B, C, H, W) of one shape."""
        return self.loss_weight * amplitude_l1(prediction, target)


@LOSS_REGISTRY.register()
class PhaseLoss(nn.Module):
    r"""Mean absolute difference of phases, :math:`\mathrm{mean}\, |\angle F(x) - \angle F(y)|`, in radians.

    Phases lie in [-pi, pi] and are subtracted as they are, as in the authors' release: on both sides of the cut at
    pi, two that are nearly the same count as nearly 2 pi apart, and the gradient leads the long way round. The gradient
    of a phase is one over its amplitude, so it is large where an image holds little of a frequency.

    Args:
        loss_weight: Factor on the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Weighted loss, a scalar, from two images (B, C, H, W) of one shape."""
        return self.loss_weight * phase_l1(prediction, target)


def _spectra(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if prediction.dim() != 4 or prediction.shape != target.shape:
        raise ValueError(
            f'expected two images of one shape (B, C, H, W), found prediction {tuple(prediction.shape)} '
            f'and target {tuple(target.shape)}'
        )
    return _rfft2(prediction), _rfft2(target)


def _rfft2(x: Tensor) -> Tensor:
    return torch.fft.rfft2(x.to(torch.promote_types(x.dtype, torch.float32)))


def _angle(spectrum: Tensor) -> Tensor:
    """As `Tensor.angle`, whose gradient is NaN where the square of the amplitude underflows."""
    return torch.atan2(spectrum.imag, spectrum.real)
