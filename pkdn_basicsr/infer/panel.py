"""A picture, its bicubic enlargement and the network's result, side by side."""

import numpy as np

from pkdn_basicsr.infer.picture import Picture

_GAP = 4


def side_by_side(picture: Picture, result: Picture) -> Picture:
    """Put the picture with its pixels as squares, by bicubic, and the result next to each other, without alpha.

    Args:
        picture: The low-resolution picture.
        result: A whole number of times as high and wide.
    """
    height, width = result.size
    factor = height // picture.size[0]
    squares = np.repeat(np.repeat(picture.rgb, factor, axis=0), factor, axis=1)
    gap = np.full((height, _GAP, 3), picture.levels, picture.rgb.dtype)
    bicubic = picture.resized(height, width).rgb
    return Picture(np.hstack([squares, gap, bicubic, gap, result.rgb]), grey=picture.grey, icc=picture.icc)
