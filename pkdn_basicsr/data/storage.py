"""Where a data set's pictures lie: in a folder or in an LMDB. Both give paths, and what PIL can open for a path."""

import os
from io import BytesIO
from typing import BinaryIO

from pkdn_basicsr.data.lmdb_file import LmdbFile, lmdb_key
from pkdn_basicsr.data.pairing import index_folder


class FolderStore:
    """Pictures in the files of a folder.

    Args:
        root: Folder.
        option: Name of the option that names it, for errors.
    """

    def __init__(self, root: str, option: str) -> None:
        self.root, self.option = root, option

    def index(self) -> dict[str, str]:
        """Return key -> path, see `index_folder`."""
        return index_folder(self.root, self.option)

    def key_of(self, name: str) -> str:
        """Return the key of a name from a list."""
        return name

    def open(self, path: str) -> str | BinaryIO:
        """Return what PIL opens for a path of the index: the file itself."""
        return path


class LmdbStore:
    """Pictures in an LMDB; their paths, `root/key.png`, look as those of the folder that it was made from.

    Args:
        root: Folder that ends in `.lmdb`.

    Raises:
        UsageError: It is not there or damaged.
    """

    def __init__(self, root: str) -> None:
        self._file = LmdbFile(root)
        self._below = os.path.join(root, '')

    def index(self) -> dict[str, str]:
        """Return key -> path, in the order of `meta_info.txt`."""
        return {key: f'{self._below}{key}.png' for key in self._file.keys}

    def key_of(self, name: str) -> str:
        """Return the key of a name from a list, which may be that of the file that was put in."""
        return lmdb_key(name)

    def open(self, path: str) -> str | BinaryIO:
        """Return what PIL opens for a path of the index: the stored bytes.

        Raises:
            UsageError: They are not there, or the LMDB is damaged.
        """
        return BytesIO(self._file.read(path.removeprefix(self._below).removesuffix('.png')))


def open_store(root: str, option: str, backend: str) -> FolderStore | LmdbStore:
    """Return the store of a root folder ('~' is the home folder).

    Args:
        root: Folder.
        option: Name of the option that names it, for errors.
        backend: 'disk' or 'lmdb'.

    Raises:
        UsageError: An LMDB that is not there or damaged.
    """
    root = os.path.expanduser(root)
    return LmdbStore(root) if backend == 'lmdb' else FolderStore(root, option)
