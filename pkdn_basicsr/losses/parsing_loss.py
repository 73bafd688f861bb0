r"""The loss that trains a face parser: weighted cross-entropy of pixels plus the overlap of regions.

A pure function `(logits, parsing) -> scalar` for each, and a thin class registered in BasicSR that adds them up.
Pixels of `IGNORE` (255) count nowhere. Half precision logits are computed in float32.
"""

from collections.abc import Sequence

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

_IGNORE = 255
_SMALL = 1e-6  # of a pixel; only where no pixel is known is a sum below it


def frequency_weights(frequencies: Sequence[float]) -> Tensor:
    r"""Weights of the classes, :math:`w_k = f_k^{-1/2}`: a rare class counts more, but less than in proportion.

    The square root is our choice, between no weight (a necklace is then never worth a guess) and the inverse (which
    lets it grow into the neck). Only the ratios of the weights matter to `weighted_cross_entropy`.

    Args:
        frequencies: Share of the pixels of each class, above 0.

    Returns:
        float32 (K,).

    Raises:
        ValueError: A frequency that is not above 0.

    Example:
        >>> frequency_weights([0.25, 0.01]).tolist()
        [2.0, 10.0]
    """
    if min(frequencies) <= 0:
        raise ValueError(f'class frequencies must be above 0, found {min(frequencies)}; a class that never occurs may '
                         'have any frequency, such as that of the rarest one')
    return torch.tensor(frequencies, dtype=torch.float32).rsqrt()


def weighted_cross_entropy(logits: Tensor, parsing: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy, averaged over the known pixels by the weight of their class; see `ParsingLoss`."""
    logits, parsing = _checked_pair(logits, parsing)
    if weights is not None and len(weights) != logits.shape[1]:
        raise ValueError(f'expected a weight for each of the {logits.shape[1]} classes, found {len(weights)}')
    if (parsing == _IGNORE).all():
        return logits.sum() * 0  # torch's mean of no pixel is NaN
    return F.cross_entropy(logits, parsing, weights, ignore_index=_IGNORE)


def soft_dice(logits: Tensor, parsing: Tensor) -> Tensor:
    """One minus the Dice overlap of each class in the batch, averaged over the classes there; see `ParsingLoss`."""
    logits, parsing = _checked_pair(logits, parsing)
    parsing = parsing.unsqueeze(1)
    truth = parsing == torch.arange(logits.shape[1], device=logits.device).view(-1, 1, 1)
    predicted = logits.softmax(1) * (parsing != _IGNORE)
    in_truth, in_predicted = truth.sum((0, 2, 3)), predicted.sum((0, 2, 3))
    overlap = 2 * (predicted * truth).sum((0, 2, 3)) / (in_truth + in_predicted).clamp_min(_SMALL)
    present = in_truth > 0
    return ((1 - overlap) * present).sum() / present.sum().clamp_min(1)


@LOSS_REGISTRY.register()
class ParsingLoss(nn.Module):
    r"""Cross-entropy weighted by class plus soft Dice, for parts of the face as unequal as hair and a necklace.

    .. math::
        L_{ce} = \frac{\sum_i w_{y_i} (-\log p_{i y_i})}{\sum_i w_{y_i}}, \qquad
        L_{dice} = \frac{1}{|K'|} \sum_{k \in K'} \left(1 - \frac{2 \sum_i p_{ik} [y_i = k]}
                                                              {\sum_i p_{ik} + \sum_i [y_i = k]}\right)

    over the known pixels i of the batch; :math:`K'` are the classes that occur among them.

    Source: Milletari et al., "V-Net", 3DV 2016, for the Dice loss; sums over the batch instead of each picture (a hat
    that is nowhere near cannot be missed), the sum with cross-entropy and the rule of the weights are our choice.

    Args:
        class_frequencies: Share of each class among the pixels of the training maps; see `frequency_weights`. Without
            it every pixel weighs the same.
        dice_weight: Factor on the Dice loss; that on cross-entropy is 1.
        loss_weight: Factor on both.
    """

    def __init__(self, class_frequencies: Sequence[float] | None = None, dice_weight: float = 1.0,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        self.register_buffer('weights', frequency_weights(class_frequencies) if class_frequencies else None)
        self.dice_weight = dice_weight
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, parsing: Tensor) -> Tensor:
        """Weighted loss, a scalar, from logits (B, K, H, W) and class indices (B, H, W) of any integer type."""
        entropy = weighted_cross_entropy(logits, parsing, self.weights)
        return self.loss_weight * (entropy + self.dice_weight * soft_dice(logits, parsing))


def _checked_pair(logits: Tensor, parsing: Tensor) -> tuple[Tensor, Tensor]:
    """Logits in float32 or better and the map as int64; ValueError where the shapes do not fit."""
    if logits.dim() != 4 or parsing.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError('expected logits (B, K, H, W) and a parsing map (B, H, W) of one size, found '
                         f'{tuple(logits.shape)} and {tuple(parsing.shape)}')
    return logits if logits.dtype == torch.float64 else logits.float(), parsing.long()
