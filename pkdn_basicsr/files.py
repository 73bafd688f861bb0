"""Writing files that are whole or not there, and telling their contents apart."""

import csv
import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from pkdn_basicsr.errors import UsageError


def write_whole(path: Path, content: str | bytes, unfinished: Path | None = None) -> None:
    """Write a file under another name first, so that an interruption leaves the old file or the new one, never half.

    Args:
        path: The file; its folder is made where there is none.
        content: Text (UTF-8) or bytes.
        unfinished: The other name, on the same file system; one that only this process uses. Default: a hidden one
            beside `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished or path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def make_result_folder(folder: Path, option: str) -> None:
    """Make a folder and find out that it can be written to, before anything is computed.

    Args:
        folder: The folder; it may be there.
        option: What names it on the command line, for errors.

    Raises:
        UsageError: It cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f'{option}: cannot write into {folder.absolute()}: {error.strerror}; name another '
                         'folder') from None


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits; large files are read in parts."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def csv_text(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Return a table as comma-separated text, one line a row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
