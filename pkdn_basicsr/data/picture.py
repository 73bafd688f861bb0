"""Reading pictures and parsing maps from files, with errors that name the file."""

from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from pkdn_basicsr.data.parsing_labels import IGNORE, ParsingScheme
from pkdn_basicsr.errors import UsageError

_PICTURE_MODES = {'RGB', 'RGBA', 'P', 'CMYK'}
_GREY_MODES = {'L', 'LA'}


def read_picture(path: str, source: str | BinaryIO | None = None) -> Image.Image:
    """Read an 8-bit colour picture as RGB.

    Args:
        path: The picture's path, for errors.
        source: What to read it from; default: the file of that path.

    Raises:
        UsageError: Missing, not a picture, truncated, grey, or not 8 bits per channel.
    """
    image = read_8_bit(path, source)
    if image.mode in _GREY_MODES:  # three equal channels would count as a colour face in every mean
        raise UsageError(f'{path}: expected a colour picture, found a grey one (PIL mode {image.mode}); leave it out, '
                         'or convert it to RGB if it is meant to be among the others')
    if image.mode not in _PICTURE_MODES:
        raise UsageError(f'{path}: expected an 8-bit picture, found PIL mode {image.mode}; convert it to 8-bit RGB')
    return image.convert('RGB')


def read_parsing(path: str, scheme: ParsingScheme, source: str | BinaryIO | None = None) -> Image.Image:
    """Read a parsing map: a single-channel or palette picture of class indices.

    Args:
        path: The map's path, for errors.
        scheme: The classes that it may have.
        source: What to read it from; default: the file of that path.

    Returns:
        A picture of mode 'L' whose values are classes of `scheme`, or 255 for unknown.

    Raises:
        UsageError: Missing, not a picture, truncated, of several channels, or with an index outside the scheme.
    """
    image = read_8_bit(path, source)
    if image.mode not in ('L', 'P'):
        raise UsageError(f'{path}: expected an 8-bit single-channel or palette picture of class indices, found PIL '
                         f'mode {image.mode}; save the indices, not their colours')
    indices = np.asarray(image)
    outside = indices[(indices >= scheme.num_classes) & (indices != IGNORE)]
    if outside.size:
        raise UsageError(f'{path}: class index {outside.max()} is outside the scheme {scheme.name} '
                         f'(0 to {scheme.num_classes - 1}, or {IGNORE} for unknown); check parsing_scheme')
    return Image.fromarray(indices)


def picture_to_tensor(image: Image.Image) -> torch.Tensor:
    """Return an RGB picture as float32 (3, H, W) in [0, 1]."""
    array = np.array(image).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(array)).float().div_(255)


def read_8_bit(path: str, source: str | BinaryIO | None = None) -> Image.Image:
    """Read a picture of 8 bits or less in whatever mode, turned upright as its EXIF data say; see `read_picture`."""
    try:
        with _open_checked(path if source is None else source) as image:
            deep = any(';16' in str(tile.args) for tile in image.tile)  # PIL would cut 16-bit colours to 8 silently
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
    except FileNotFoundError:
        raise UsageError(f'{path}: no such file') from None
    except UnidentifiedImageError:
        raise UsageError(f'{path}: not a picture that PIL can read; replace the file or leave it out') from None
    except Exception as error:  # PIL has no exception of its own for damaged files
        words = ' '.join(str(error).split()) or type(error).__name__
        raise UsageError(f'{path}: cannot be read: {words}; replace the file or leave it out') from None
    if deep:
        raise UsageError(f'{path}: expected an 8-bit picture, found 16 bits per channel; convert it to 8 bits')
    return image


def _open_checked(source: str | BinaryIO) -> Image.Image:
    """Open a picture whose checksums are right; PIL would read a PNG with a flipped bit as another picture."""
    with Image.open(source) as image:
        image.verify()  # what comes of it cannot be loaded
    if not isinstance(source, str):
        source.seek(0)
    return Image.open(source)
