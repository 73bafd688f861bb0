"""What the page does with a picture, apart from the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pkdn_basicsr.archs.face_parser_arch import predict_parsing
from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.data.parsing_labels import ParsingScheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.photo import enlarge_photo
from pkdn_basicsr.infer.picture import Picture, picture_of_array
from pkdn_basicsr.infer.upscaler import MOST_HR_PIXELS, FaceUpscaler
from pkdn_basicsr.metrics.psnr_ssim import calculate_protocol_psnr, calculate_protocol_ssim

PROTOCOL = 'dic'
"""How PSNR and SSIM are measured, see `PROTOCOLS`."""

LEAST_SIDE = 8
"""Smallest side of a low-resolution picture, in pixels (our choice): less shows no face."""

MOST_PHOTO_PIXELS = 1 << 24
"""Largest enlarged photograph (our choice): a browser shows it at once. `basicsr infer --photo` makes larger ones."""


@dataclass(frozen=True)
class Answer:
    """What the page shows.

    Attributes:
        lq: The low-resolution picture.
        bicubic: It, enlarged by PIL's bicubic.
        result: It, enlarged by the network.
        truth: The picture that it was made of, of the same size as the result; None where nobody knows it.
        shows_face: Whether it is a face as parsers know them, not a photograph.
        told: What was done, a sentence.
    """

    lq: Picture
    bicubic: Picture
    result: Picture
    told: str
    truth: Picture | None = None
    shows_face: bool = True


@dataclass(frozen=True)
class Handlers:
    """The networks and what can be done with them.

    Args:
        upscalers: Networks by their name on the page.
        parser: Labels the parts of a face, see `load_face_parser`.
        scheme: The parser's classes.
        detector: Finds the faces of photographs; without one none are taken.
    """

    upscalers: Mapping[str, FaceUpscaler]
    parser: nn.Module
    scheme: ParsingScheme
    detector: FaceDetector | None = None

    @property
    def modes(self) -> dict[str, Callable[[FaceUpscaler, Picture, int], Answer]]:
        """What a picture can be taken for, in words -> (network, picture, shorter low-resolution side) -> answer."""
        modes = {
            'small face': lambda upscaler, picture, _: enlarge_face(upscaler, picture),
            'large face': shrink_and_enlarge_face,
        }
        if self.detector:
            modes['photograph'] = lambda upscaler, picture, _: enlarge_faces_of_photo(upscaler, self.detector, picture)
        return modes

    def parts(self, picture: Picture) -> list[tuple[np.ndarray, str]]:
        """Return a face's parts but for the background, the largest first: bool (H, W) and the name of the class."""
        img = torch.from_numpy(picture.unit()).permute(2, 0, 1)[None]
        labels = predict_parsing(self.parser, img.contiguous())[0].numpy()
        counts = np.bincount(labels.ravel(), minlength=self.scheme.num_classes)
        found = [int(index) for index in np.argsort(-counts, kind='stable') if counts[index]]
        return [(labels == index, self.scheme.classes[index]) for index in found
                if self.scheme.classes[index] != 'background']


def enlarge_face(upscaler: FaceUpscaler, picture: Picture) -> Answer:
    """Enlarge a small face.

    Raises:
        UsageError: It is no small face by its size.
    """
    _check_least(picture, LEAST_SIDE)
    height, width = picture.size
    if height * width * upscaler.scale**2 > MOST_HR_PIXELS:
        side = int(MOST_HR_PIXELS**0.5) // upscaler.scale
        raise UsageError(f'This picture has {width}×{height} pixels, but a small face has at most about {side}×{side}. '
                         'Choose “large face” to have it shrunk first, or cut the face out.')
    return _answer(upscaler, picture)


def shrink_and_enlarge_face(upscaler: FaceUpscaler, picture: Picture, lq_side: int) -> Answer:
    """Shrink a large face by PIL's bicubic and enlarge it again, so that the truth is known.

    Args:
        upscaler: The network.
        picture: The face. The truth is itself, or, where that is larger than `scale` times the low-resolution face, is
            shrunk to this size.
        lq_side: Pixels of the shorter side of the low-resolution face; fewer where the face is not as large.

    Raises:
        UsageError: It is too small to be shrunk, or too long.
    """
    scale, shorter = upscaler.scale, min(picture.size)
    _check_least(picture, scale * LEAST_SIDE)
    side = min(lq_side, shorter // scale)
    height, width = (round(length * side / shorter) for length in picture.size)
    if height * width * scale**2 > MOST_HR_PIXELS:
        raise UsageError(f'This picture of {picture.size[1]}×{picture.size[0]} pixels is too long and narrow for a '
                         'face; cut the face out.')
    opaque = picture_of_array(_rgb_8_bit(picture))
    truth = opaque.resized(scale * height, scale * width)
    return _answer(upscaler, truth.resized(height, width), truth)


def enlarge_faces_of_photo(upscaler: FaceUpscaler, detector: FaceDetector, photo: Picture) -> Answer:
    """Enlarge a photograph, its faces by the network and all else by bicubic; see `enlarge_photo`.

    Raises:
        UsageError: It is too large or too small.
    """
    _check_least(photo, LEAST_SIDE)
    (height, width), scale = photo.size, upscaler.scale
    if height * width * scale**2 > MOST_PHOTO_PIXELS:
        side = int(MOST_PHOTO_PIXELS**0.5) // scale
        raise UsageError(f'This photograph has {width}×{height} pixels; up to about {side}×{side} are enlarged here. '
                         'Shrink it, cut a part out, or use “basicsr infer --photo --detector FILE”.')
    enlarged = enlarge_photo(upscaler, detector, photo)
    told = f'Faces super-resolved: {enlarged.faces}; too large for it and left to bicubic: {enlarged.too_large}.'
    if not enlarged.faces + enlarged.too_large:
        told = 'No face found; all is bicubic.'
    return Answer(photo, photo.resized(*enlarged.picture.size), enlarged.picture, told, shows_face=False)


def scores(answer: Answer) -> dict[str, tuple[float, float]] | None:
    """Return PSNR in dB and SSIM of bicubic and of the network; None where they cannot be measured."""
    if answer.truth is None:
        return None
    truth = _bgr(answer.truth)
    try:
        return {name: (calculate_protocol_psnr(img, truth, PROTOCOL), calculate_protocol_ssim(img, truth, PROTOCOL))
                for name, img in (('bicubic', _bgr(answer.bicubic)), ('network', _bgr(answer.result)))}
    except UsageError:  # the picture is smaller than border and window
        return None


def shown(picture: Picture, side: int = 0) -> np.ndarray:
    """Return a picture for the screen: uint8 RGB (H, W, 3), its pixels as squares where `side` pixels are wanted."""
    factor = max(side // max(picture.size), 1)
    return _rgb_8_bit(picture).repeat(factor, axis=0).repeat(factor, axis=1)


def _answer(upscaler: FaceUpscaler, lq: Picture, truth: Picture | None = None) -> Answer:
    result = upscaler.upscale_pictures([lq])[0]
    (height, width), (large_height, large_width) = lq.size, result.size
    told = f'{width}×{height} pixels enlarged to {large_width}×{large_height}.'
    return Answer(lq, lq.resized(large_height, large_width), result, told, truth)


def _check_least(picture: Picture, least: int) -> None:
    height, width = picture.size
    if min(height, width) < least:
        is_small_face = min(height, width) >= LEAST_SIDE
        advice = 'choose “small face” to enlarge it as it is' if is_small_face else 'take a larger one'
        raise UsageError(f'This picture has {width}×{height} pixels; at least {least}×{least} are needed here. Please '
                         f'{advice}.')


def _rgb_8_bit(picture: Picture) -> np.ndarray:
    return np.round(255 * picture.unit()).astype(np.uint8)


def _bgr(picture: Picture) -> np.ndarray:
    return _rgb_8_bit(picture)[..., ::-1]
