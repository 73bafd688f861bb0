"""Pictures of all kinds as arrays, and back to the same kind."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pkdn_basicsr.errors import UsageError

_COLOUR = {'RGB', 'RGBA', 'RGBX', 'P', 'PA', 'CMYK', 'YCbCr', 'LAB', 'HSV'}
_GREY = {'1', 'L', 'LA'}


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to be enlarged.

    Attributes:
        rgb: uint8 or uint16 (H, W, 3); three equal channels where it is grey.
        alpha: (H, W) of the same type, or None.
        grey: Whether it is stored with one channel.
        icc: Colour profile as stored, or None.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    icc: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[:2]

    @property
    def levels(self) -> int:
        """The value of white."""
        return np.iinfo(self.rgb.dtype).max

    def unit(self) -> np.ndarray:
        """Return its colours as float32 (H, W, 3) in [0, 1]."""
        return self.rgb.astype(np.float32) / self.levels

    def with_colours(self, unit: np.ndarray) -> 'Picture':
        """Return a picture of the same kind with other colours, without alpha.

        Args:
            unit: float (H, W, 3); what lies outside [0, 1] is cut off, and a grey picture gets their luma.
        """
        if self.grey:
            luma = unit @ np.array([0.299, 0.587, 0.114], unit.dtype)  # as PIL makes grey
            unit = np.broadcast_to(luma[..., None], unit.shape)
        return replace(self, rgb=np.round(unit.clip(0, 1) * self.levels).astype(self.rgb.dtype), alpha=None)

    def resized(self, height: int, width: int) -> 'Picture':
        """Return it enlarged or shrunk by PIL's bicubic, alpha included."""
        channels = [_resize(self.rgb[..., channel], height, width) for channel in range(1 if self.grey else 3)]
        alpha = None if self.alpha is None else _resize(self.alpha, height, width)
        return replace(self, rgb=np.stack(channels * 3 if self.grey else channels, axis=-1), alpha=alpha)


def picture_of_array(array: np.ndarray) -> Picture:
    """Take an array as a picture.

    Args:
        array: uint8 or uint16, grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4).

    Raises:
        UsageError: Another type or shape, or no pixel.
    """
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype not in (np.uint8, np.uint16) or not is_picture or not array.size:
        raise UsageError('expected a picture, uint8 or uint16 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, found '
                         f'{array.dtype} {array.shape}; convert it')
    if array.ndim == 2:
        return Picture(np.repeat(array[..., None], 3, axis=2), grey=True)
    return Picture(array[..., :3], array[..., 3] if array.shape[2] == 4 else None)


def array_of_picture(picture: Picture) -> np.ndarray:
    """Return (H, W), (H, W, 3) or (H, W, 4); see `picture_of_array`. Grey with alpha comes as RGBA."""
    if picture.alpha is not None:
        return np.dstack([picture.rgb, picture.alpha])
    return picture.rgb[..., 0] if picture.grey else picture.rgb


def picture_of_image(image: Image.Image) -> Picture:
    """Take a PIL image as a picture; palettes, CMYK and the like become RGB, transparency of any kind alpha.

    Raises:
        UsageError: More than 8 bits, as PIL holds them in grey images only.
    """
    if image.mode.startswith('I;16'):
        return picture_of_array(np.asarray(image).astype(np.uint16))
    if image.mode not in _COLOUR | _GREY:
        raise UsageError(f'expected a picture of 8 or 16 bits, found PIL mode {image.mode}; convert it')
    grey, has_alpha = image.mode in _GREY, image.has_transparency_data
    icc = image.info.get('icc_profile') if image.mode not in ('CMYK', 'LAB') else None  # it describes those
    channels = np.array(image.convert('RGBA' if has_alpha else 'RGB'))
    return Picture(channels[..., :3], channels[..., 3] if has_alpha else None, grey, icc)


def image_of_picture(picture: Picture) -> Image.Image:
    """Return a PIL image: L, LA, RGB, RGBA, or I;16 for 16-bit grey.

    Raises:
        UsageError: 16-bit colours or alpha, which PIL has not.
    """
    if picture.rgb.dtype == np.uint16 and not (picture.grey and picture.alpha is None):
        raise UsageError('PIL has no pictures of 16-bit colours; make it 8 bits')
    image = Image.fromarray(array_of_picture(picture))
    if picture.grey and picture.alpha is not None:
        image = image.convert('LA')
    if picture.icc:
        image.info['icc_profile'] = picture.icc
    return image


def _resize(channel: np.ndarray, height: int, width: int) -> np.ndarray:
    """PIL has no 16-bit bicubic; its float one is not clipped."""
    if channel.dtype == np.uint8:
        return np.asarray(Image.fromarray(channel).resize((width, height), Image.Resampling.BICUBIC))
    resized = np.asarray(Image.fromarray(channel.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))
    return np.round(resized.clip(0, np.iinfo(channel.dtype).max)).astype(channel.dtype)
