"""Do a result and its truth show the same parts of the face in the same places? A parser looks at both."""

import functools

import numpy as np
import torch
from basicsr.utils.registry import METRIC_REGISTRY
from torch import nn

from pkdn_basicsr.archs.face_parser_arch import predict_parsing
from pkdn_basicsr.data.parsing_labels import ParsingScheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics.confusion import confusion_matrix, mean_iou
from pkdn_basicsr.metrics.memo import remember_pictures
from pkdn_basicsr.weights import load_face_parser


@METRIC_REGISTRY.register()
def calculate_parsing_miou(img: np.ndarray, img2: np.ndarray, parser: str | None = None,
                           parsing_scheme: str | None = None, size: int | None = None, normalization: str = 'unit',
                           **kwargs) -> float:
    """Mean intersection over union of a parser's maps of result and truth, in [0, 1]; 1 when equal, higher is better.

    The mean is over the classes in the truth's map. A class that the parser sees in the result alone has no term of its
    own; it costs what it takes away from those that are there. Values of different parsers do not compare.

    Args:
        img: Result, uint8 (H, W, 3), BGR: an aligned face that fills the picture.
        img2: Truth, of the same shape.
        parser: File of the parser, see `load_face_parser`. Default: the shipped one.
        parsing_scheme: Class scheme of the parser, where its file does not tell.
        size: Side in pixels of the square that the parser sees; pictures of another size are resized for it.
            Default: what it was trained with.
        normalization: Of an ONNX parser's input, see `OnnxParser`.
        **kwargs: The host passes the metric's other options (`better`, `on_missing`).

    Raises:
        UsageError: A parser that cannot be loaded, or pictures of unequal size or without colours.
    """
    if img.shape != img2.shape or img.ndim != 3 or img.shape[2] != 3:
        raise UsageError('agreement of parsing takes two colour pictures of one size; found shapes '
                         f'{img.shape} and {img2.shape}')
    parser_options = parser, parsing_scheme, normalization
    _, scheme = _parser(*parser_options)
    truth, result = (_labels(picture, size, *parser_options) for picture in (img2, img))
    return mean_iou(confusion_matrix(truth, result, scheme.num_classes))


def check_parsing_miou(parser: str | None = None, parsing_scheme: str | None = None, normalization: str = 'unit',
                       **kwargs) -> None:
    """Check before a run that `calculate_parsing_miou` can load its parser; arguments and errors are the same."""
    _parser(parser, parsing_scheme, normalization)


calculate_parsing_miou.better = 'higher'
calculate_parsing_miou.check = check_parsing_miou


@functools.lru_cache(maxsize=2)
def _parser(path: str | None, scheme: str | None, normalization: str) -> tuple[nn.Module, ParsingScheme]:
    net, found = load_face_parser(path, scheme, normalization)
    return net.to(_device()), found


def _device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'


@remember_pictures(maxsize=16)
def _labels(picture: np.ndarray, size: int | None, *parser_options: str | None) -> np.ndarray:
    """Return the parser's map of one picture, uint8 (H, W), read-only."""
    net, _ = _parser(*parser_options)
    rgb = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1).copy()).to(_device())
    labels = predict_parsing(net, rgb[None] / 255, size)[0].cpu().numpy()
    labels.setflags(write=False)
    return labels
