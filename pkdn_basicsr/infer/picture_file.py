"""Reading pictures of all kinds from files, and encoding results."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.deep_png import encode_deep_png
from pkdn_basicsr.infer.picture import Picture, image_of_picture, picture_of_array, picture_of_image

FORMATS = ('png', 'jpg', 'webp')

_LONGEST = {'jpg': 65535, 'webp': 16383}
_ORIENTATION = 0x0112
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a)}


def read_picture_file(path: Path) -> Picture:
    """Read a picture of 8 or 16 bits in any mode, turned upright as its EXIF data say; of an animation its first frame.

    Raises:
        UsageError: Missing, not a picture, or damaged.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            if any(';16' in str(tile.args) for tile in image.tile):
                return _read_deep(content, image)
            image.load()
            return picture_of_image(ImageOps.exif_transpose(image))
    except UsageError:
        raise
    except FileNotFoundError:
        raise UsageError('no such file') from None
    except UnidentifiedImageError:
        raise UsageError('not a picture that PIL can read') from None
    except Exception as error:  # PIL has no exception of its own for damaged files
        words = ' '.join(str(error).split()) or type(error).__name__
        raise UsageError(f'cannot be read: {words}') from None


def _read_deep(content: bytes, image: Image.Image) -> Picture:
    """PIL would cut 16-bit colours to 8 bits."""
    grey = image.mode.startswith('I') or 'LA;16' in str(image.tile)  # grey with alpha has the mode RGBA
    array = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise UsageError('cannot be read: a damaged picture of 16 bits per channel')
    if array.ndim == 3:
        array = array[..., [2, 1, 0, *range(3, array.shape[2])]]  # OpenCV's order is BGR
    elif 'transparency' in image.info:  # OpenCV overlooks the transparent shade of a grey picture
        alpha = np.where(array == image.info['transparency'], 0, 65535).astype(np.uint16)
        array = np.dstack([array, array, array, alpha])
    if image.format != 'TIFF':  # those OpenCV has turned, though told not to
        array = _UPRIGHT.get(image.getexif().get(_ORIENTATION), lambda a: a)(array)
    picture = picture_of_array(np.ascontiguousarray(array))
    return replace(picture, grey=grey, icc=image.info.get('icc_profile'))


def encode(picture: Picture, file_format: str) -> bytes:
    """Return a picture as a file's content: PNG and WebP without loss, JPEG of quality 95 and full colour resolution.

    PNG keeps 16 bits; the others have 8.

    Args:
        picture: What to encode.
        file_format: One of `FORMATS`.

    Raises:
        UsageError: The format cannot hold it.
    """
    longest = max(picture.size)
    if longest > _LONGEST.get(file_format, longest):
        raise UsageError(f'a result of {longest} pixels in a row is more than {file_format} holds '
                         f'({_LONGEST[file_format]}); take --format png')
    if picture.rgb.dtype == np.uint16:
        if file_format == 'png':
            return encode_deep_png(_channels(picture), picture.icc)
        picture = _to_8_bit(picture)
    if picture.alpha is not None and file_format == 'jpg':
        raise UsageError('jpg cannot hold its transparency; take --format png or webp')
    options = {'png': {}, 'jpg': {'quality': 95, 'subsampling': 0}, 'webp': {'lossless': True, 'exact': True}}
    buffer = io.BytesIO()
    image = image_of_picture(picture)
    image.save(buffer, 'jpeg' if file_format == 'jpg' else file_format, icc_profile=picture.icc, **options[file_format])
    return buffer.getvalue()


def _channels(picture: Picture) -> np.ndarray:
    """Return (H, W, C), grey as one channel, alpha behind."""
    colours = picture.rgb[..., :1] if picture.grey else picture.rgb
    return colours if picture.alpha is None else np.dstack([colours, picture.alpha])


def _to_8_bit(picture: Picture) -> Picture:
    def shallow(values: np.ndarray) -> np.ndarray:
        return np.round(values / 257).astype(np.uint8)

    return replace(picture, rgb=shallow(picture.rgb), alpha=None if picture.alpha is None else shallow(picture.alpha))
