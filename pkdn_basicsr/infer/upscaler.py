"""A trained network for use on pictures: `FaceUpscaler`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.picture import Picture, array_of_picture, image_of_picture, picture_of_array, picture_of_image
from pkdn_basicsr.infer.sizes import find_size_rule, pad_to
from pkdn_basicsr.weights.trained_network import load_trained

MOST_HR_PIXELS = 1 << 20
"""What a network is given at once has at most so many pixels in its result (our choice): 64 features of 1024x1024
pixels take 256 MiB, a dozen of which are alive at a time."""

Array = TypeVar('Array', np.ndarray, Image.Image)


class FaceUpscaler:
    """Enlarges pictures of faces with a trained network.

        upscaler = FaceUpscaler('net_g_latest.pth')
        large = upscaler.upscale(Image.open('face.png'))

    A face should fill its picture about as the training faces did (as in CelebA-HQ). Its size is free: a network for
    16x16 pixels also gains on larger faces (by Y-PSNR over bicubic on 30 CelebA-HQ faces, with a small x8 student:
    1.9 dB at 16 pixels, 1.8 at 32, 1.4 at 64), and shrinking them first to 16 would lose more than it gains.

    Args:
        weights: File or name of the weights, see `load_trained`. Default: the shipped student of `scale`.
        device: Where to run, e.g. `cpu` or `cuda`.
        opt: Option file of its training, where the weights do not say what network they are of.
        scale: The expected enlargement.
        self_ensemble: Average with the mirrored result of the mirrored picture: twice the time, 0.05 dB. Turning by 90
            degrees as well, as is done with scenes, loses 0.1 dB on faces, which are upright.

    Attributes:
        net: The network, in eval mode.
        card: What is known of it, see `Card`.
        scale: Its enlargement.

    Raises:
        UsageError: Weights that cannot be loaded, or no such device.

    Example:
        >>> upscaler = FaceUpscaler()  # the shipped student
        >>> upscaler.upscale(np.full((20, 16, 3), 128, np.uint8)).shape
        (160, 128, 3)
        >>> upscaler.card.licence
        'non-commercial research only (trained on CelebA-HQ)'
    """

    net: nn.Module

    def __init__(self, weights: str | Path | None = None, device: str | torch.device = 'cpu', *,
                 opt: str | Path | None = None, scale: int | None = None, self_ensemble: bool = False) -> None:
        self.device = _device(device)
        net, self.card = load_trained(weights, opt, scale)
        self.net = net.to(self.device)
        self.scale = self.card.scale
        self.self_ensemble = self_ensemble
        self.size_rule = find_size_rule(self.net, self.scale)

    def upscale(self, image: Array) -> Array:
        """Enlarge one picture.

        Args:
            image: A PIL image of any mode, which is turned upright as its EXIF data say; or uint8 or uint16 (H, W, 3)
                RGB, (H, W, 4) RGBA or (H, W) grey.

        Returns:
            The same kind, `scale` times as high and wide. Alpha is enlarged by bicubic.

        Raises:
            UsageError: Not such a picture, or too large.
        """
        if isinstance(image, Image.Image):
            picture = picture_of_image(ImageOps.exif_transpose(image))
            return image_of_picture(self.upscale_pictures([picture])[0])
        return array_of_picture(self.upscale_pictures([picture_of_array(np.asarray(image))])[0])

    def upscale_pictures(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Enlarge pictures of one size together.

        Raises:
            UsageError: They are too large.
        """
        results = self.super_resolve(np.stack([picture.unit() for picture in pictures]))
        return [self._finish(*pair) for pair in zip(pictures, results, strict=True)]

    def super_resolve(self, faces: np.ndarray) -> np.ndarray:
        """Run the network on faces of any size; where it cannot take one, it is continued by reflection and cut again.

        Args:
            faces: float32 (B, h, w, 3), RGB in [0, 1].

        Returns:
            float32 (B, scale * h, scale * w, 3), RGB in [0, 1].

        Raises:
            UsageError: They are too large.
        """
        height, width = faces.shape[1:3]
        self.check_size(height, width)
        target = self.size_rule.next(height), self.size_rule.next(width)
        lq = torch.from_numpy(np.stack([pad_to(face, *target) for face in faces])).permute(0, 3, 1, 2)
        try:
            sr = self._run(lq.contiguous().to(self.device))
        except torch.cuda.OutOfMemoryError:
            raise UsageError(f'{len(faces)} pictures of {width}x{height} at once need more memory than {self.device} '
                             'has; take a smaller --batch, or --device cpu') from None
        sr = sr[..., :self.scale * height, :self.scale * width]
        return sr.clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()

    def check_size(self, height: int, width: int) -> None:
        """Raise UsageError if a picture is too large to be given to the network at once."""
        if height * width * self.scale**2 > MOST_HR_PIXELS:
            side = int(MOST_HR_PIXELS**0.5) // self.scale
            raise UsageError(f'expected a small face, at most about {side}x{side} pixels, found {width}x{height}; '
                             'shrink it if it is blurred, or have the faces of a photograph found (basicsr infer '
                             '--shrink 32, or --photo --detector FILE)')

    @torch.inference_mode()
    def _run(self, lq: Tensor) -> Tensor:
        sr = self.net(lq)
        if self.self_ensemble:
            sr = (sr + self.net(lq.flip(3)).flip(3)) / 2
        return sr

    def _finish(self, picture: Picture, unit: np.ndarray) -> Picture:
        result = picture.with_colours(unit)
        if picture.alpha is None:
            return result
        return replace(result, alpha=picture.resized(*result.size).alpha)


def _device(name: str | torch.device) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise UsageError(f'--device: cannot use {name}: {str(error).splitlines()[0][:150]}; take cpu') from None
    return device
