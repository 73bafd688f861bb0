"""PSNR and SSIM by named protocol, computed by BasicSR and scikit-image."""

from basicsr.metrics import calculate_psnr, calculate_ssim
from basicsr.metrics.metric_util import to_y_channel
from basicsr.utils.registry import METRIC_REGISTRY
from numpy import ndarray
from skimage.metrics import structural_similarity

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics.protocol import Protocol, get_protocol


@METRIC_REGISTRY.register()
def calculate_protocol_psnr(img: ndarray, img2: ndarray, protocol: str, **kwargs) -> float:
    """Peak signal-to-noise ratio under a named protocol, in dB; higher is better, infinite when equal.

    Args:
        img: Result, uint8 (H, W, 3), BGR.
        img2: Truth, of the same shape.
        protocol: A name in `PROTOCOLS`.
        **kwargs: The host passes the metric's other options (`better`).

    Raises:
        UsageError: Unknown protocol, or pictures of unequal or too small size.

    Example:
        A luma of 16 to 235 differs less than RGB of 0 to 255 does, and so the number is higher:

        >>> import numpy as np
        >>> truth = np.full((64, 64, 3), 100, np.uint8)
        >>> [round(calculate_protocol_psnr(truth + np.uint8(10), truth, protocol), 1) for protocol in ('dic', 'rgb')]
        [29.5, 28.1]
    """
    rules = get_protocol(protocol)
    _check_pictures(img, img2, rules)
    return float(calculate_psnr(img, img2, crop_border=rules.crop_border, test_y_channel=rules.y_channel))


@METRIC_REGISTRY.register()
def calculate_protocol_ssim(img: ndarray, img2: ndarray, protocol: str, **kwargs) -> float:
    """Structural similarity under a named protocol, in [-1, 1]; higher is better (Wang et al., TIP 2004).

    Arguments and errors are those of `calculate_protocol_psnr`.

    Args:
        img: See there.
        img2: See there.
        protocol: A name in `PROTOCOLS`; `sfmnet` has another window than `dic`.
        **kwargs: See there.

    Example:
        >>> import numpy as np
        >>> truth = np.full((64, 64, 3), 100, np.uint8)
        >>> round(calculate_protocol_ssim(truth, truth, 'dic'), 6)
        1.0
    """
    rules = get_protocol(protocol)
    _check_pictures(img, img2, rules)
    if rules.ssim_window == 'gaussian':
        return float(calculate_ssim(img, img2, crop_border=rules.crop_border, test_y_channel=rules.y_channel))
    return _uniform_ssim(img, img2, rules)


def check_protocol(protocol: str | None = None, **kwargs) -> None:
    """Check before a run that the metric's options name a protocol.

    Raises:
        UsageError: They name none, or an unknown one.
    """
    get_protocol(protocol)


calculate_protocol_psnr.check = calculate_protocol_ssim.check = check_protocol
calculate_protocol_psnr.better = calculate_protocol_ssim.better = 'higher'


def _uniform_ssim(img: ndarray, img2: ndarray, rules: Protocol) -> float:
    border = slice(rules.crop_border, -rules.crop_border or None)
    # the luma is rounded, as SFMNet's script does
    luma, luma2 = (to_y_channel(picture)[border, border, 0].round() for picture in (img, img2))
    return float(structural_similarity(luma, luma2, data_range=255))


def _check_pictures(img: ndarray, img2: ndarray, rules: Protocol) -> None:
    if img.shape != img2.shape:
        raise UsageError(f'protocol {rules.name}: result and truth must have one size, found {img.shape[1]}x'
                         f'{img.shape[0]} and {img2.shape[1]}x{img2.shape[0]}')
    if img.ndim != 3 or img.shape[2] != 3:
        raise UsageError(f'protocol {rules.name}: expected colour pictures (H, W, 3), found shape {img.shape}')
    if min(img.shape[:2]) < 2 * rules.crop_border + 11:
        raise UsageError(f'protocol {rules.name}: a border of {rules.crop_border} pixels leaves less than the 11x11 '
                         f'window of SSIM of a picture of {img.shape[1]}x{img.shape[0]}')
