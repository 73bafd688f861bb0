"""One face of a validation as a picture for TensorBoard."""

from collections.abc import Mapping

import cv2
import numpy as np


def draw_panel(pictures: Mapping[str, np.ndarray]) -> np.ndarray:
    """Put low resolution, result and truth side by side.

    Args:
        pictures: `lq` (h, w, 3), `result` (H, W, 3) and, where there is one, `gt` (H, W, 3): uint8, BGR.

    Returns:
        uint8 (H, 2W or 3W, 3), RGB.
    """
    height, width = pictures['result'].shape[:2]
    lq = cv2.resize(pictures['lq'], (width, height), interpolation=cv2.INTER_NEAREST)
    columns = [lq, pictures['result'], *([pictures['gt']] if 'gt' in pictures else [])]
    return np.concatenate(columns, axis=1)[..., ::-1]
