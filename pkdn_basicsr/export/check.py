"""Does an exported file compute what the network computes?"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.sizes import SizeRule

TOLERANCE = {False: 1e-4, True: 1e-2}
"""Largest difference allowed, in values of [0, 1]: in float32, and with `half`. A grey level is 4e-3."""

_BATCHES_AND_SIZES = ((1, 8, 8), (3, 16, 16), (2, 20, 28))


def largest_difference(net: nn.Module, exported: Callable[[Tensor], Tensor], rule: SizeRule, half: bool) -> float:
    """Compare an exported network with the original at three sizes and batches.

    Args:
        net: The original, in float32, on the CPU.
        exported: What was read from the file.
        rule: Sizes that the network takes.
        half: Whether the file is of half precision.

    Returns:
        The largest difference in any value.

    Raises:
        UsageError: It is above `TOLERANCE`.
    """
    generator = torch.Generator().manual_seed(0)
    differences = []
    for batch, height, width in _BATCHES_AND_SIZES:
        lq = torch.rand(batch, 3, rule.next(height), rule.next(width), generator=generator)
        with torch.inference_mode():
            differences.append(float((exported(lq) - net(lq)).abs().max()))
    largest = float(np.max(differences))  # NaN stays NaN
    if not largest <= TOLERANCE[half]:
        raise UsageError(f'--format: the file differs from the network by {largest:.1e}, more than '
                         f'{TOLERANCE[half]:.0e}; nothing was written' + ('; export it without --half' if half else ''))
    return largest
