"""Pictures that came from a browser: whatever a visitor sends is either a picture of sane size or a UsageError."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.picture import Picture
from pkdn_basicsr.infer.picture_file import read_picture_file

MOST_BYTES = 20 * 2**20
"""Largest upload; the server refuses more while it is still coming in."""

MOST_PIXELS = 50_000_000
"""Largest picture that is decoded, so that a small file cannot fill the memory: 150 MB, a large camera's picture."""

FORMATS = ('PNG', 'JPEG', 'WEBP', 'BMP', 'GIF', 'TIFF')
"""What is decoded. PIL knows many more, some by calling other programs; who sends those is not after a face."""


def read_upload(path: Path) -> Picture:
    """Read an uploaded file by what it holds, not by its name.

    Raises:
        UsageError: Not a picture of these formats, damaged, or of more than `MOST_PIXELS` pixels.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
    except UnidentifiedImageError:
        raise UsageError(f'This file is not a picture, or not one that is taken here ({", ".join(FORMATS)}), whatever '
                         'its name says.') from None
    except Image.DecompressionBombError:
        raise UsageError(_too_large('This picture')) from None
    except Exception as error:  # PIL has no exception of its own for damaged files
        raise UsageError(f'This picture is damaged ({type(error).__name__}).') from None
    if width * height > MOST_PIXELS:
        raise UsageError(_too_large(f'This picture of {width}×{height} pixels'))
    try:
        return read_picture_file(path)
    except UsageError as error:
        raise UsageError(f'This picture {error}.') from None


def _too_large(what: str) -> str:
    return f'{what} has more than {MOST_PIXELS // 10**6} million pixels; shrink it, or cut out the face.'
