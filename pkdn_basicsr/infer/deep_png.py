"""PNG files of 16 bits per channel, which neither PIL (colours) nor OpenCV (grey with alpha, profiles) writes whole."""

import io
import struct
import zlib

import numpy as np
from PIL.PngImagePlugin import putchunk

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of grey, grey with alpha, RGB, RGBA


def encode_deep_png(channels: np.ndarray, icc: bytes | None = None) -> bytes:
    """Return a PNG file's content.

    Args:
        channels: uint16 (H, W, C): grey, grey with alpha, RGB or RGBA.
        icc: Colour profile.
    """
    height, width, count = channels.shape
    file = io.BytesIO()
    file.write(b'\x89PNG\r\n\x1a\n')
    putchunk(file, b'IHDR', struct.pack('>IIBBBBB', width, height, 16, _COLOUR_TYPES[count], 0, 0, 0))
    if icc:
        putchunk(file, b'iCCP', b'ICC Profile\0\0', zlib.compress(icc))
    deflate = zlib.compressobj(1, strategy=zlib.Z_RLE)  # as OpenCV does: what is left of smooth rows shrinks no further
    putchunk(file, b'IDAT', deflate.compress(_rows(channels)), deflate.flush())
    putchunk(file, b'IEND')
    return file.getvalue()


def _rows(channels: np.ndarray) -> np.ndarray:
    """Return uint8 (H, 1 + bytes of a row): the filter's number, 1, and each byte less the one of the pixel before."""
    height, _, count = channels.shape
    values = channels.astype('>u2', order='C').view(np.uint8).reshape(height, -1)
    rows = np.empty((height, 1 + values.shape[1]), np.uint8)
    rows[:, 0] = 1
    rows[:, 1:] = values
    rows[:, 1 + 2 * count:] -= values[:, :-2 * count]
    return rows
