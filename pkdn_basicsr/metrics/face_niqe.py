"""NIQE (Mittal et al., "Making a 'Completely Blind' Image Quality Analyzer", IEEE SPL 2013), refused for small faces.

NIQE compares the mean and covariance of 36 features over blocks of 96x96 pixels with those of pristine photographs. A
128x128 face has one block, of which there is no covariance, and enlarging the face measures the enlargement (5.9 at
192x192, 6.2 at 256x256, 8.1 at 512x512). With a few blocks a number comes out, but it tells more of their count than of
the face. Measured on 39 CelebA-HQ faces of 512x512, whose own values are 4.0 with a standard deviation of 0.57, with N
of their 25 blocks drawn at random:

    N    mean error    deviation between draws    rank correlation with all 25
    2          +3.2                        2.1                            0.33
    4          +1.6                        1.1                            0.51
    9          +0.6                        0.4                            0.77
    16         +0.2                        0.2                            0.91

From 16 blocks on the error is well below what faces differ by. That bound is our choice. Even then, compare only
pictures of one size.
"""

import math
from pathlib import Path

import numpy as np
from basicsr.metrics import calculate_niqe, niqe
from basicsr.metrics.metric_util import to_y_channel
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import MissingError, UsageError

BLOCK = 96
MIN_BLOCKS = 16
INSTEAD = 'compare with the truth instead, by calculate_lpips or calculate_vif_p'


@METRIC_REGISTRY.register()
def calculate_face_niqe(img: np.ndarray, crop_border: int = 0, **kwargs) -> float:
    """NIQE by BasicSR, on luma; 0 upwards, about 3 to 5 for sharp 512x512 faces; lower is better. It needs no truth.

    Args:
        img: Result, uint8 (H, W, 3), BGR; inside the border at least 16 whole blocks of 96x96, as 384x384 has.
        crop_border: Pixels left out at every side.
        **kwargs: The host passes the truth (`img2`), which is not looked at, and the metric's other options.

    Raises:
        UsageError: Fewer than 16 blocks, not counting those of one grey, or BasicSR's parameter file is missing.
    """
    blocks = _count_textured_blocks(img, crop_border)
    if blocks < MIN_BLOCKS:
        raise UsageError(f'NIQE needs {MIN_BLOCKS} blocks of {BLOCK}x{BLOCK} pixels that are not of one grey, as in '
                         f'384x384; found {blocks} in {_size(img)} with crop_border: {crop_border}; do not enlarge it, '
                         f'{INSTEAD}')
    check_face_niqe()
    try:
        value = calculate_niqe(img, crop_border)
    except np.linalg.LinAlgError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f'NIQE has no value for {_size(img)}: too few of its blocks have texture; {INSTEAD}')
    return value


def check_face_niqe(**kwargs) -> None:
    """Check before a run that BasicSR has its model of pristine photographs.

    Raises:
        MissingError: The file is missing.
    """
    path = Path(niqe.__file__).with_name('niqe_pris_params.npz')
    if not path.is_file():
        raise MissingError(f'NIQE needs {path}, which this installation of BasicSR lacks: put the file of that name in '
                         'basicsr/metrics of https://github.com/XPixelGroup/BasicSR there')


calculate_face_niqe.check = check_face_niqe
calculate_face_niqe.better = 'lower'


def _size(img: np.ndarray) -> str:
    return f'a picture of {img.shape[1]}x{img.shape[0]}'


def _count_textured_blocks(img: np.ndarray, crop_border: int) -> int:
    """Count the whole blocks that are not of one grey: of a flat one the features do not exist."""
    if img.ndim != 3 or img.shape[2] != 3:
        raise UsageError(f'NIQE takes a colour picture (H, W, 3), found shape {img.shape}')
    border = slice(crop_border, -crop_border or None)
    luma = to_y_channel(img)[border, border, 0].round()
    rows, columns = (side // BLOCK for side in luma.shape)
    blocks = luma[:rows * BLOCK, :columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return int((np.ptp(blocks, axis=(1, 3)) > 0).sum())
