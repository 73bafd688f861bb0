"""Masks and soft maps in files: one value a pixel, in whatever mode a data set stores it."""

import numpy as np

from pkdn_basicsr.data.picture import read_8_bit
from pkdn_basicsr.errors import UsageError


def read_mask(path: str) -> np.ndarray:
    """Read a picture that holds one value a pixel: grey, black and white, or grey stored as palette or RGB.

    Returns:
        uint8 (H, W), 0..255; black and white are 0 and 255.

    Raises:
        UsageError: Missing, not a picture, truncated, deeper than 8 bits, of colours, or with transparency.
    """
    image = read_8_bit(path)
    if image.mode in ('1', 'L'):
        return np.asarray(image.convert('L'))
    if image.mode not in ('P', 'RGB'):  # with an alpha channel, nobody knows which of the two is the mask
        raise UsageError(f'{path}: expected an 8-bit mask (grey, palette or RGB), found PIL mode {image.mode}; convert '
                         'it to grey')
    channels = np.asarray(image.convert('RGB'))
    values = channels[..., 0]
    if not (np.array_equal(values, channels[..., 1]) and np.array_equal(values, channels[..., 2])):
        raise UsageError(f'{path}: expected a mask of black, white and greys, found colours; replace the file or leave '
                         'it out')
    return values
