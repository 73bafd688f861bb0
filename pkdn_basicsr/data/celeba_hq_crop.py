"""The upright square around a face by which CelebA-HQ was cut out of CelebA's photographs.

Source: Karras et al., Progressive Growing of GANs, ICLR 2018, appendix C. Coordinates are continuous, x to the right
and y down: a picture's upper left pixel reaches from 0 to 1.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pkdn_basicsr.data.face_detection import check_picture
from pkdn_basicsr.errors import UsageError

_LONGEST = 32766  # what cv2.warpAffine can address


class Framing(NamedTuple):
    """How much of a face's surroundings a crop shows.

    Attributes:
        side: Side of the crop, in sides of the CelebA-HQ square.
        down: How far its centre lies below that of the square, in such sides, towards the chin.
    """

    side: float
    down: float


FRAMINGS = {'celeba-hq': Framing(1.0, 0.0), 'dic': Framing(0.857, 0.095)}
"""`celeba-hq` is the paper's. `dic` has the faces where the CelebA test set of DIC has them on average: measured on its
1,000 faces, which were cut out by boxes and not turned upright, so that single ones differ (our choice)."""


def face_square(landmarks: np.ndarray, framing: Framing = FRAMINGS['celeba-hq']) -> np.ndarray:
    """Return the square to cut out.

    With the eyes e0, e1 and the corners of the mouth m0, m1: x' = e1 - e0, y' = (e0 + e1) / 2 - (m0 + m1) / 2, centre
    c = (e0 + e1) / 2 - 0.1 y', side s = max(4.0 |x'|, 3.6 |y'|), axis x = normalize(x' - rotate90(y')), where rotate90
    turns counterclockwise as one sees it. Both axes have a part in x, so a face that looks up or aside stays upright.

    Args:
        landmarks: (5, 2), each (x, y), in the order of `Face.landmarks`; the nose is not used.
        framing: What to show.

    Returns:
        float64 (4, 2): the upper left, upper right, lower right and lower left corner of the crop.

    Raises:
        UsageError: Not five finite points, or points that span no square.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
        raise UsageError(f'a crop needs five landmarks (5, 2), found shape {landmarks.shape} with values '
                         f'{landmarks.ravel().tolist()}; detect the face again')
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks
    across, eyes = right_eye - left_eye, (left_eye + right_eye) / 2
    up = eyes - (left_mouth + right_mouth) / 2
    right = across - np.array([up[1], -up[0]])
    length = np.linalg.norm(right)
    if not length:
        raise UsageError(f'a crop needs landmarks of a face, found {landmarks.ravel().tolist()}; detect the face again')
    right /= length
    down = np.array([-right[1], right[0]])
    side = max(4.0 * np.linalg.norm(across), 3.6 * np.linalg.norm(up))
    centre = eyes - 0.1 * up + framing.down * side * down
    half = framing.side * side / 2
    return centre + half * np.array([-right - down, right - down, right + down, down - right])


def side_of(square: np.ndarray) -> int:
    """Return the side of a square of corners (4, 2) in whole pixels, at least 1."""
    return max(round(float(np.linalg.norm(square[1] - square[0]))), 1)


def square_to_crop(square: np.ndarray) -> np.ndarray:
    """Return the map from the picture into the crop of `side_of` pixels: float64 (2, 3), times (x, y, 1)."""
    side = side_of(square)
    right, down = (square[1] - square[0]) / side, (square[3] - square[0]) / side
    linear = np.linalg.inv(np.stack([right, down], axis=1))
    return np.column_stack([linear, -linear @ square[0]])


def cut_square(picture: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Cut a square out of a picture, at the picture's own resolution: bicubic, as nothing is shrunk here.

    Args:
        picture: uint8 (H, W, 3).
        square: Corners (4, 2), see `face_square`; beyond the picture's edges its reflection is seen.

    Returns:
        uint8 (S, S, 3) with S of `side_of`, channels as in `picture`.

    Raises:
        UsageError: Not such a picture, or picture or square have more pixels in a row than OpenCV can address.
    """
    check_picture(picture)
    side = side_of(square)
    longest = max(side, *picture.shape[:2])
    if longest > _LONGEST:
        raise UsageError(f'{longest} pixels in a row are more than can be turned, {_LONGEST}; shrink the photograph')
    matrix = square_to_crop(square)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV counts from the first pixel's centre
    return cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def share_outside(square: np.ndarray, width: int, height: int) -> float:
    """Return which share of a square (4, 2) lies outside a picture, in [0, 1]."""
    frame = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    inside, _ = cv2.intersectConvexConvex(square.astype(np.float32), frame)
    area = float(np.linalg.norm(square[1] - square[0])) ** 2
    return min(max(1 - inside / area, 0.0), 1.0)
