"""Somebody else's face parser, as an ONNX file."""

import os

import torch
from torch import Tensor, nn

from pkdn_basicsr.errors import MissingError, UsageError

NORMALIZATIONS = {
    'unit': ((0., 0., 0.), (1., 1., 1.)),
    'symmetric': ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    'imagenet': ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""What is subtracted from RGB in [0, 1] and what it is then divided by: leaves [0, 1], makes [-1, 1], torchvision's."""


class OnnxParser(nn.Module):
    """A segmentation network in ONNX form behind the interface of `FaceParser`; it runs on the CPU.

    The file's first input takes a picture `(1, 3, H, W)` and its first output gives scores `(1, K, h, w)` of any
    resolution; further outputs are ignored, so that a BiSeNet with its auxiliary ones will do.

    Args:
        path: ONNX file.
        normalization: What the network was trained with, a name in `NORMALIZATIONS`.

    Raises:
        UsageError: onnxruntime is not installed or cannot read the file, or an unknown normalization.
    """

    input_size = 128
    """Side of the faces that it is given unless told, as for the shipped parser: the file does not say its own."""

    def __init__(self, path: str, normalization: str = 'unit') -> None:
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise UsageError(f"normalization '{normalization}' is unknown; expected one of {', '.join(NORMALIZATIONS)}")
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in NORMALIZATIONS[normalization])
        self.register_buffer('mean', mean)
        self.register_buffer('std', std)
        self.path = os.path.abspath(path)
        self.session = _open_session(self.path)

    @property
    def num_classes(self) -> int | None:
        """Number of classes K, as far as the file tells."""
        shape = self.session.get_outputs()[0].shape
        return shape[1] if len(shape) == 4 and isinstance(shape[1], int) else None

    def forward(self, img: Tensor) -> Tensor:
        """Take `img` `(B, 3, H, W)`, RGB in [0, 1], to scores `(B, K, h, w)`; one by one, as many files insist on.

        Raises:
            UsageError: The file does not take pictures of that size, or gives no scores of classes.
        """
        name = self.session.get_inputs()[0].name
        pictures = ((img - self.mean) / self.std).cpu().numpy()
        try:
            scores = [self.session.run(None, {name: picture[None]})[0] for picture in pictures]
        except Exception as error:  # onnxruntime's exceptions share no base of their own
            raise UsageError(f'{self.path}: the face parser does not take a picture of {img.shape[3]}x{img.shape[2]} '
                             f'(set the size that it was exported for): {_one_line(error)}') from None
        if scores[0].ndim != 4:
            raise UsageError(f'{self.path}: expected an output of scores (1, K, h, w), found shape {scores[0].shape}; '
                             'export the network without its argmax')
        return torch.cat([torch.from_numpy(score) for score in scores]).to(img.device)


def _open_session(path: str):
    try:
        import onnxruntime
    except ImportError:
        raise MissingError('a face parser in ONNX form needs onnxruntime, which is not installed; run: pip install '
                         "'pkdn_basicsr[metrics]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it raises is printed, too
    try:
        return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    except Exception as error:  # as above
        raise UsageError(f'{path} cannot be loaded by onnxruntime: {_one_line(error)}; replace the file') from None


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())[:200]
