"""`basicsr prepare aligned`: faces that are cropped already, with or without parsing maps, in other sizes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pkdn_basicsr.data.crop import centre_square
from pkdn_basicsr.data.pairing import index_folder, match
from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.picture import read_parsing, read_picture
from pkdn_basicsr.data.prepare.name_lists import listed
from pkdn_basicsr.data.prepare.recipe import Face, Plan, Sizes, face_name, training_face
from pkdn_basicsr.errors import UsageError


@dataclass(frozen=True, slots=True)
class AlignedRecipe:
    """Takes the largest centred square of a picture and of its map.

    Attributes:
        sources: The picture and, if there is one, its map.
        split: See `recipe.Recipe`.
        sizes: The wanted sizes.
        scheme: Class scheme of the map.
    """

    sources: tuple[str, ...]
    split: str | None
    sizes: Sizes
    scheme: str

    @property
    def name(self) -> str:
        """See `recipe.Recipe`."""
        return face_name(self.sources[0])

    def make(self, root: Path) -> Sequence[Face]:
        """See `recipe.Recipe`; a picture that is smaller than wanted is refused, not enlarged."""
        path, *map_paths = (str(root / source) for source in self.sources)
        picture = read_picture(path)
        if min(picture.size) < self.sizes.hr:
            raise UsageError(f'{path}: has {picture.width}x{picture.height} pixels, less than the wanted '
                             f'{self.sizes.hr}; ask for a smaller size')
        box = centre_square(*picture.size)
        parsing = None
        for map_path in map_paths:
            whole = read_parsing(map_path, get_scheme(self.scheme))
            if whole.size != picture.size:
                raise UsageError(f'{map_path}: expected {picture.width}x{picture.height} pixels as {path}, found '
                                 f'{whole.width}x{whole.height}')
            parsing = np.asarray(whole.crop(box))
        return [training_face(self.name, picture.crop(box), self.sizes, parsing, self.scheme, {'crop_box': list(box)})]


def plan_aligned(root: Path, sizes: Sizes, parsing: Path | None = None, scheme: str = 'celebamask_hq',
                 lists: Mapping[str, Path] | None = None) -> Plan:
    """Plan a set from a folder of faces, subfolders included.

    Args:
        root: Folder of pictures.
        sizes: The wanted sizes.
        parsing: Folder of maps of the same names and sizes.
        scheme: Class scheme of the maps.
        lists: 'train', 'val', 'test' -> file of names; pictures on no list are left out. None: all, of no part.

    Raises:
        UsageError: No such folder, a picture without a map, or a list that does not fit.
    """
    files = index_folder(str(root), 'src')
    splits = listed(lists, files) if lists else dict.fromkeys(files)
    sources = {key: (_below(root, files[key]),) for key in splits}
    if parsing:
        maps = match(list(splits), index_folder(str(parsing), 'parsing'), str(parsing), 'parsing')
        # '..' behind a link leads out of the link's target, hence both folders as they really are
        to_maps = Path(_below(Path(os.path.realpath(root)), os.path.realpath(parsing)))
        sources = {key: (*sources[key], (to_maps / _below(parsing, path)).as_posix())
                   for key, path in zip(splits, maps, strict=True)}
    recipes = [AlignedRecipe(sources[key], split, sizes, scheme) for key, split in splits.items()]
    return Plan(root, recipes, {'kind': 'aligned', **sizes.settings(), 'parsing': scheme if parsing else None})


def _below(root: Path, path: str) -> str:
    return Path(os.path.relpath(path, root)).as_posix()
