"""CelebAMask-HQ as it is downloaded: 30,000 aligned faces, their masks in a file per part, CelebA's partition.

Lee et al., "MaskGAN", CVPR 2020. Pictures have 1024x1024 pixels and masks 512x512; each is brought to the wanted size
on its own, since pictures that first become as large as the masks would be resampled twice.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pkdn_basicsr.data.pairing import index_folder
from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.picture import read_parsing, read_picture
from pkdn_basicsr.data.prepare.celeba_originals import Originals
from pkdn_basicsr.data.prepare.masks import read_mask
from pkdn_basicsr.data.prepare.recipe import Face, Plan, Sizes, training_face
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import sha256_of_file

_SCHEME = get_scheme('celebamask_hq')
_PICTURES = 'CelebA-HQ-img'
_PARTS = 'CelebAMask-HQ-mask-anno'
_MERGED = ('CelebAMaskHQ-mask', 'mask')  # as the dataset's own tool calls it, and as many copies do


@dataclass(frozen=True)
class CelebAMaskHQFace:
    """Makes one face; see `recipe.Recipe`.

    Attributes:
        name: CelebA-HQ's number of the face, '0' to '29999'.
        sources: The picture and its masks: either one map of class indices, or a mask per part.
        merged: Whether it is one map.
        split: See `recipe.Recipe`.
        facts: See `recipe.Face`.
        sizes: The wanted sizes.
    """

    name: str
    sources: tuple[str, ...]
    merged: bool
    split: str | None
    facts: Mapping[str, object]
    sizes: Sizes

    def make(self, root: Path) -> list[Face]:
        """Make the face.

        Raises:
            UsageError: No mask, a file that cannot be used, a picture or mask that is not square, a picture smaller
                than the wanted size, or masks of several sizes.
        """
        if len(self.sources) == 1:
            raise UsageError(f'{root / self.sources[0]}: it has no mask in {_PARTS} ({self.name:0>5}_<part>.png) or '
                             f'{" or ".join(_MERGED)} ({self.name}.png); add its masks or leave it out')
        path, *masks = (str(root / source) for source in self.sources)
        picture = read_picture(path)
        _check_square(path, picture.size)
        if picture.width < self.sizes.hr:
            raise UsageError(f'{path}: expected at least {self.sizes.hr} pixels a side, found {picture.width}; choose '
                             'a smaller size, or take the original of 1024 pixels')
        parsing = np.asarray(read_parsing(masks[0], _SCHEME)) if self.merged else merge_parts(masks)
        _check_square(masks[0], parsing.shape[::-1])
        return [training_face(self.name, picture, self.sizes, parsing, _SCHEME.name, self.facts)]


def merge_parts(paths: Iterable[str]) -> np.ndarray:
    """Merge the masks of one face's parts: what is not black in a mask is the part; a later class hides an earlier one.

    The classes and their order are those of g_mask.py of CelebAMask-HQ.

    Args:
        paths: Files `<number>_<part>.png`, at least one, in any order.

    Returns:
        uint8 (H, W), class indices of the scheme `celebamask_hq`; where no mask is, background.

    Raises:
        UsageError: A mask that cannot be used, or masks of several sizes.
    """
    parts = {_SCHEME.index(_part(path)): path for path in paths}
    parsing = first = None
    for index, path in sorted(parts.items()):
        mask = read_mask(path)
        if parsing is None:
            parsing, first = np.zeros(mask.shape, dtype=np.uint8), path
        if mask.shape != parsing.shape:
            raise UsageError(f'{path}: expected {parsing.shape[1]}x{parsing.shape[0]} pixels as '
                             f'{os.path.basename(first)}, found {mask.shape[1]}x{mask.shape[0]}; take all masks of a '
                             'face from one download')
        parsing[mask != 0] = index
    return parsing


def plan_celebamask_hq(root: Path, sizes: Sizes) -> Plan:
    """Plan the faces of CelebAMask-HQ, in the order of their numbers.

    Read are `CelebA-HQ-img/<number>.jpg` and the first of these that is there:
    `CelebAMask-HQ-mask-anno/<folder>/<number>_<part>.png`, `CelebAMaskHQ-mask/<number>.png`, `mask/<number>.png`, the
    latter two with class indices. A picture without masks, or masks without a picture, become a recipe that says so
    when it is made.

    CelebA-HQ has no partition of its own. With `CelebA-HQ-to-CelebA-mapping.txt`, which comes with it, a face knows its
    original (fact `celeba`), with CelebA's `list_eval_partition.txt` beside it its split (24,183, 2,993 and 2,824
    faces), and with CelebA's `identity_CelebA.txt` the person (fact `identity`).

    Args:
        root: The folder `CelebAMask-HQ`.
        sizes: The wanted sizes.

    Raises:
        UsageError: Folders are missing or empty, a file has a name of no meaning, two files are the same mask or
            picture, or one of the lists cannot be used.
    """
    masks_folder = next((folder for folder in (_PARTS, *_MERGED) if (root / folder).is_dir()), None)
    if not (root / _PICTURES).is_dir() or masks_folder is None:
        found = ', '.join(sorted(os.listdir(root))[:8]) if root.is_dir() else 'no such folder'
        raise UsageError(f'{root}: expected the folders {_PICTURES} and {_PARTS} (or maps of class indices in '
                         f'{" or ".join(_MERGED)}), found {found or "nothing"}; name the folder that CelebAMask-HQ was '
                         'unpacked to')
    merged = masks_folder != _PARTS
    pictures = _numbered(root, _PICTURES)
    masks = {number: (path,) for number, path in _numbered(root, masks_folder).items()} if merged else _parts(root)
    originals = Originals.read(root)
    recipes = [CelebAMaskHQFace(
        str(number), (pictures.get(number, f'{_PICTURES}/{number}.jpg'), *masks.get(number, ())), merged,
        originals.split(number), originals.facts(number), sizes) for number in sorted(pictures.keys() | masks.keys())]
    settings = {'kind': 'celebamask_hq', **sizes.settings(), 'masks': masks_folder,
                'lists': {name: sha256_of_file(root / name) for name, table in originals.tables.items() if table}}
    return Plan(root, recipes, settings)


def _numbered(root: Path, folder: str) -> dict[int, str]:
    """Return the pictures of a folder by their numbers, as paths below `root`."""
    found: dict[int, str] = {}
    for key, file in index_folder(str(root / folder), folder).items():
        path = _below(folder, key, file)
        if not _is_number(key):
            raise UsageError(f'{file}: expected a number as its name, found {key}; move it elsewhere')
        if found.setdefault(int(key), path) != path:
            raise UsageError(f'{file}: {found[int(key)]} has the same number; keep one of them')
    return found


def _parts(root: Path) -> dict[int, tuple[str, ...]]:
    """Return the part masks of each face, as paths below `root`; the numbered folders are only a matter of storage."""
    found: dict[int, dict[str, str]] = {}
    for key, file in index_folder(str(root / _PARTS), _PARTS).items():  # every folder once: there are 400,000 files
        path, number, part = _below(_PARTS, key, file), key.rpartition('/')[2].partition('_')[0], _part(file)
        if not _is_number(number) or part not in _SCHEME.classes[1:]:
            raise UsageError(f'{file}: expected <number>_<part>.png with one of the parts '
                             f'{", ".join(_SCHEME.classes[1:])}, found {part!r}; move it elsewhere or mend its name')
        other = found.setdefault(int(number), {}).setdefault(part, path)
        if other != path:
            raise UsageError(f'{file}: {other} is the same part of the same face; keep one of them')
    return {number: tuple(parts[name] for name in _SCHEME.classes if name in parts) for number, parts in found.items()}


def _part(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0].partition('_')[2]


def _below(folder: str, key: str, file: str) -> str:
    return f'{folder}/{key}{os.path.splitext(file)[1]}'


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _check_square(path: str, size: tuple[int, int]) -> None:
    if size[0] != size[1]:
        raise UsageError(f'{path}: expected a square, as all of CelebAMask-HQ, found {size[0]}x{size[1]} pixels; take '
                         'the original file')
