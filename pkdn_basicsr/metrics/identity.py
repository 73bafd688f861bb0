"""Whether a result still shows the same person, judged by a face recognition network."""

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.data.alignment import align_face
from pkdn_basicsr.errors import MissingError, UsageError
from pkdn_basicsr.metrics.landmark_error import REMEMBERED_TRUTHS, check_detector, check_pair, truth_face
from pkdn_basicsr.metrics.memo import remember_pictures

if TYPE_CHECKING:
    import onnxruntime


class Normalization(NamedTuple):
    """What is subtracted from, and then divides, RGB values of 0 to 255."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


NORMALIZATIONS = {
    'arcface': Normalization((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),  # InsightFace
    'imagenet': Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),  # torchvision
}


@METRIC_REGISTRY.register()
def calculate_identity_similarity(img: np.ndarray, img2: np.ndarray, embedder: str, detector: str,
                                  normalization: str = 'arcface', **kwargs) -> float:
    """Cosine between the identity embeddings of result and truth, in [-1, 1]; 1 when equal, higher is better.

    The face is found in the truth, and both pictures are cropped by its landmarks (`data/alignment.py`): they are
    pixel-aligned, and a detector that fails on poor results would remove the hard faces from the mean.

    Values of different networks do not compare: name the network beside the number.

    Args:
        img: Result, uint8 (H, W, 3), BGR.
        img2: Truth, of the same shape.
        embedder: ONNX file of a recognition network of the ArcFace kind (Deng et al., CVPR 2019): one square RGB input,
            channels first or last, and the embedding as first output.
        detector: YuNet model (`data/face_detection.py`).
        normalization: What the network was trained with: `arcface`, (x - 127.5) / 127.5, or `imagenet`, mean and
            standard deviation of ImageNet.
        **kwargs: The host passes the metric's other options (`better`, `on_missing`).

    Returns:
        The cosine, or NaN where the truth shows no face.

    Raises:
        UsageError: A wrong option or file, onnxruntime is not installed, or pictures of unequal size or no colour.
    """
    check_pair(img, img2)
    face = truth_face(img2, detector)
    if face is None:
        return float('nan')
    truth = _truth_embedding(img2, embedder, detector, normalization)
    result = identity_embedding(img, face.landmarks, embedder, normalization)
    return float(np.clip(result @ truth, -1, 1))


def check_identity(embedder: str | None = None, detector: str | None = None, normalization: str = 'arcface',
                   **kwargs) -> None:
    """Check before a run that both networks can be loaded; arguments and errors are those of the metric."""
    check_detector(detector)
    if not embedder:
        raise UsageError('the option embedder is missing; give the path of a face recognition network, an ONNX file')
    _normalization(normalization)
    _load(embedder)


calculate_identity_similarity.better = 'higher'
calculate_identity_similarity.check = check_identity


@dataclass(frozen=True)
class _Embedder:
    """A recognition network in onnxruntime; layout and size of the crop are read from the model."""

    session: 'onnxruntime.InferenceSession'
    channels_first: bool
    size: int

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """Return the embedding, float64 (D,), of a normalised RGB crop (size, size, 3)."""
        return self.session.run(None, self.inputs(crop))[0].ravel().astype(np.float64)

    def inputs(self, crop: np.ndarray) -> dict[str, np.ndarray]:
        """Return the model's input for a normalised RGB crop."""
        batch = crop[None].transpose(0, 3, 1, 2) if self.channels_first else crop[None]
        return {self.session.get_inputs()[0].name: batch.astype(np.float32)}


@functools.lru_cache(maxsize=4)
def _load(path: str) -> _Embedder:
    try:
        import onnxruntime
    except ImportError:
        raise MissingError('identity similarity needs onnxruntime, which is not installed; run: pip install '
                         "'pkdn_basicsr[metrics]'") from None
    path = os.path.abspath(os.path.expanduser(path))
    if not os.path.isfile(path):
        raise MissingError(f'embedder: no such file: {path}; give a face recognition network, an ONNX file')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it raises is not to be printed as well
    with _named_in_errors(path):
        session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    embedder = _Embedder(session, *_layout(session.get_inputs()[0].shape, path))
    with _named_in_errors(path):
        outputs = session.run(None, embedder.inputs(np.zeros((embedder.size, embedder.size, 3))))
    if len(outputs) != 1 or outputs[0].ndim != 2:  # a detector has many, and their cosine would be near 1
        raise UsageError(f'embedder: {path} gives {len(outputs)} outputs, the first of shape {outputs[0].shape}; '
                         'expected one embedding (1, D) of a face recognition network')
    return embedder


@contextmanager
def _named_in_errors(path: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # onnxruntime's exceptions share no base of their own
        words = ' '.join(str(error).split())
        raise UsageError(f'embedder: onnxruntime cannot run {path}: {words}; give another file') from None


def _layout(shape: Sequence, path: str) -> tuple[bool, int]:
    """Return whether channels come first, and the side of the crop, which is 112 where the model leaves it open."""
    for channels_first, sides in ((True, (2, 3)), (False, (1, 2))):
        if len(shape) == 4 and shape[1 if channels_first else 3] == 3:
            height, width = (shape[side] if isinstance(shape[side], int) else 112 for side in sides)
            if height == width:
                return channels_first, height
    raise UsageError(f'embedder: {path} takes {shape}; expected a batch of square RGB crops, (1, 3, size, size) or '
                     '(1, size, size, 3)')


def _normalization(name: str) -> Normalization:
    if name not in NORMALIZATIONS:
        raise UsageError(f"normalization '{name}' is unknown; expected one of {', '.join(NORMALIZATIONS)}")
    return NORMALIZATIONS[name]


def identity_embedding(picture: np.ndarray, landmarks: np.ndarray, embedder: str, normalization: str) -> np.ndarray:
    """Embed a face: the cosine of two embeddings is their similarity.

    Args:
        picture: uint8 (H, W, 3), BGR.
        landmarks: (5, 2), see `align_face`.
        embedder: See `calculate_identity_similarity`.
        normalization: See `calculate_identity_similarity`.

    Returns:
        Vector of length 1.
    """
    network, (mean, std) = _load(embedder), _normalization(normalization)
    rgb = align_face(picture, landmarks, network.size)[..., ::-1]
    embedding = network((rgb - np.array(mean)) / std)
    return embedding / np.linalg.norm(embedding)


@remember_pictures(REMEMBERED_TRUTHS)
def _truth_embedding(truth: np.ndarray, embedder: str, detector: str, normalization: str) -> np.ndarray:
    embedding = identity_embedding(truth, truth_face(truth, detector).landmarks, embedder, normalization)
    embedding.setflags(write=False)
    return embedding
