"""A user's lists of the pictures that are for training, for validation and for the test."""

from collections.abc import Collection, Mapping
from pathlib import Path

from pkdn_basicsr.data.pairing import read_name_list
from pkdn_basicsr.errors import UsageError


def listed(lists: Mapping[str, Path], keys: Collection[str]) -> dict[str, str]:
    """Return the parts that a user's lists name.

    Args:
        lists: Split -> file of names, one a line.
        keys: Names of the pictures that are there, without suffix.

    Returns:
        Key -> split.

    Raises:
        UsageError: A list cannot be read, names what is not there, or two lists name one picture.
    """
    splits: dict[str, str] = {}
    for split, path in lists.items():
        names = read_name_list(str(path), f'--{split}-list')
        check_there(names, keys, f'--{split}-list: {path}')
        for name in names:
            if splits.setdefault(name, split) != split:
                raise UsageError(f'--{split}-list: {name} is also in the --{splits[name]}-list; keep it in one')
    return splits


def check_there(names: Collection[str], keys: Collection[str], whose: str) -> None:
    """Check that names, listed in `whose`, are among the keys.

    Raises:
        UsageError: They are not; the message has the first and their number.
    """
    there = set(keys)
    missing = [name for name in names if name not in there]
    if missing:
        raise UsageError(f'{whose}: {len(missing)} of {len(names)} pictures are not in the download, the first is '
                         f'{missing[0]}; unpack all of it, or name the wanted ones in a --train-list, --val-list and '
                         '--test-list')
