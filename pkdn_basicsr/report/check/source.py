"""Reading a data set's pictures in any process, from a folder or an LMDB, as the data set does."""

import functools
from typing import NamedTuple

from PIL import Image

from pkdn_basicsr.data.parsing_labels import ParsingScheme
from pkdn_basicsr.data.picture import read_parsing, read_picture
from pkdn_basicsr.data.storage import FolderStore, LmdbStore, open_store


class Source(NamedTuple):
    """Where one kind of pictures lies; small, so that it can go to another process with every task.

    Attributes:
        root: Folder or LMDB.
        option: The option that names it.
        backend: `disk` or `lmdb`.
    """

    root: str
    option: str
    backend: str

    def store(self) -> FolderStore | LmdbStore:
        """Open it, once a process. Raises UsageError for an LMDB that is not there or damaged."""
        return _open(self)

    def picture(self, path: str) -> Image.Image:
        """Read a picture; errors are those of `read_picture`."""
        return read_picture(path, self.store().open(path))

    def parsing(self, path: str, scheme: ParsingScheme) -> Image.Image:
        """Read a parsing map; errors are those of `read_parsing`."""
        return read_parsing(path, scheme, self.store().open(path))


@functools.lru_cache(maxsize=64)
def _open(source: Source) -> FolderStore | LmdbStore:
    return open_store(*source)
