"""How well parsing maps agree, from one confusion matrix over as many of them as wanted.

Intersection over union as in the PASCAL VOC challenge (Everingham et al., IJCV 2010).
"""

import numpy as np

from pkdn_basicsr.data.parsing_labels import IGNORE


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Count pixels by their true and their predicted class; matrices of several pictures are added up.

    Args:
        truth: uint8 class indices, any shape; pixels of `IGNORE` are left out.
        predicted: The same for the prediction. `IGNORE` is no prediction: such pixels are left out too.
        num_classes: Number of classes K.

    Returns:
        int64 (K, K); row = true class, column = predicted class.

    Raises:
        ValueError: Unequal shapes, or an index that is neither below K nor `IGNORE`.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f'expected two maps of one size, found {truth.shape} and {predicted.shape}')
    known = (truth != IGNORE) & (predicted != IGNORE)
    pairs = truth[known].astype(np.int64), predicted[known].astype(np.int64)
    for indices in pairs:
        if indices.size and not 0 <= indices.min() <= indices.max() < num_classes:
            raise ValueError(f'class index {indices.max()} is outside 0..{num_classes - 1}')
    counts = np.bincount(pairs[0] * num_classes + pairs[1], minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of every class.

    Args:
        confusion: (K, K), as `confusion_matrix` returns it.

    Returns:
        float64 (K,) in [0, 1]; NaN for a class that the truth does not have, predicted or not.
    """
    in_truth, intersection = confusion.sum(1), confusion.diagonal()
    union = in_truth + confusion.sum(0) - intersection
    return np.where(in_truth > 0, intersection / np.maximum(union, 1), np.nan)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean of `class_iou` over the classes that the truth has; NaN when it has none."""
    iou = class_iou(confusion)
    present = ~np.isnan(iou)
    return float(iou[present].mean()) if present.any() else float('nan')
