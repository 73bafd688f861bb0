"""Which files belong together: images, their low-resolution versions and their parsing maps, matched by name."""

import os
from collections.abc import Iterable
from pathlib import Path

from pkdn_basicsr.errors import UsageError

_SUFFIXES = {'.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp'}


def index_folder(root: str, option: str) -> dict[str, str]:
    """List the pictures under `root`, subfolders included.

    Args:
        root: Folder.
        option: Name of the option that names it, for errors.

    Returns:
        Key (path below `root` without its suffix, '/' between folders) -> path, sorted by key.

    Raises:
        UsageError: No such folder, no picture in it, or two pictures with one key.
    """
    if not os.path.isdir(root):
        raise UsageError(f'{option}: no such folder: {os.path.abspath(root)}')
    files: dict[str, str] = {}
    for folder, _, names in os.walk(root):
        below = '' if folder == root else os.path.relpath(folder, root).replace(os.sep, '/') + '/'
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in _SUFFIXES and not name.startswith('.'):
                path = os.path.join(folder, name)
                if files.setdefault(below + stem, path) != path:
                    raise UsageError(f'{option}: {files[below + stem]} and {path} have the same name but for the '
                                     'suffix; keep one of them')
    if not files:
        raise UsageError(f'{option}: no picture ({", ".join(sorted(_SUFFIXES))}) under {os.path.abspath(root)}')
    return dict(sorted(files.items()))


def read_name_list(path: str, option: str) -> list[str]:
    """Read one name per line as keys (suffix dropped); what follows white space is ignored, as in BasicSR's meta files.

    Raises:
        UsageError: No such file, or no name in it.
    """
    if not os.path.isfile(path):
        raise UsageError(f'{option}: no such file: {os.path.abspath(path)}')
    keys = [key_of(line.split()[0]) for line in Path(path).read_text(encoding='utf-8').splitlines() if line.strip()]
    if not keys:
        raise UsageError(f'{option}: {os.path.abspath(path)} names no file')
    return keys


def key_of(name: str) -> str:
    """Drop a picture's suffix; a name without one is its own key, dots and all."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in _SUFFIXES else name


def select(keys: Iterable[str], wanted: list[str] | None, excluded: list[str], option: str) -> list[str]:
    """Keep the `wanted` keys (all when None) that are not `excluded`, in the order of `wanted` or else of `keys`.

    Raises:
        UsageError: A wanted key is not there, or none is left.
    """
    available = dict.fromkeys(keys)
    missing = [key for key in wanted or [] if key not in available]
    if missing:
        raise UsageError(f'{option}: {len(missing)} of {len(wanted)} listed names have no image, the first is '
                         f"'{missing[0]}'")
    left_out = set(excluded)
    selected = [key for key in (available if wanted is None else dict.fromkeys(wanted)) if key not in left_out]
    if not selected:
        raise UsageError(f'{option}: no image is left after the exclusion list')
    return selected


def match(keys: list[str], files: dict[str, str], root: str, option: str) -> list[str]:
    """Return the file of each key.

    Raises:
        UsageError: Files are missing; the message names the first and their number.
    """
    missing = [key for key in keys if key not in files]
    if missing:
        raise UsageError(f"{option}: {len(missing)} of {len(keys)} images have no file there, the first is "
                         f"'{missing[0]}' in {os.path.abspath(root)}")
    return [files[key] for key in keys]
