"""Drawing tools of the embedded sample set: a canvas that paints a picture and its exact class map from one stencil.

Everything is given in picture units (0..1 from the left or top edge to the right or bottom one) and every random number
is drawn on a grid of fixed size, so that the same face comes out at any picture size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SUPERSAMPLING = 2  # sub-pixels per side of a pixel; with stencils averaged as below, 3 showed no gain to the eye

# Stencils are filled this many times finer than sub-pixels and averaged. OpenCV's own antialiasing (LINE_AA) makes
# every shape 0.7 pixels larger all around, and not evenly; a plain fill by half a pixel, which is small this way.
_FINER = 4
_FIXED_POINT_BITS = 4  # corners are passed to OpenCV in 1/16 of such a pixel


@dataclass
class Stencil:
    """Where paint goes: coverage float32 (h, w) in [0, 1] inside the box `rows`, `cols` of the canvas."""

    coverage: np.ndarray
    rows: slice
    cols: slice

    def times(self, field: np.ndarray) -> 'Stencil':
        """The stencil thinned out by a field over the whole canvas, (side, side) in [0, 1]."""
        return Stencil(self.coverage * field[self.rows, self.cols], self.rows, self.cols)

    def inside(self, other: 'Stencil') -> 'Stencil':
        """The part of this stencil that also lies in another one."""
        coverage = np.zeros_like(self.coverage)
        top, left = max(self.rows.start, other.rows.start), max(self.cols.start, other.cols.start)
        bottom, right = min(self.rows.stop, other.rows.stop), min(self.cols.stop, other.cols.stop)
        if bottom > top and right > left:
            mine = (slice(top - self.rows.start, bottom - self.rows.start),
                    slice(left - self.cols.start, right - self.cols.start))
            theirs = (slice(top - other.rows.start, bottom - other.rows.start),
                      slice(left - other.cols.start, right - other.cols.start))
            coverage[mine] = self.coverage[mine] * other.coverage[theirs]
        return Stencil(coverage, self.rows, self.cols)


class Canvas:
    """A picture and its class map, painted back to front at `SUPERSAMPLING` times the final size.

    Args:
        size (int): Side of the final picture in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.side = size * SUPERSAMPLING
        # Planar, because numpy is several times quicker on whole planes than on (h, w, 3) with a short last axis.
        self.planes = np.zeros((3, self.side, self.side), np.float32)
        self.labels = np.zeros((self.side, self.side), np.uint8)
        axis = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side
        self.x, self.y = axis[None, :], axis[:, None]

    def enlarge(self, field: np.ndarray) -> np.ndarray:
        """A smooth field on any coarse square grid, stretched over the canvas: float32 (side, side)."""
        return cv2.resize(field.astype(np.float32), (self.side, self.side), interpolation=cv2.INTER_LINEAR)

    def stencil(self, *outlines: np.ndarray, soft: float = 0.0) -> 'Stencil':
        """The inside of one or several closed outlines.

        Args:
            outlines (np.ndarray): Corners (n, 2) as x, y in picture units.
            soft (float): Standard deviation of a blur of the edge, in picture units.
        """
        margin = 3 * soft * self.side + 2
        corners = np.concatenate(outlines) * self.side
        left, top = np.clip(np.floor(corners.min(0) - margin), 0, self.side - 1).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(0) + margin), 1, self.side).astype(int)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        origin = np.array([left, top]) / self.side
        # OpenCV puts the centre of the first pixel at 0, we put it at 0.5.
        fixed = [np.rint(((outline - origin) * self.side * _FINER - 0.5) * 2 ** _FIXED_POINT_BITS).astype(np.int32)
                 for outline in outlines]
        mask = np.zeros(((bottom - top) * _FINER, (right - left) * _FINER), np.uint8)
        cv2.fillPoly(mask, fixed, 255, shift=_FIXED_POINT_BITS)
        mask = cv2.resize(mask, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        coverage = mask.astype(np.float32) * np.float32(1 / 255)
        if soft > 0:
            coverage = cv2.GaussianBlur(coverage, (0, 0), soft * self.side)
        return Stencil(coverage, slice(top, bottom), slice(left, right))

    def paint(self, stencil: Stencil, colour: np.ndarray, shade: np.ndarray | None = None,
              label: int | None = None, opacity: float = 1.0) -> None:
        """Lay a colour over the stencil and, with a label, its class over the more than half covered sub-pixels.

        Args:
            stencil (Stencil): Where.
            colour (np.ndarray): RGB in [0, 1].
            shade (np.ndarray | None): Light over the whole canvas, (side, side); 1 leaves the colour as it is.
            label (int | None): Class index; None paints without a change of the map.
            opacity (float): 0..1; does not touch the map.
        """
        box = (stencil.rows, stencil.cols)
        coverage = stencil.coverage * np.float32(opacity)
        light = np.float32(1.0) if shade is None else shade[box]
        for plane, value in zip(self.planes, colour, strict=True):
            part = plane[box]
            part += (light * np.float32(value) - part) * coverage
        if label is not None:
            self.labels[box][stencil.coverage > 0.5] = label

    def darken(self, stencil: Stencil, strength: float) -> None:
        """Cast a shadow: multiply the picture by 1 - strength (0..1) inside the stencil."""
        keep = 1 - stencil.coverage * np.float32(strength)
        self.planes[:, stencil.rows, stencil.cols] *= keep

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture, RGB uint8 (size, size, 3), averaged over sub-pixels, and the map, uint8 (size, size)."""
        fine = cv2.merge(list(self.planes))
        picture = cv2.resize(fine, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8), _most_frequent(self.labels)


def _most_frequent(labels: np.ndarray) -> np.ndarray:
    """The class that covers most of each pixel's 2×2 sub-pixels; on a tie the higher index, mostly the one on top."""
    votes = np.stack([labels[0::2, 0::2], labels[0::2, 1::2], labels[1::2, 0::2], labels[1::2, 1::2]])
    votes.sort(axis=0)
    tie_broken = np.where((votes[0] == votes[1]) & (votes[2] != votes[3]), votes[0], votes[3])
    return np.where(votes[1] == votes[2], votes[1], tie_broken)


def shift(points: np.ndarray, x: float, y: float) -> np.ndarray:
    """Points (..., 2) moved to the right by x and down by y."""
    return points + np.array([x, y])


def spline(points: np.ndarray, closed: bool = True, steps: int = 8) -> np.ndarray:
    """A Catmull-Rom curve through control points (n, 2), `steps` corners for each of them."""
    points = np.asarray(points, np.float64)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    p0, p1, p2, p3 = padded[:-3, None], padded[1:-2, None], padded[2:-1, None], padded[3:, None]
    t = (np.arange(steps) / steps)[None, :, None]
    curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def ribbon(line: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """The outline of a pen stroke along a line (n, 2); width in picture units, one number or one for each point."""
    along = np.empty_like(line)  # np.gradient does the same five times slower, and there are a hundred strokes a face
    along[1:-1], along[0], along[-1] = line[2:] - line[:-2], line[1] - line[0], line[-1] - line[-2]
    across = along[:, ::-1] * [-.5, .5]
    half = across * (width / (np.hypot(along[:, 0], along[:, 1]) + 1e-9))[:, None]
    return np.concatenate([line + half, (line - half)[::-1]])


def taper(points: int, ends: float = 0.15) -> np.ndarray:
    """Pen pressure (points,) that swells from `ends` at both ends to 1 in the middle."""
    return ends + (1 - ends) * np.sin(np.linspace(0, np.pi, points))


def ellipse(centre: Sequence[float], radii: Sequence[float], power: float = 2.0, points: int = 40) -> np.ndarray:
    """A closed ellipse (points, 2) around x, y; power > 2 makes it a rounded rectangle."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    unit = np.stack([np.cos(angle), np.sin(angle)], 1)
    return np.asarray(centre) + np.asarray(radii) * np.sign(unit) * np.abs(unit) ** (2 / power)


def smooth_noise(rng: np.random.Generator, cells: int, grid: int = 128) -> np.ndarray:
    """Noise of unit variance with about `cells` bumps across, float32 (grid, grid)."""
    return cv2.resize(rng.standard_normal((cells, cells), np.float32), (grid, grid), interpolation=cv2.INTER_CUBIC)


def ring_noise(rng: np.random.Generator, length: int, softness: float) -> np.ndarray:
    """Periodic noise of unit variance along a ring, float32 (length,), blurred over `softness` samples."""
    frequency = np.fft.rfftfreq(length)
    spectrum = np.fft.rfft(rng.standard_normal(length)) * np.exp(-2 * (np.pi * softness * frequency) ** 2)
    noise = np.fft.irfft(spectrum, length)
    return (noise / (noise.std() + 1e-9)).astype(np.float32)
