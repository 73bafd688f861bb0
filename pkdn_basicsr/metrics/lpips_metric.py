"""LPIPS (Zhang et al., "The Unreasonable Effectiveness of Deep Features", CVPR 2018), computed by its authors' package.

Their package brings the calibrated layers; the trunk's ImageNet weights are a separate file, which it would download in
the middle of a run. Here the file must lie on the disk, its hash is checked, and its absence is said before the start.
"""

import functools
import os
import warnings
from typing import NamedTuple

import numpy as np
import torch
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import MissingError, UsageError
from pkdn_basicsr.files import sha256_of_file


class Trunk(NamedTuple):
    """The published weights of a trunk, and the smallest picture it can look at."""

    url: str
    min_side: int

    @property
    def file_name(self) -> str:
        """The file's name, which ends with the first digits of its SHA-256."""
        return self.url.rsplit('/', 1)[1]


TRUNKS = {
    'alex': Trunk('https://download.pytorch.org/models/alexnet-owt-7be5be79.pth', 31),
    'vgg': Trunk('https://download.pytorch.org/models/vgg16-397923af.pth', 16),
    'squeeze': Trunk('https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth', 24),
}


@METRIC_REGISTRY.register()
def calculate_lpips(img: np.ndarray, img2: np.ndarray, net: str = 'alex', weights: str | None = None,
                    weights_sha256: str | None = None, **kwargs) -> float:
    """Perceptual distance, LPIPS v0.1 on RGB in [-1, 1]; 0 when equal, lower is better (`better: lower`).

    Args:
        img: Result, uint8 (H, W, 3), BGR.
        img2: Truth, of the same shape.
        net: Trunk: alex (what most face super-resolution papers report), vgg or squeeze.
        weights: The trunk's weights as torchvision publishes them. Default: where torch.hub keeps them.
        weights_sha256: First digits of the file's SHA-256. Default: those of the published file.
        **kwargs: The host passes the metric's other options (`better`, `on_missing`).

    Raises:
        MissingError: The weights are not there.
        UsageError: Unknown trunk, other weights, or pictures of unequal or too small size.
    """
    min_side = _trunk(net).min_side
    if img.shape != img2.shape or img.ndim != 3 or min(img.shape[:2]) < min_side:
        raise UsageError(f'LPIPS with {net} takes two colour pictures of one size, at least {min_side}x{min_side} '
                         f'pixels; found shapes {img.shape} and {img2.shape}')
    model = _model(net, *_weights_file(net, weights, weights_sha256))
    device = next(model.parameters()).device
    pair = (torch.from_numpy(np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1))).to(device)
            for picture in (img, img2))
    with torch.no_grad():
        return model(*(picture[None].float() / 127.5 - 1 for picture in pair)).item()


def check_lpips(net: str = 'alex', weights: str | None = None, weights_sha256: str | None = None, **kwargs) -> None:
    """Check before a run that `calculate_lpips` will find its weights; arguments and errors are the same."""
    path, digits = _weights_file(net, weights, weights_sha256)
    if not os.path.isfile(path):
        raise MissingError(f'LPIPS needs the weights of {net}: put {_trunk(net).url} at {os.path.abspath(path)}, or '
                           'name the file by weights: PATH')
    found = sha256_of_file(path)
    if not found.startswith(digits.lower()):
        raise UsageError(f'{os.path.abspath(path)}: expected SHA-256 {digits}..., found {found[:16]}...; it is not the '
                         f'published file {_trunk(net).file_name}, or is damaged')


calculate_lpips.check = check_lpips
calculate_lpips.better = 'lower'


def _trunk(net: str) -> Trunk:
    if net not in TRUNKS:
        raise UsageError(f"LPIPS has no trunk '{net}'; expected one of {', '.join(TRUNKS)}")
    return TRUNKS[net]


def _weights_file(net: str, weights: str | None, digits: str | None) -> tuple[str, str]:
    """Return the path of the weights and the first digits of their hash."""
    file_name = _trunk(net).file_name
    path = os.path.expanduser(weights) if weights else os.path.join(torch.hub.get_dir(), 'checkpoints', file_name)
    return path, digits or file_name.rsplit('-', 1)[1].removesuffix('.pth')


@functools.lru_cache(maxsize=4)
def _model(net: str, path: str, digits: str) -> torch.nn.Module:
    import lpips

    check_lpips(net, path, digits)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # lpips 0.1.4 calls torchvision by a deprecated argument
        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    saved = torch.load(path, map_location='cpu', weights_only=True)
    # 'slice2.3.weight' in lpips is 'features.3.weight' in torchvision
    model.net.load_state_dict({key: saved['features.' + key.split('.', 1)[1]] for key in model.net.state_dict()})
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')
