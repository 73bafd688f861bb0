"""Whole photographs: every face is found, super-resolved and put back into the enlarged photograph."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from pkdn_basicsr.data.celeba_hq_crop import face_square, side_of, square_to_crop
from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.data.prepare.photo_detection import find_faces
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.picture import Picture
from pkdn_basicsr.infer.upscaler import MOST_HR_PIXELS, FaceUpscaler

MOST_PIXELS = Image.MAX_IMAGE_PIXELS
"""Largest result: above it PIL warns everybody who opens the file of a decompression bomb (89 million pixels)."""

_FEATHER = 0.15  # share of the crop's side over which it fades into the photograph (our choice)


@dataclass(frozen=True)
class EnlargedPhoto:
    """A photograph after `enlarge_photo`.

    Attributes:
        picture: The result.
        faces: How many faces were super-resolved.
        too_large: How many were left as bicubic makes them.
    """

    picture: Picture
    faces: int
    too_large: int


def enlarge_photo(upscaler: FaceUpscaler, detector: FaceDetector, photo: Picture) -> EnlargedPhoto:
    """Enlarge a photograph by bicubic and its faces by the network.

    A face is turned upright and framed as in CelebA-HQ by its landmarks, at the photograph's own resolution; the result
    is turned back and fades into the photograph at its edges. Faces whose square is larger than the network is given
    at once (128 pixels a side for ×8) are left as bicubic makes them: they have detail of their own.

    Args:
        upscaler: The network.
        detector: Finds the faces.
        photo: The photograph.

    Raises:
        UsageError: The result would be larger than `MOST_PIXELS`.
    """
    scale, (height, width) = upscaler.scale, photo.size
    if height * width * scale**2 > MOST_PIXELS:
        side = _longest_side(height, width, MOST_PIXELS / scale**2)
        raise UsageError(f'the result would have {scale * width}x{scale * height} pixels, more than '
                         f'{MOST_PIXELS // 10**6} million; take --shrink {side}, or cut out a part of the photograph')
    found = find_faces(detector, _bgr_8_bit(photo))
    squares = [face_square(face.landmarks) for face in found]  # the largest first, so that small ones stay on top
    small = [square for square in squares if (side_of(square) * scale) ** 2 <= MOST_HR_PIXELS]
    result = photo.resized(scale * height, scale * width)
    canvas = result.rgb.copy()
    colours = photo.unit()
    for square in small:
        face = upscaler.super_resolve(_cut(colours, square)[None])[0]
        _put_back(canvas, photo.with_colours(face).unit(), scale * square)
    return EnlargedPhoto(Picture(canvas, result.alpha, photo.grey, photo.icc), len(small), len(squares) - len(small))


def _longest_side(height: int, width: int, pixels: float) -> int:
    """Return the longer side of a picture of this shape that has so many pixels, the other rounded up at worst."""
    ratio = min(height, width) / max(height, width)
    return int(((1 + 4 * ratio * pixels)**0.5 - 1) / (2 * ratio))  # side * (ratio * side + 1) = pixels


def _bgr_8_bit(photo: Picture) -> np.ndarray:
    return np.round(255 * photo.unit()[..., ::-1]).astype(np.uint8)


def _cut(colours: np.ndarray, square: np.ndarray) -> np.ndarray:
    side = side_of(square)
    cut = cv2.warpAffine(colours, _between_centres(square_to_crop(square)), (side, side), flags=cv2.INTER_CUBIC,
                         borderMode=cv2.BORDER_REFLECT)
    return cut.clip(0, 1)


def _put_back(canvas: np.ndarray, face: np.ndarray, square: np.ndarray) -> None:
    """Blend a face into the square of the canvas that it belongs to.

    Args:
        canvas: uint8 or uint16 (H, W, 3), changed in place.
        face: float32 (S, S, 3) in [0, 1].
        square: Its corners (4, 2) in the canvas, see `face_square`.
    """
    start = np.floor(square.min(0)).astype(int).clip(0)
    end = np.minimum(np.ceil(square.max(0)).astype(int), canvas.shape[1::-1])
    if (start >= end).any():  # a face that is guessed to lie outside the photograph
        return
    to_face = square_to_crop(square - start)
    to_face *= len(face) / side_of(square)
    matrix, size = _between_centres(to_face), tuple((end - start).tolist())
    flags = cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(face, matrix, size, flags=flags | cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(_feather(len(face)), matrix, size, flags=flags | cv2.INTER_LINEAR)[..., None]
    part = canvas[start[1]:end[1], start[0]:end[0]]
    levels = np.iinfo(canvas.dtype).max
    part[:] = np.round((share * turned.clip(0, 1) * levels + (1 - share) * part).clip(0, levels))


def _between_centres(matrix: np.ndarray) -> np.ndarray:
    """Take a map of continuous coordinates to one of OpenCV's, which count from the first pixel's centre."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return shifted


def _feather(side: int) -> np.ndarray:
    """Return the face's share, float32 (side, side): 0 at the edges, rising smoothly to 1."""
    place = (np.arange(side, dtype=np.float32) + 0.5) / side
    ramp = np.minimum(np.minimum(place, 1 - place) / _FEATHER, 1)
    smooth = ramp**2 * (3 - 2 * ramp)
    return np.outer(smooth, smooth)
