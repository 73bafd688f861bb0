"""How far facial landmarks move between a result and its truth."""

import numpy as np
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.data.face_detection import Face, FaceDetector, nearest_face
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics.memo import remember_pictures

_RESULT_THRESHOLD = 0.1
REMEMBERED_TRUTHS = 1024
"""Enough for a test set of the field, so that a second method or validation finds all of it."""


@METRIC_REGISTRY.register()
def calculate_landmark_nrmse(img: np.ndarray, img2: np.ndarray, detector: str, **kwargs) -> float:
    """Normalised root mean square error of five landmarks; 0 when equal, lower is better.

    The root of the mean squared distance between the points found in result and truth, divided by the distance of the
    truth's eyes: a fraction, as the evaluation script of DIC (Ma et al., CVPR 2020) writes it. DIC takes 68 points of
    its own hourglass network and several widths to divide by; five points of YuNet are our choice, and the numbers do
    not compare with DIC's.

    A poor result must not lose its hard faces: it is searched with a low threshold (0.1), and of several faces the one
    centred nearest to the truth's counts.

    Args:
        img: Result, uint8 (H, W, 3), BGR.
        img2: Truth, of the same shape.
        detector: YuNet model (`data/face_detection.py`).
        **kwargs: The host passes the metric's other options (`better`, `on_missing`).

    Returns:
        The error, or NaN where result or truth shows no face.

    Raises:
        UsageError: A wrong model file, or pictures of unequal size or no colour.
    """
    check_pair(img, img2)
    truth = truth_face(img2, detector)
    if truth is None:
        return float('nan')
    result = nearest_face(FaceDetector(detector, _RESULT_THRESHOLD).detect(img), truth.centre)
    if result is None:
        return float('nan')
    error = np.sqrt(np.square(result.landmarks - truth.landmarks).sum(axis=1).mean())
    left_eye, right_eye = truth.landmarks[:2]
    return float(error / np.linalg.norm(left_eye - right_eye))


def check_detector(detector: str | None = None, **kwargs) -> None:
    """Check before a run that the metric's options name a face detector that can be loaded.

    Raises:
        UsageError: They name none, or its file is missing or damaged.
    """
    if not detector:
        raise UsageError('the option detector is missing; give the path of a YuNet model, such as '
                         "face_detection_yunet_2023mar.onnx of OpenCV's model zoo")
    FaceDetector(detector)


calculate_landmark_nrmse.better = 'lower'
calculate_landmark_nrmse.check = check_detector


@remember_pictures(REMEMBERED_TRUTHS)
def truth_face(truth: np.ndarray, detector: str) -> Face | None:
    """Return the truth's main face; looked for once per picture, however many methods and metrics ask for it."""
    return FaceDetector(detector).main_face(truth)


def check_pair(img: np.ndarray, img2: np.ndarray) -> None:
    """Raise UsageError if result and truth differ in shape; what is done with them checks the rest."""
    if img.shape != img2.shape:
        raise UsageError(f'result and truth must have one shape, found {img.shape} and {img2.shape}')
