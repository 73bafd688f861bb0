"""A face parser as something that labels one picture after another, in any process."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from pkdn_basicsr.archs.face_parser_arch import parsing_logits
from pkdn_basicsr.data.parsing_labels import ParsingScheme
from pkdn_basicsr.data.picture import picture_to_tensor
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.weights.face_parser import load_face_parser


@dataclass(frozen=True)
class FaceLabeller:
    """Labels aligned faces with a parser.

    It holds no network itself (every process loads its own, once), so that it can be handed to other processes.

    Args:
        parser: File, see `load_face_parser`. Default: the shipped parser.
        scheme: Class scheme of the parser, see `load_face_parser`.
        normalization: Of an ONNX parser's input, see `load_face_parser`.
        size: Side of the face that the parser sees. Default: what it was trained with.

    Raises:
        UsageError: A parser that cannot be loaded, or does not take that size.
    """

    parser: str | None = None
    scheme: str | None = None
    normalization: str = 'unit'
    size: int | None = None

    def __post_init__(self) -> None:
        net, _ = self._load()  # what is wrong is said here, not in the middle of a run
        if self.size:
            try:
                parsing_logits(net, torch.zeros(1, 3, self.size, self.size), self.size)
            except ValueError as error:
                raise UsageError(f'face parser: size {self.size}: {error}') from None

    @property
    def parsing_scheme(self) -> ParsingScheme:
        """Class scheme of the maps."""
        return self._load()[1]

    @property
    def input_size(self) -> int:
        """Side of the face that the parser sees."""
        return self.size or self._load()[0].input_size

    @torch.inference_mode()
    def label(self, picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """Label a face.

        Args:
            picture: RGB, one aligned face that fills it.

        Returns:
            uint8 (H, W) class indices, and float32 (H, W) in [0, 1]: the parser's probability of the class.
        """
        net, _ = self._load()
        logits = parsing_logits(net, picture_to_tensor(picture)[None], self.size)
        confidence, classes = logits.softmax(1).max(1)
        return classes[0].to(torch.uint8).numpy(), confidence[0].numpy()

    def _load(self) -> tuple[nn.Module, ParsingScheme]:
        return _load(self.parser, self.scheme, self.normalization)


_load = functools.lru_cache(maxsize=4)(load_face_parser)
