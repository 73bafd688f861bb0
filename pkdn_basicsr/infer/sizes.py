"""Which sizes of input a network takes, and giving it those."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pkdn_basicsr.errors import UsageError

_LARGEST_STEP = 64


@dataclass(frozen=True)
class SizeRule:
    """A network's low-resolution sides are `least`, `least + step`, `least + 2 * step`, ..."""

    least: int
    step: int

    def next(self, side: int) -> int:
        """Return the smallest side that is taken and no shorter than `side`."""
        return self.least + max(-(-(side - self.least) // self.step), 0) * self.step


def find_size_rule(net: nn.Module, scale: int) -> SizeRule:
    """Find the rule by trying: networks refuse what they cannot take, before they compute.

    Args:
        net: (1, 3, h, w) -> (1, 3, scale * h, scale * w), in eval mode.
        scale: Enlargement.

    Raises:
        UsageError: It takes no two square sizes of up to 64 pixels.
    """
    taken = []
    for side in range(1, _LARGEST_STEP + 1):
        if _takes(net, scale, side):
            taken.append(side)
            if len(taken) == 2:
                return SizeRule(taken[0], taken[1] - taken[0])
    raise UsageError(f'{type(net).__name__} takes {len(taken)} of all sizes up to {_LARGEST_STEP}x{_LARGEST_STEP}, at '
                     'least two are needed; take a network that works on faces of any size')


@torch.inference_mode()
def _takes(net: nn.Module, scale: int, side: int) -> bool:
    device = next((parameter.device for parameter in net.parameters()), torch.device('cpu'))
    try:
        result = net(torch.zeros(1, 3, side, side, device=device))
    except (AssertionError, RuntimeError, ValueError):
        return False
    return result.shape == (1, 3, scale * side, scale * side)


def pad_to(face: np.ndarray, height: int, width: int) -> np.ndarray:
    """Continue a face (h, w, C) by its reflection, on the right and below, as often as it takes."""
    return np.pad(face, ((0, height - face.shape[0]), (0, width - face.shape[1]), (0, 0)), mode='symmetric')
