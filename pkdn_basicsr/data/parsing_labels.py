"""Named class schemes of face parsing maps: what an index means, and how one scheme's maps become another's.

A parsing map holds one class index a pixel, and public code disagrees about the order (face-parsing.PyTorch #12, #55;
CelebAMask-HQ #99, #114) and forgets that a mirrored face swaps left and right (face-parsing.PyTorch #57). Here a map
always belongs to a named scheme. All schemes share the class names of CelebAMask-HQ, so that a class converts to the
class of the same name; where the target has no such class, `_MERGES` says what becomes of it. `l_` and `r_` are the
subject's left and right.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pkdn_basicsr.errors import UsageError

IGNORE = 255
"""The index of pixels of no class: all-zero in one-hot form, left out of losses, kept by every function here."""

_SIDES = (('l_brow', 'r_brow'), ('l_eye', 'r_eye'), ('l_ear', 'r_ear'))


# The colours in which CelebAMask-HQ's own tools show its classes.
_COLOURS = {
    'background': (0, 0, 0), 'skin': (204, 0, 0), 'nose': (76, 153, 0), 'eye_g': (204, 204, 0),
    'l_eye': (51, 51, 255), 'r_eye': (204, 0, 204), 'l_brow': (0, 255, 255), 'r_brow': (255, 204, 204),
    'l_ear': (102, 51, 0), 'r_ear': (255, 0, 0), 'mouth': (102, 204, 0), 'u_lip': (255, 255, 0), 'l_lip': (0, 0, 153),
    'hair': (0, 0, 204), 'hat': (255, 51, 153), 'ear_r': (0, 204, 204), 'neck_l': (0, 51, 0), 'neck': (255, 153, 51),
    'cloth': (0, 204, 0)}


@dataclass(frozen=True)
class ParsingScheme:
    """The classes of a parsing map, in the order of their indices.

    Attributes:
        name: The scheme's name in YAML files and on the command line.
        classes: Class names; the position is the index in the map.
        swaps: Pairs of class names that trade places when a face is mirrored.
    """

    name: str
    classes: tuple[str, ...]
    swaps: tuple[tuple[str, str], ...]

    @property
    def num_classes(self) -> int:
        """Number of classes, `IGNORE` not counted: the channels of the one-hot map."""
        return len(self.classes)

    def index(self, class_name: str) -> int:
        """Index of a class. Raises UsageError, naming the nearest class, if the scheme has none of that name."""
        if class_name not in self.classes:
            raise UsageError(_unknown(f'class of parsing scheme {self.name!r}', class_name, self.classes))
        return self.classes.index(class_name)

    @cached_property
    def palette(self) -> np.ndarray:
        """Read-only uint8 (256, 3): RGB colours to show the classes in; the same class has the same in every scheme."""
        palette = np.zeros((256, 3), dtype=np.uint8)
        palette[:self.num_classes] = [_COLOURS[name] for name in self.classes]
        palette[IGNORE] = 128
        palette.setflags(write=False)
        return palette

    @cached_property
    def swap_table(self) -> np.ndarray:
        """Read-only uint8 (256,): the index of the same part on the other side; anything without sides is kept."""
        table = np.arange(256, dtype=np.uint8)
        for left, right in self.swaps:
            table[self.index(left)], table[self.index(right)] = self.index(right), self.index(left)
        table.setflags(write=False)
        return table


_ALL_SCHEMES = (
    # Lee et al., "MaskGAN", CVPR 2020: the order in which the dataset's own tool merges its per-part masks.
    ParsingScheme('celebamask_hq', (
        'background', 'skin', 'nose', 'eye_g', 'l_eye', 'r_eye', 'l_brow', 'r_brow', 'l_ear', 'r_ear',
        'mouth', 'u_lip', 'l_lip', 'hair', 'hat', 'ear_r', 'neck_l', 'neck', 'cloth'), _SIDES),
    # What the BiSeNet of zllrunning/face-parsing.PyTorch predicts: the same classes in another order.
    ParsingScheme('face_parsing', (
        'background', 'skin', 'l_brow', 'r_brow', 'l_eye', 'r_eye', 'eye_g', 'l_ear', 'r_ear', 'ear_r',
        'nose', 'mouth', 'u_lip', 'l_lip', 'neck', 'neck_l', 'cloth', 'hair', 'hat'), _SIDES),
    # Smith et al., "Exemplar-Based Face Parsing", CVPR 2013: files `_lbl00` to `_lbl10`; `mouth` is the inner mouth.
    # That its left is the subject's is an assumption; if a copy means the image's left, apply `swap_left_right` to it.
    ParsingScheme('helen', (
        'background', 'skin', 'l_brow', 'r_brow', 'l_eye', 'r_eye', 'nose', 'u_lip', 'mouth', 'l_lip', 'hair'),
        _SIDES[:2]),
    # The 11 facial parts of FSRNet (Chen et al., CVPR 2018) as re-implementations take them from CelebAMask-HQ. There
    # is no background class: everything that is no part of the face is IGNORE.
    ParsingScheme('fsrnet', (
        'skin', 'l_brow', 'r_brow', 'l_eye', 'r_eye', 'l_ear', 'r_ear', 'nose', 'mouth', 'u_lip', 'l_lip'), _SIDES),
)

SCHEMES: Mapping[str, ParsingScheme] = MappingProxyType({scheme.name: scheme for scheme in _ALL_SCHEMES})
"""Every scheme by its name."""

# Target scheme -> {class that it lacks: the class that takes its pixels, or None for IGNORE}. All our choice.
_MERGES: Mapping[str, Mapping[str, str | None]] = {
    'celebamask_hq': {},
    'face_parsing': {},
    'helen': {
        'eye_g': 'skin',  # Helen has no glasses; CelebAMask-HQ paints eyes over them, so lens and frame are left
        'l_ear': 'background',  # Helen's face skin ends at the jaw line and before the ears
        'r_ear': 'background',
        'ear_r': 'background',  # an earring lies on an ear or on what is behind it
        'neck': 'background',  # below Helen's face skin
        'neck_l': 'background',
        'cloth': 'background',
        'hat': 'background',  # not hair, and no other class is left
    },
    'fsrnet': {
        'eye_g': 'skin',  # glasses lie on the skin; FSRNet's parts have none
        'background': None,  # FSRNet's maps are all-zero outside the face
        'hair': None,
        'hat': None,
        'ear_r': None,  # what an earring hides may be ear, neck or hair
        'neck': None,
        'neck_l': None,
        'cloth': None,
    },
}


def get_scheme(scheme: str | ParsingScheme) -> ParsingScheme:
    """The scheme of that name (a scheme is returned as it is).

    Raises:
        UsageError: No such scheme; the message names the nearest one.

    Example:
        >>> get_scheme('celebamask_hq').index('hair'), get_scheme('face_parsing').index('hair')
        (13, 17)
    """
    if isinstance(scheme, ParsingScheme):
        return scheme
    if scheme not in SCHEMES:
        raise UsageError(_unknown('parsing scheme', scheme, tuple(SCHEMES)))
    return SCHEMES[scheme]


def conversion_table(source: str | ParsingScheme, target: str | ParsingScheme) -> np.ndarray:
    """Lookup table from the indices of one scheme to those of another.

    Args:
        source: Scheme (or its name) of the map at hand.
        target: Scheme (or its name) wanted.

    Returns:
        Read-only uint8 (256,). Indices that are no class of `source` become `IGNORE`.

    Example:
        >>> conversion_table('celebamask_hq', 'face_parsing')[[13, 14]].tolist()  # hair and hat
        [17, 18]
    """
    return _conversion_table(get_scheme(source), get_scheme(target))


@cache
def _conversion_table(source: ParsingScheme, target: ParsingScheme) -> np.ndarray:
    table = np.full(256, IGNORE, dtype=np.uint8)
    for index, class_name in enumerate(source.classes):
        heir = class_name if class_name in target.classes else _MERGES[target.name][class_name]
        if heir is not None:
            table[index] = target.index(heir)
    table.setflags(write=False)
    return table


def convert_parsing(parsing: np.ndarray, source: str | ParsingScheme, target: str | ParsingScheme) -> np.ndarray:
    """Relabel a parsing map from one scheme to another.

    Args:
        parsing: uint8 class indices of `source`, any shape; `IGNORE` stays `IGNORE`.
        source: Scheme (or its name) of `parsing`.
        target: Scheme (or its name) wanted.

    Returns:
        uint8 class indices of `target`, of the same shape; a new array.

    Raises:
        UsageError: An unknown scheme, or an index in `parsing` that is neither a class of `source` nor `IGNORE`: most
            likely the map belongs to another scheme, and would be turned into nonsense silently.

    Example:
        Helen has no glasses and no hats; the one lies on skin, the other is background:

        >>> convert_parsing(np.array([3, 14, 255], np.uint8), 'celebamask_hq', 'helen')
        array([  1,   0, 255], dtype=uint8)
    """
    source = get_scheme(source)
    wrong = (parsing >= source.num_classes) & (parsing != IGNORE)
    if wrong.any():
        raise UsageError(f'parsing map has index {parsing[wrong].min()}, but scheme {source.name!r} has the indices '
                         f'0..{source.num_classes - 1} and {IGNORE} (ignore): name the scheme that the map belongs to')
    return conversion_table(source, target)[parsing]


def swap_left_right(parsing: np.ndarray, scheme: str | ParsingScheme) -> np.ndarray:
    """Relabel left parts as right ones and back, as a horizontal flip needs; flipping the pixels is the caller's.

    Args:
        parsing: uint8 class indices of `scheme`, any shape.
        scheme: Scheme (or its name) of `parsing`.

    Returns:
        uint8, of the same shape; a new array.

    Example:
        >>> swap_left_right(np.array([4, 5, 13], np.uint8), 'celebamask_hq')  # eyes and hair
        array([ 5,  4, 13], dtype=uint8)
    """
    return get_scheme(scheme).swap_table[parsing]


def palette_picture(parsing: np.ndarray, scheme: str | ParsingScheme) -> Image.Image:
    """Return uint8 (H, W) class indices as a palette picture: the same indices, shown in the scheme's colours."""
    picture = Image.fromarray(parsing)
    picture.putpalette(get_scheme(scheme).palette.tobytes())  # makes the mode 'P'; the indices stay
    return picture


def parsing_to_one_hot(parsing: Tensor, num_classes: int) -> Tensor:
    """One-hot form of parsing maps, on the device that they are on.

    Args:
        parsing: uint8 (B, H, W) class indices.
        num_classes: Number of channels K, 1..255.

    Returns:
        float32 (B, K, H, W) of zeros and ones; `IGNORE` (and any other index >= K) is zero in every channel.

    Example:
        >>> parsing_to_one_hot(torch.tensor([[[1, IGNORE]]], dtype=torch.uint8), num_classes=2).tolist()
        [[[[0.0, 0.0]], [[1.0, 0.0]]]]
    """
    batch, height, width = parsing.shape
    classes = torch.arange(num_classes, dtype=torch.uint8, device=parsing.device).view(1, -1, 1, 1)
    one_hot = torch.empty((batch, num_classes, height, width), dtype=torch.float32, device=parsing.device)
    # 8x19x128x128 on one core takes 0.2 ms this way, 1.9 ms with `==` and `.float()`, 1.1 ms with scatter_ and 7 ms
    # with F.one_hot (which also wants int64 and has no room for IGNORE).
    return torch.eq(parsing.unsqueeze(1), classes, out=one_hot)


def _unknown(kind: str, found: str, known: tuple[str, ...]) -> str:
    nearest = difflib.get_close_matches(str(found), known, n=1, cutoff=0.0)[0]
    return f'unknown {kind} {found!r}: expected one of {", ".join(known)}; did you mean {nearest!r}?'
