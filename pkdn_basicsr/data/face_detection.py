"""Faces and their five landmarks, found by YuNet (Wu et al., Machine Intelligence Research 2023) through OpenCV.

The model is a file that the user has (`face_detection_yunet_2023mar.onnx` of OpenCV's model zoo); nothing is
downloaded. A model exported for 640x640 pixels takes every size; one exported with dynamic axes needs OpenCV 5.
"""

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pkdn_basicsr.errors import MissingError, UsageError

_BORDER = 40


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture; coordinates are pixels of that picture, x to the right and y down.

    Attributes:
        box: Left, upper, width and height; may reach over the picture's edges.
        landmarks: Read-only float64 (5, 2), each (x, y): the eye on the image's left, the other eye, the nose, the
            corner of the mouth on the image's left, the other corner.
        score: The detector's confidence, in [0, 1].
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float

    @property
    def centre(self) -> np.ndarray:
        """Centre of the box, (x, y)."""
        left, upper, width, height = self.box
        return np.array([left + width / 2, upper + height / 2])


@dataclass(frozen=True)
class FaceDetector:
    """Finds the faces in a picture; the same picture gives the same faces.

    Made for pictures that show one face, large or small: YuNet's landmarks depend on how large a face is, and it misses
    faces that are very large or reach over the edge. Every picture is therefore resized, so that its longer side has
    `side` pixels (enlarged by bicubic, shrunk by area), and gets a black border of 40 pixels; what is found is mapped
    back. The sizes are our choice. At 320 pixels, faces below about 1/30 of a photograph's side are lost.

    The detector holds no network itself (every thread and process loads its own), so that it can be pickled, hashed and
    handed to a DataLoader's workers.

    Args:
        model: YuNet model, an ONNX file.
        score_threshold: Faces of a lower score are left out.
        side: Pixels of the longer side of what the network sees, without the border.

    Raises:
        UsageError: The file is missing or damaged, or is another model.
    """

    model: str | Path
    score_threshold: float = 0.6
    side: int = 320

    def __post_init__(self) -> None:
        self._network()  # a wrong file is said here, not in the middle of a run

    def detect(self, picture: np.ndarray) -> list[Face]:
        """Return all faces, the one with the highest score first.

        Args:
            picture: uint8 (H, W, 3), BGR.

        Raises:
            UsageError: Not such a picture.
        """
        check_picture(picture)
        resized = _resize(picture, self.side)
        canvas = cv2.copyMakeBorder(resized, *[_BORDER] * 4, cv2.BORDER_CONSTANT)
        network = self._network()
        network.setInputSize(canvas.shape[1::-1])
        _, rows = network.detect(canvas)
        if rows is None:
            return []
        factors = np.divide(resized.shape[1::-1], picture.shape[1::-1])
        return sorted((_face(row, factors) for row in rows), key=lambda face: face.score, reverse=True)

    def main_face(self, picture: np.ndarray) -> Face | None:
        """Return the face whose box is centred nearest to the picture's centre, or None if there is no face.

        Not the one of the highest score (our choice): a crop's subject is in its middle, and the scores of two sharp
        faces differ by chance. Arguments and errors are those of `detect`.
        """
        middle = np.array(picture.shape[1::-1]) / 2
        return nearest_face(self.detect(picture), middle)

    def _network(self) -> cv2.FaceDetectorYN:
        return _load(self.model, self.score_threshold, threading.get_ident())


def nearest_face(faces: list[Face], point: np.ndarray) -> Face | None:
    """Return the face whose box is centred nearest to `point` (x, y), the first of equals, or None without faces."""
    return min(faces, key=lambda face: np.linalg.norm(face.centre - point), default=None)


def check_picture(picture: np.ndarray) -> None:
    """Raise UsageError if the array is not a colour picture, uint8 (H, W, 3)."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise UsageError(f'expected a colour picture, uint8 (H, W, 3), found {picture.dtype} {picture.shape}; convert '
                         'it')


def _resize(picture: np.ndarray, side: int) -> np.ndarray:
    factor = side / max(picture.shape[:2])
    size = [max(round(length * factor), 1) for length in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA)


def _face(row: np.ndarray, factors: np.ndarray) -> Face:
    """Map one of YuNet's rows (box, five points, score) from the canvas back to the picture."""
    row = row.astype(np.float64)
    corner, size = (row[:2] - _BORDER) / factors, row[2:4] / factors
    landmarks = (row[4:14].reshape(5, 2) - _BORDER) / factors
    landmarks.setflags(write=False)
    return Face((*corner.tolist(), *size.tolist()), landmarks, float(row[14]))


@functools.lru_cache(maxsize=16)
def _load(model: str | Path, score_threshold: float, thread: int) -> cv2.FaceDetectorYN:
    """Load the network for one thread: it keeps its input size between calls, and so must not be shared."""
    path = os.path.abspath(os.path.expanduser(model))
    try:
        weights = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except OSError:
        raise MissingError(f'face detector: cannot read {path}; give a YuNet model such as '
                         "face_detection_yunet_2023mar.onnx of OpenCV's model zoo") from None
    try:
        with _quiet_opencv():
            network = cv2.FaceDetectorYN.create('onnx', weights, np.empty(0, np.uint8), (32, 32), score_threshold)
            network.detect(np.zeros((32, 32, 3), np.uint8))
    except cv2.error:
        raise UsageError(f'face detector: {path} is damaged, or is no YuNet model that OpenCV {cv2.__version__} can '
                         "run; get face_detection_yunet_2023mar.onnx of OpenCV's model zoo") from None
    return network


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV 5 warns about every network that it loads, and prints what it raises as well."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
