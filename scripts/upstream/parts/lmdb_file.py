"""LMDB through BasicSR's `FileClient`, in the place of `pkdn_basicsr/data/lmdb_file.py`."""

import os
from functools import cache

from basicsr.data.data_util import paths_from_lmdb
from basicsr.utils import FileClient

SUFFIX = '.lmdb'


def lmdb_key(name: str) -> str:
    """Return the key of a picture's name without suffix: dots become underscores, anything else stays."""
    return name.replace('.', '_')


class LmdbFile:
    """A reader of one LMDB in BasicSR's layout; every process opens it for itself.

    Args:
        path: Folder that ends in `.lmdb`.

    Raises:
        ValueError: It is not there.
    """

    def __init__(self, path: str) -> None:
        if not os.path.isfile(os.path.join(path, 'meta_info.txt')):
            raise ValueError(f'{path}: no such LMDB; expected a folder with meta_info.txt')
        self.path = path
        self.keys = paths_from_lmdb(path)

    def read(self, key: str) -> bytes:
        """Return the bytes of a picture's file.

        Raises:
            ValueError: No such key.
        """
        content = _open_once(self.path, os.getpid()).get(key, self.path)
        if content is None:
            raise ValueError(f"{self.path}: has no picture of the key '{key}'")
        return content


@cache
def _open_once(path: str, process: int) -> FileClient:
    """LMDB can be opened only once in a process, but is read by the training and the validation set."""
    return FileClient('lmdb', db_paths=path, client_keys=path)
