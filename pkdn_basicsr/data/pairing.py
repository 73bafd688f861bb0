"""Which files belong together: images, their low-resolution versions and their parsing maps, matched by name."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pkdn_basicsr.errors import UsageError

_SUFFIXES = {'.png', '.jpg', '.jpeg', '.jfif', '.bmp', '.tif', '.tiff', '.webp'}
_UNREAD = {'.avif', '.gif', '.heic', '.heif', '.jp2', '.jxl', '.cr2', '.dng', '.nef'}  # what people have besides
_FILE_NAME = re.compile(rf'(.+?)(?:{"|".join(map(re.escape, sorted(_SUFFIXES)))})(?!\S)', re.IGNORECASE)


def index_folder(root: str, option: str) -> dict[str, str]:
    """List the pictures under `root`, subfolders (linked ones too, as in BasicSR) included and hidden ones left out.

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
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if not name.startswith('.') and not _leads_back(folder, name)]
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


def count_unread(root: str) -> dict[str, int]:
    """Count the pictures under `root` that `index_folder` passes over, by suffix; the most frequent first."""
    names = (name for _, _, files in os.walk(root) for name in files if not name.startswith('.'))
    suffixes = (os.path.splitext(name)[1].lower() for name in names)
    return dict(Counter(suffix for suffix in suffixes if suffix in _UNREAD).most_common())


def _leads_back(folder: str, name: str) -> bool:
    """Whether a subfolder is a link to the folder that it is in, or to one above."""
    target = os.path.realpath(os.path.join(folder, name))
    return os.path.commonpath([target, os.path.realpath(folder)]) == target


def read_name_list(path: str, option: str) -> list[str]:
    """Read one name per line as keys (suffix dropped); what follows it is ignored, as in BasicSR's meta files.

    A name ends with the first suffix of a picture that white space follows, and so may have spaces in it; one without
    such a suffix ends at the first white space.

    Raises:
        UsageError: No such file, not text, or no name in it.
    """
    if not os.path.isfile(path):
        raise UsageError(f'{option}: no such file: {os.path.abspath(path)}')
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise UsageError(f'{option}: {os.path.abspath(path)} is not UTF-8 text; expected a list of one name a '
                         'line') from None
    keys = [_first_key(line.strip()) for line in lines if line.strip()]
    if not keys:
        raise UsageError(f'{option}: {os.path.abspath(path)} names no file; write one name a line or leave the option '
                         'out')
    return keys


def _first_key(line: str) -> str:
    name = _FILE_NAME.match(line)
    return name[1] if name else line.split()[0]


def key_of(name: str) -> str:
    """Drop a picture's suffix; a name without one is its own key, dots and all."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in _SUFFIXES else name


def select(keys: Iterable[str], wanted: list[str], option: str) -> list[str]:
    """Return the `wanted` keys in their order, each once.

    Raises:
        UsageError: A wanted key is not among `keys`.
    """
    available = set(keys)
    missing = [key for key in wanted if key not in available]
    if missing:
        raise UsageError(f'{option}: {len(missing)} of {len(wanted)} listed names have no image in dataroot_gt, the '
                         f"first is '{missing[0]}'; names are paths below that folder")
    return list(dict.fromkeys(wanted))


def exclude(keys: Iterable[str], unwanted: Iterable[str]) -> list[str]:
    """Return the `keys` that are not `unwanted`, in their order.

    Raises:
        UsageError: None is left.
    """
    left_out = set(unwanted)
    rest = [key for key in keys if key not in left_out]
    if not rest:
        raise UsageError('exclude_file: it names every image of the set; none is left to use')
    return rest


def match(keys: list[str], files: dict[str, str], root: str, option: str) -> list[str]:
    """Return the file of each key.

    Raises:
        UsageError: Files are missing; the message names the first and their number.
    """
    missing = [key for key in keys if key not in files]
    if missing:
        raise UsageError(f'{option}: {len(missing)} of {len(keys)} images have no file of the same name in '
                         f"{os.path.abspath(root)}, the first is '{missing[0]}'; add the files or leave the images out "
                         '(exclude_file)')
    return [files[key] for key in keys]


def name_of_sample(sample: dict, dataset_opt: dict) -> str:
    """Return the name of a batch of one in tables and messages.

    Args:
        sample: A batch with `lq_path` and, where there is a truth, `gt_path`.
        dataset_opt: The data set's options.

    Returns:
        The file's path below the folder that the options name, '/' between folders; elsewhere its bare name.
    """
    kind = 'gt' if 'gt_path' in sample else 'lq'
    path, option = sample[f'{kind}_path'][0], f'dataroot_{kind}'
    root = os.path.abspath(os.path.expanduser(dataset_opt.get(option) or os.curdir))
    below = os.path.relpath(os.path.abspath(path), root)
    return os.path.basename(path) if below.startswith(os.pardir) else Path(below).as_posix()


def check_set_names(names: Sequence[str]) -> None:
    """Check that data sets can have files that are named after them.

    Raises:
        UsageError: Two have one name, or a name has a path in it.
    """
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"datasets: {names.count(name)} data sets have the name '{name}', which becomes part of "
                             'file names; give each its own')
        if os.path.basename(str(name)) != str(name) or name in (os.curdir, os.pardir):
            raise UsageError(f"datasets: the name '{name}' becomes part of file names; write it without /")
