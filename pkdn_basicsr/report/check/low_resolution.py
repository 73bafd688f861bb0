"""Whether a stored low-resolution face is what PIL bicubic makes of its image, and if not, what made it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
from basicsr.utils.matlab_functions import imresize
from PIL import Image

from pkdn_basicsr.data.degradation import downsample

RIGHT_ONE = 'PIL bicubic'


class Mismatch(NamedTuple):
    """How a stored low-resolution face differs from the PIL bicubic one, in grey levels.

    Attributes:
        largest: Largest difference of a value.
        mean: Mean absolute difference.
        nearest: The way of shrinking that comes nearest, a name of `WAYS`.
        nearest_mean: Mean absolute difference to that one; 0 when equal.
    """

    largest: int
    mean: float
    nearest: str
    nearest_mean: float

    def __str__(self) -> str:
        guess = (f'it equals {self.nearest}' if not self.nearest_mean else
                 f'{self.nearest} comes nearest, mean {self.nearest_mean:.2f}')
        return f'differs by up to {self.largest} of 255, mean {self.mean:.2f}; {guess}'


def compare_with_bicubic(lq: Image.Image, gt: Image.Image, scale: int) -> Mismatch | None:
    """Compare a stored low-resolution face with what its image gives.

    Args:
        lq: RGB, 1/scale of `gt`.
        gt: RGB, both sides multiples of `scale`.
        scale: Factor.

    Returns:
        None if it is PIL bicubic to the last bit, else how it differs. Files that were saved as JPEG, or that other
        programs made, equal none of the ways; the nearest is then a guess.
    """
    stored = np.asarray(lq, np.int16)
    difference = np.abs(stored - np.asarray(downsample(gt, scale)))
    if not difference.any():
        return None
    means = {name: float(np.abs(stored - np.asarray(shrink(gt, scale))).mean()) for name, shrink in WAYS.items()}
    nearest = min(means, key=means.get)
    return Mismatch(int(difference.max()), float(difference.mean()), nearest, means[nearest])


def _by_pil(resampling: Image.Resampling) -> Callable[[Image.Image, int], Image.Image]:
    return lambda gt, scale: gt.resize((gt.width // scale, gt.height // scale), resampling)


def _by_cv2(interpolation: int) -> Callable[[Image.Image, int], np.ndarray]:
    return lambda gt, scale: cv2.resize(np.asarray(gt), (gt.width // scale, gt.height // scale),
                                        interpolation=interpolation)


def _by_matlab(gt: Image.Image, scale: int) -> np.ndarray:
    """MATLAB's imresize in BasicSR's port, which the general super-resolution sets were made with."""
    return np.clip(imresize(np.asarray(gt) / np.float32(255), 1 / scale) * 255, 0, 255).round().astype(np.uint8)


WAYS: Mapping[str, Callable[[Image.Image, int], Image.Image | np.ndarray]] = MappingProxyType({
    RIGHT_ONE: downsample,
    'PIL bilinear': _by_pil(Image.Resampling.BILINEAR),
    'PIL lanczos': _by_pil(Image.Resampling.LANCZOS),
    'PIL box': _by_pil(Image.Resampling.BOX),
    'nearest neighbour': _by_pil(Image.Resampling.NEAREST),
    'MATLAB bicubic': _by_matlab,
    'cv2 bicubic': _by_cv2(cv2.INTER_CUBIC),
    'cv2 area': _by_cv2(cv2.INTER_AREA),
    'cv2 bilinear': _by_cv2(cv2.INTER_LINEAR),
    'cv2 lanczos': _by_cv2(cv2.INTER_LANCZOS4),
})
"""Ways of shrinking that are tried: name -> (image, scale) -> low resolution. Of equal ones the first counts."""
