"""The one way in which low-resolution faces are made."""

from PIL import Image

from pkdn_basicsr.errors import UsageError


def downsample(image: Image.Image, scale: int) -> Image.Image:
    """Shrink by PIL bicubic (antialiased, a = -0.5), as all published face super-resolution sets were made.

    Args:
        image: 8-bit picture; both sides multiples of `scale`.
        scale: Factor by which both sides shrink.

    Returns:
        The 8-bit low-resolution picture; saving and reading it as PNG changes nothing.

    Raises:
        UsageError: A side is not a multiple of `scale`.
    """
    width, height = image.size
    if width % scale or height % scale:
        raise UsageError(f'a picture of {width}x{height} pixels cannot be shrunk by {scale}: '
                         'both sides must be multiples of it')
    return image.resize((width // scale, height // scale), Image.Resampling.BICUBIC)
