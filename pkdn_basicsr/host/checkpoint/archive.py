"""Where an earlier experiment goes when another one takes its name."""

import itertools
import os

import basicsr.train
from basicsr.utils import get_time_str, misc


def archive_under_a_free_name() -> None:
    """Replace `mkdir_and_rename`.

    BasicSR 1.4.2 (`utils/misc.py:24-35`) adds the second to the old folder's name. Where that name is taken, after a
    clock was set back or by two starts in one second, it ends in a traceback; no issue known.
    """
    misc.mkdir_and_rename = basicsr.train.mkdir_and_rename = mkdir_and_rename


def mkdir_and_rename(path: str) -> None:
    """Make a folder; one of that name is renamed to `<path>_archived_<time>`, or to the first free name after it."""
    if os.path.exists(path):
        name = f'{path}_archived_{get_time_str()}'
        names = itertools.chain([name], (f'{name}_{number}' for number in itertools.count(2)))
        free = next(name for name in names if not os.path.exists(name))
        print(f'Path already exists. Rename it to {free}', flush=True)
        os.rename(path, free)
    os.makedirs(path, exist_ok=True)
