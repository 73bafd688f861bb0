"""Helen with the eleven soft maps a face of Smith et al., "Exemplar-Based Face Parsing", CVPR 2013.

The download is `SmithCVPR2013_dataset_original` or `.._resized`. Its faces are neither aligned nor cropped.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pkdn_basicsr.data.crop import Box
from pkdn_basicsr.data.pairing import index_folder
from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.picture import read_picture
from pkdn_basicsr.data.prepare.masks import read_mask
from pkdn_basicsr.data.prepare.recipe import Face, Plan, Sizes, face_name, training_face
from pkdn_basicsr.errors import UsageError

_SCHEME = get_scheme('helen')
_FACE_PARTS = [_SCHEME.index(name) for name in _SCHEME.classes if name not in ('background', 'hair')]
_LISTS = {'train': 'exemplars.txt', 'val': 'tuning.txt', 'test': 'testing.txt'}
_LINE = re.compile(r'\d+\s*,\s*(\S+)')
_EXPAND = .3


@dataclass(frozen=True)
class HelenFace:
    """Makes one face; see `recipe.Recipe`.

    Attributes:
        name: Helen's name of the picture.
        sources: The picture and its soft maps in the order of their classes.
        split: See `recipe.Recipe`.
        sizes: The wanted sizes.
    """

    name: str
    sources: tuple[str, ...]
    split: str | None
    sizes: Sizes

    def make(self, root: Path) -> list[Face]:
        """Make the face; its fact `crop_box` is the square (left, upper, right, lower) in pixels of the picture.

        Raises:
            UsageError: A file that is missing or cannot be used, a map not as large as the picture, maps without a
                face, or a face smaller than the wanted size.
        """
        path, *labels = (str(root / source) for source in self.sources)
        picture = read_picture(path)
        maps = [read_mask(label) for label in labels]
        for label, soft in zip(labels, maps, strict=True):
            if soft.shape[::-1] != picture.size:
                raise UsageError(f'{label}: expected {picture.width}x{picture.height} pixels as the picture '
                                 f'{self.sources[0]}, found {soft.shape[1]}x{soft.shape[0]}; take pictures and labels '
                                 'from one download')
        box = face_square(maps)
        if box is None:
            raise UsageError(f'{path}: expected a face in its maps {os.path.dirname(self.sources[1])}, found none; '
                             'replace them or leave it out')
        if box[2] - box[0] < self.sizes.hr:
            raise UsageError(f'{path}: expected a face of at least {self.sizes.hr} pixels with its margin, found '
                             f'{box[2] - box[0]}; choose a smaller size, or take the original pictures')
        parsing = index_map(maps, box, self.sizes.hr)
        return [training_face(self.name, picture.crop(box), self.sizes, parsing, _SCHEME.name, {'crop_box': list(box)})]


def face_square(maps: Sequence[np.ndarray]) -> Box | None:
    """Return a square around the face: about the middle of its parts' box, 1.3 times as long as its longer side.

    A face part (skin, brows, eyes, nose, lips or mouth) is where their values add up to at least one half. The square
    is shifted into the picture, and as large as the picture allows. The 0.3 are those of DIC (Ma et al., CVPR 2020),
    which takes the shorter side of a box of landmarks; the longer side, which cuts no chin, is our choice.

    Args:
        maps: Eleven uint8 (H, W), values 0..255 that say how much of a pixel is of the class.

    Returns:
        Left, upper, right and lower in pixels; None if the maps show no face.
    """
    height, width = maps[0].shape
    total = np.zeros((height, width), dtype=np.uint16)
    for index in _FACE_PARTS:
        total += maps[index]
    inside = total >= 128
    columns, rows = (np.flatnonzero(inside.any(axis=axis)) for axis in (0, 1))
    if not columns.size:
        return None
    extents = [(int(pixels[0]), int(pixels[-1]) + 1) for pixels in (columns, rows)]
    side = min(round((1 + _EXPAND) * max(end - start for start, end in extents)), width, height)
    left, upper = (min(max((start + end - side) // 2, 0), length - side)
                   for (start, end), length in zip(extents, (width, height), strict=True))
    return left, upper, left + side, upper + side


def index_map(maps: Sequence[np.ndarray], box: Box, side: int) -> np.ndarray:
    """Return the class that has most of each output pixel.

    The soft values are shrunk before the classes are chosen, each output pixel the mean of what it covers: of classes
    that were chosen first, a thin lip or brow would come and go with the pixel grid. Equal shares go to the lower
    index. Our choice.

    Args:
        maps: Eleven uint8 (H, W), values 0..255 that say how much of a pixel is of the class.
        box: Square to take, in pixels.
        side: Side of the output in pixels.

    Returns:
        uint8 (side, side), class indices of the scheme `helen`.
    """
    shares = [np.asarray(Image.fromarray(soft).resize((side, side), Image.Resampling.BOX, box=box)) for soft in maps]
    return np.argmax(shares, axis=0).astype(np.uint8)


def plan_helen(root: Path, sizes: Sizes) -> Plan:
    """Plan the faces of Helen, in the order of their names.

    Read are `images/<name>.jpg`, `labels/<name>/<name>_lbl00.png` to `_lbl10.png` and, where they are there,
    `exemplars.txt`, `tuning.txt` and `testing.txt`, which are the splits train, val and test. A name that is listed or
    has only a picture or only maps becomes a recipe that says what is missing when it is made.

    Args:
        root: The folder `SmithCVPR2013_dataset_original` or the resized one.
        sizes: The wanted sizes.

    Raises:
        UsageError: Folders are missing or empty, two pictures have one name, or a list cannot be used.
    """
    if not ((root / 'images').is_dir() and (root / 'labels').is_dir()):
        found = ', '.join(sorted(os.listdir(root))[:8]) if root.is_dir() else 'no such folder'
        raise UsageError(f'{root}: expected the folders images and labels, found {found or "nothing"}; name the folder '
                         'that SmithCVPR2013_dataset_original or .._resized was unpacked to')
    pictures = {key: f'images/{key}{os.path.splitext(file)[1]}'
                for key, file in index_folder(str(root / 'images'), 'images').items()}
    labelled = {key.partition('/')[0] for key in index_folder(str(root / 'labels'), 'labels') if '/' in key}
    splits = _splits(root)
    recipes = [HelenFace(face_name(f'{name}.jpg'), (pictures.get(name, f'images/{name}.jpg'), *_label_files(name)),
                         splits.get(name), sizes) for name in sorted({*pictures, *labelled, *splits})]
    return Plan(root, recipes, {'kind': 'helen', **sizes.settings(), 'expand': _EXPAND})


def _label_files(name: str) -> list[str]:
    return [f'labels/{name}/{name}_lbl{index:02}.png' for index in range(_SCHEME.num_classes)]


def _splits(root: Path) -> dict[str, str]:
    """Return name -> split from the lists that are there; their lines are `number , name`."""
    splits: dict[str, str] = {}
    for split, file in _LISTS.items():
        path = root / file
        text = path.read_text(encoding='utf-8-sig', errors='replace') if path.exists() else ''
        for number, line in enumerate(map(str.strip, text.splitlines()), 1):
            match = _LINE.fullmatch(line)
            if line and not match:
                raise UsageError(f"{path}: line {number}: expected 'number , name', found {line[:60]!r}; take the "
                                 'original list')
            if match and splits.setdefault(match[1], split) != split:
                raise UsageError(f'{path}: line {number}: {match[1]} is in {_LISTS[splits[match[1]]]} too; a face '
                                 'belongs to one of the lists')
    return splits
