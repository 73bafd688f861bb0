"""CelebA (Liu et al., ICCV 2015) as its official archive unpacks: faces as the super-resolution papers cut them out."""

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

from pkdn_basicsr.data.pairing import index_folder
from pkdn_basicsr.data.prepare.celeba_lists import find_below, read_table
from pkdn_basicsr.data.prepare.celeba_picture import CelebaPictures
from pkdn_basicsr.data.prepare.celeba_splits import first_18000, official_partition
from pkdn_basicsr.data.prepare.name_lists import listed
from pkdn_basicsr.data.prepare.recipe import Plan, Sizes
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import sha256_of_file

PICTURES = {'dic': ('img_celeba',), 'first18000': ('img_align_celeba', 'img_align_celeba_png')}
"""Crop -> folders of the official archive that it is made for."""
# The official landmark lists are of the pictures as they were taken and of the aligned ones.
_LANDMARKS = {'img_celeba': 'list_landmarks_celeba.txt', 'img_align_celeba': 'list_landmarks_align_celeba.txt',
              'img_align_celeba_png': 'list_landmarks_align_celeba.txt'}
_COLUMNS = {'boxes': 4, 'landmarks': 10, 'identities': 1}


def plan_celeba(root: Path, sizes: Sizes, crop: str = 'dic', pictures: str | None = None, boxes: Path | None = None,
                lists: Mapping[str, Path] | None = None) -> Plan:
    """Plan to make faces from CelebA.

    Crops are enlarged where a face is smaller than wanted, as no paper says that it left such faces out; `crop_box` in
    the manifest tells how large each one was.

    Args:
        root: Where the archive was unpacked; its lists may lie in `Anno` and `Eval`, its pictures in `Img`.
        sizes: The wanted sizes.
        crop: 'dic': squares around the faces' boxes in the pictures as they were taken (`DicCrop`), parts as in
            `list_eval_partition.txt`. 'first18000': the centre of the aligned pictures (`CentreCrop`), of which the
            first 18,000 are for training, as in FSRNet and CTCNet (`first_18000`).
        pictures: Folder below `root`; None: the one that the archive has for this crop (`PICTURES`).
        boxes: List of `name x y width height`, for 'dic'; None: CelebA's own, for pictures as they were taken.
        lists: 'train', 'val', 'test' -> file of names, one a line, instead of these parts; pictures on no list are left
            out.

    Raises:
        UsageError: A folder or list is missing, a list is damaged, names pictures that are not there, or leaves the
            part of a picture open.
    """
    if crop not in PICTURES:
        raise UsageError(f'crop must be one of {", ".join(PICTURES)}, found {crop}')
    if boxes and crop != 'dic':
        raise UsageError(f'crop {crop} takes the centre of a picture; leave --boxes out')
    folder = _picture_folder(root, crop, pictures)
    files = index_folder(str(folder), 'celeba')
    below = folder.relative_to(root).as_posix()
    paths = _annotations(root, folder.name)
    if crop == 'dic':
        paths['boxes'] = boxes or _official_boxes(root, folder.name)
    tables = {name: read_table(path, _COLUMNS[name]) for name, path in paths.items()}
    if lists:
        splits = listed(lists, files)
        paths |= {f'{split}_list': path for split, path in lists.items()}
    elif crop == 'first18000':
        splits = first_18000(files)
    else:
        paths['partition'] = _needed(root, 'list_eval_partition.txt', '--train-list')
        splits = official_partition(paths['partition'], files)
    wanted = [key for key in files if key in splits]
    sources = [posixpath.normpath(f'{below}/{key}{os.path.splitext(files[key])[1]}') for key in wanted]
    recipes = CelebaPictures(sources, [splits[key] for key in wanted], sizes, tables)
    return Plan(root, recipes, {'kind': 'celeba', **sizes.settings(), 'crop': crop, 'pictures': below,
                                'sha256': {name: sha256_of_file(path) for name, path in paths.items()}})


def _picture_folder(root: Path, crop: str, pictures: str | None) -> Path:
    if pictures is not None:
        below = os.path.relpath(root / pictures, root)  # sources are named, and faces written, by their place below it
        if below.split(os.sep)[0] == os.pardir:
            raise UsageError(f'celeba: --pictures must be a folder below {root}, found {pictures}; move or link it '
                             'there, or give a --src that has it')
        return root / below
    found = [path for name in PICTURES[crop] if (path := find_below(root, name))]
    if not found:
        raise UsageError(f'celeba: found no folder {" or ".join(PICTURES[crop])} in {root} or its Img, which crop '
                         f'{crop} is made for; unpack it, or name another one with --pictures')
    return found[0]


def _annotations(root: Path, folder: str) -> dict[str, Path]:
    """Return the lists of what may be known of the pictures in a folder, as far as they are there."""
    found = {'landmarks': find_below(root, _LANDMARKS[folder]) if folder in _LANDMARKS else None,
             'identities': find_below(root, 'identity_CelebA.txt')}
    return {name: path for name, path in found.items() if path}


def _official_boxes(root: Path, folder: str) -> Path:
    if folder not in PICTURES['dic']:
        raise UsageError(f'celeba: list_bbox_celeba.txt is of the pictures in {PICTURES["dic"][0]}; give the boxes of '
                         f'those in {folder} with --boxes')
    return _needed(root, 'list_bbox_celeba.txt', '--boxes')


def _needed(root: Path, name: str, option: str) -> Path:
    path = find_below(root, name)
    if path is None:
        raise UsageError(f'celeba: found no {name} in {root}, its Anno or Eval; download it, or give {option}')
    return path
