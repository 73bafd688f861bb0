"""Writing files that are whole or not there."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path


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


def csv_text(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Return a table as comma-separated text, one line a row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
