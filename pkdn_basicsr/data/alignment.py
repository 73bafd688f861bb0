"""Five-point face alignment, as face recognition networks of the ArcFace kind expect it."""

import cv2
import numpy as np
from skimage.transform import estimate_transform

from pkdn_basicsr.data.face_detection import check_picture
from pkdn_basicsr.errors import UsageError

ARCFACE_TEMPLATE = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655),
                             (70.7299, 92.2041)])
"""Where the landmarks lie in a crop of 112x112 pixels: eyes, nose, mouth corners, image-left first (InsightFace)."""
ARCFACE_TEMPLATE.setflags(write=False)


def similarity_to_template(landmarks: np.ndarray, size: int = 112) -> np.ndarray:
    """Return the similarity that takes the landmarks nearest to the template, in the sense of least squares.

    Rotation, one scale and translation, no mirroring (Umeyama, PAMI 1991), all five points of one weight.

    Args:
        landmarks: (5, 2), each (x, y), in the template's order (`Face.landmarks`).
        size: Side of the crop; the template is scaled by size / 112.

    Returns:
        float64 (2, 3): multiplied by (x, y, 1) it gives a point of the crop.

    Raises:
        UsageError: Not five finite points, or all of them the same.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all() or not np.ptp(landmarks, axis=0).any():
        raise UsageError(f'alignment needs five different landmarks (5, 2), found shape {landmarks.shape} with values '
                         f'{landmarks.ravel().tolist()}; detect the face again')
    return estimate_transform('similarity', landmarks, ARCFACE_TEMPLATE * (size / 112)).params[:2]


def align_face(picture: np.ndarray, landmarks: np.ndarray, size: int = 112) -> np.ndarray:
    """Cut out a face, upright and centred, for a face recognition network.

    Bilinear without antialiasing, and black outside the picture, as in InsightFace, with whose crops such networks are
    trained.

    Args:
        picture: uint8 (H, W, 3).
        landmarks: (5, 2), in pixels of the picture; see `similarity_to_template`.
        size: Side of the crop in pixels.

    Returns:
        uint8 (size, size, 3), channels as in `picture`.

    Raises:
        UsageError: Not such a picture, or landmarks that fit nothing.
    """
    check_picture(picture)
    return cv2.warpAffine(picture, similarity_to_template(landmarks, size), (size, size), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=0)
