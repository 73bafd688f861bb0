"""The ways in which face super-resolution papers measure PSNR and SSIM, by name.

The same pictures read differently under each: bicubic x8 on the 1,000 CelebA faces of DIC has a PSNR of 23.58 dB
(`dic`), 23.55 dB (`sparnet`) or 22.14 dB (`rgb`). Numbers of two protocols do not belong into one table.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pkdn_basicsr.errors import UsageError


@dataclass(frozen=True)
class Protocol:
    """What is compared, and how.

    Attributes:
        name: Its name in option files.
        crop_border: Pixels that are cut off on every side.
        y_channel: Compare the luma of ITU-R BT.601 (16 to 235), not RGB.
        ssim_window: `gaussian`, 11x11 with a standard deviation of 1.5 (Wang et al. 2004), or `uniform`, 7x7 (the
            default of scikit-image).
        source: Who measures so.
    """

    name: str
    crop_border: int
    y_channel: bool
    ssim_window: Literal['gaussian', 'uniform']
    source: str


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({protocol.name: protocol for protocol in (
    Protocol('dic', 8, True, 'gaussian', 'DIC (Ma et al., CVPR 2020), KDFSRNet, FishFSRNet, SPADNet'),
    Protocol('sfmnet', 8, True, 'uniform', 'SFMNet (Wang et al., CVPR 2023); its PSNR is that of dic'),
    Protocol('sparnet', 0, True, 'gaussian', 'SPARNet (Chen et al., TIP 2020), CTCNet, WFEN'),
    Protocol('rgb', 0, False, 'gaussian', 'RGB without a border, as FSRNet ports and BasicSR by default'),
)})
"""Every protocol by its name."""


def get_protocol(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        UsageError: No such protocol; the message names the nearest one.

    Example:
        >>> get_protocol('dic').crop_border, get_protocol('sparnet').crop_border
        (8, 0)
    """
    if name not in PROTOCOLS:
        nearest = difflib.get_close_matches(str(name), PROTOCOLS, n=1, cutoff=0.)[0]
        raise UsageError(f"protocol '{name}' is unknown; did you mean '{nearest}'? Known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
