"""Visual information fidelity: how much of what the truth tells a viewer the result still tells.

Sheikh and Bovik, "Image information and visual quality", IEEE TIP 15(2), 2006: the truth is a Gaussian scale mixture,
the result is the truth after a local gain and additive noise, and the eye adds noise of its own to both; VIF is the
ratio of the information that passes. `calculate_vif` does this on wavelet subbands, as the paper, `calculate_vif_p` on
pixels, as the approximation that the authors published later. The two are different measures with different values.

Both look at grey pictures as PIL's mode 'L' has them: BT.601 luma in 0..255, rounded.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from basicsr.utils.registry import METRIC_REGISTRY
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

from pkdn_basicsr.errors import MissingError, UsageError

LEVELS = 4
ORIENTATIONS = 0, 3  # of the six: the ones that the authors' release uses
BLOCK = 3  # side of the blocks of coefficients that the scale mixture describes
EYE_NOISE = .4  # variance of the eye's noise in a subband
EYE_NOISE_P = 2.  # and in a picture
MIN_SIDE = 72  # the coarsest of four levels then is as large as the pyramid's 9x9 filters
MIN_SIDE_P = 41  # the coarsest of four scales then has one pixel
FLAT = 1e-10  # variance, in squared grey levels, below which there is only rounding


@METRIC_REGISTRY.register()
def calculate_vif(img: np.ndarray, img2: np.ndarray, **kwargs) -> float:
    """VIF on a steerable pyramid; 1 when equal, 0 when nothing is left, above 1 with more contrast; higher is better.

    Settings are those of the authors' release (`vifvec`): four levels, filters sp5, two orientations, blocks of 3x3,
    eye noise 0.4. WFEN's script differs from it (eye noise 0.1, every subband weighs the same) and gives 2.5 times as
    much for bicubic x8 faces: never put values of the two in one table.

    Args:
        img: Result, uint8 (H, W, 3), BGR, at least 72x72.
        img2: Truth, of the same shape.
        **kwargs: The host passes the metric's other options (`better`, `on_missing`).

    Returns:
        The ratio. A truth without any structure has no information to pass: 1 if the result equals it, else 0.

    Raises:
        UsageError: Pictures of unequal or too small size, or pyrtools is not installed.
    """
    result, truth = _grey_pair(img, img2, 'VIF', MIN_SIDE)
    bands = zip(_bands(result), _bands(truth), strict=True)
    passed, total = np.sum([_band_information(of_result, of_truth, window)
                            for (of_result, window), (of_truth, _) in bands], axis=0)
    return _ratio(passed, total, result, truth)


@METRIC_REGISTRY.register()
def calculate_vif_p(img: np.ndarray, img2: np.ndarray, **kwargs) -> float:
    """VIF on pixels at four scales, as the authors' `vifp_mscale`; values, arguments and errors as `calculate_vif`.

    It needs pictures of at least 41x41 and no further package.
    """
    result, truth = scaled = _grey_pair(img, img2, 'VIFp', MIN_SIDE_P)
    passed = total = 0.
    for scale, window in enumerate((17, 9, 5, 3)):
        mean = partial(_gaussian_mean, window=window)
        if scale > 0:
            scaled = [mean(picture)[::2, ::2] for picture in scaled]
        gain, noise, variance = _channel(*scaled, mean)
        passed += np.log(1 + gain**2 * variance / (noise + EYE_NOISE_P)).sum()
        total += np.log(1 + variance / EYE_NOISE_P).sum()
    return _ratio(passed, total, result, truth)


def check_vif(**kwargs) -> None:
    """Check before a run that `calculate_vif` finds its pyramid.

    Raises:
        MissingError: pyrtools is not installed.
    """
    try:
        import pyrtools  # noqa: F401
    except ImportError:
        raise MissingError('VIF needs the package pyrtools, which is not installed: pip install '
                           '"pkdn_basicsr[metrics]"; calculate_vif_p, another measure, does without') from None


calculate_vif.check = check_vif
calculate_vif.better = calculate_vif_p.better = 'higher'


def _grey_pair(img: np.ndarray, img2: np.ndarray, metric: str, min_side: int) -> list[np.ndarray]:
    if img.shape != img2.shape or img.ndim != 3 or img.shape[2] != 3 or min(img.shape[:2]) < min_side:
        raise UsageError(f'{metric} takes two colour pictures (H, W, 3) of one size, at least {min_side}x{min_side} '
                         f'pixels; found shapes {img.shape} and {img2.shape}')
    return [np.asarray(Image.fromarray(picture[..., ::-1]).convert('L'), dtype=np.float64) for picture in (img, img2)]


def _ratio(passed: float, total: float, result: np.ndarray, truth: np.ndarray) -> float:
    if total < FLAT * truth.size:
        return float(np.array_equal(result, truth))
    return float(passed / total)


def _channel(result: np.ndarray, truth: np.ndarray, mean: Callable[[np.ndarray], np.ndarray]
             ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit result = gain * truth + noise around every place; return gain, variance of the noise, and of the truth."""
    mean_result, mean_truth = mean(result), mean(truth)
    variance_result = np.maximum(mean(result**2) - mean_result**2, 0)
    variance_truth = np.maximum(mean(truth**2) - mean_truth**2, 0)
    covariance = mean(result * truth) - mean_result * mean_truth
    gain = np.maximum(covariance, 0) / (variance_truth + FLAT)
    return gain, np.maximum(variance_result - gain * covariance, 0), variance_truth


def _gaussian_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Weighted mean wherever the whole window fits."""
    half = window // 2
    return gaussian_filter(values, window / 5, radius=half)[half:-half, half:-half]


def _bands(grey: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield every subband, whole blocks of it, and the side of the window in which its channel is estimated."""
    check_vif()
    from pyrtools.pyramids import SteerablePyramidSpace

    coefficients = SteerablePyramidSpace(grey, height=LEVELS, order=5).pyr_coeffs
    for level in range(LEVELS):
        for orientation in ORIENTATIONS:
            band = coefficients[level, orientation]
            height, width = (side // BLOCK * BLOCK for side in band.shape)
            yield band[:height, :width], 2**(LEVELS - level) + 1


def _band_information(result: np.ndarray, truth: np.ndarray, window: int) -> tuple[float, float]:
    """Return the information on the truth that a viewer of the result has, and that a viewer of the truth has."""
    border = -(-(window // 2) // BLOCK)  # blocks at the edge, whose window does not fit
    inner = slice(border, -border)

    def mean(values: np.ndarray) -> np.ndarray:
        """Mean of the window around the middle of every block."""
        return uniform_filter(values, window, mode='mirror')[BLOCK // 2::BLOCK, BLOCK // 2::BLOCK][inner, inner]

    gain, noise, _ = _channel(result, truth, mean)
    signal = _signal_variances(truth)[inner, inner]
    passed = np.log(1 + (gain**2 / (noise + EYE_NOISE))[..., None] * signal).sum()
    return passed, np.log(1 + signal / EYE_NOISE).sum()


def _signal_variances(band: np.ndarray) -> np.ndarray:
    """Variances of every block along its principal axes under the scale mixture: (H / 3, W / 3, 9).

    All blocks share the covariance C of the overlapping ones; a block's own scale is x' inverse(C) x / 9.
    """
    patches = np.lib.stride_tricks.sliding_window_view(band, (BLOCK, BLOCK))
    variances, axes = np.linalg.eigh(np.cov(patches.reshape(-1, BLOCK**2), rowvar=False, bias=True))
    axes, variances = axes[:, variances > FLAT], variances[variances > FLAT]
    blocks = patches[::BLOCK, ::BLOCK]
    scales = ((blocks.reshape(*blocks.shape[:2], -1) @ axes)**2 / variances).sum(-1, keepdims=True) / BLOCK**2
    return scales * variances
