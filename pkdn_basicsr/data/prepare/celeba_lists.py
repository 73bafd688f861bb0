"""CelebA's list files: a picture's name and whole numbers on each line, with or without a count and a header above."""

import sys
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pkdn_basicsr.data.pairing import key_of
from pkdn_basicsr.errors import UsageError

_FOLDERS = ('', 'Anno', 'Eval', 'Img')


class Row(NamedTuple):
    """What a list says of one picture.

    Attributes:
        line: Number of the line, from 1.
        values: The numbers.
    """

    line: int
    values: tuple[int, ...]


class Table(Mapping[str, Row]):
    """What a list says of each of its pictures, in little memory: a full list has two million numbers.

    Args:
        path: The file.
        columns: Numbers of a line.
    """

    def __init__(self, path: Path, columns: int) -> None:
        self.path = path
        self._columns = columns
        self._values = array('i')
        self._lines = array('i')
        self._index: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __getitem__(self, name: str) -> Row:
        index = self._index[name]
        return Row(self._lines[index], tuple(self._values[index * self._columns:(index + 1) * self._columns]))

    def add(self, line: int, words: list[str]) -> None:
        """Add a line; errors are those of `read_table`."""
        try:
            values = array('i', map(int, words[1:]))
        except (ValueError, OverflowError):
            values = array('i')
        if len(values) != self._columns:
            raise UsageError(f'{self.path}: line {line}: expected a file name and {self._columns} whole numbers, found '
                             f"'{' '.join(words)[:60]}'; mend the line")
        name = sys.intern(key_of(words[0]))  # one string for all lists
        if name in self._index:
            raise UsageError(f'{self.path}: line {line}: {words[0]} was named on line {self[name].line}; keep one of '
                             'the lines')
        self._index[name] = len(self._index)
        self._lines.append(line)
        self._values.extend(values)


def find_below(root: Path, name: str) -> Path | None:
    """Return a file or folder of the official archive, which has it in `Anno`, `Eval` or `Img`; None if not there."""
    return next((root / folder / name for folder in _FOLDERS if (root / folder / name).exists()), None)


def read_table(path: Path, columns: int) -> Table:
    """Read a list file.

    Blanks may be of any width, lines may end as on Windows. If the first line is a single number, it is the count of
    the pictures, and the second line is a header; a count that is wrong tells of a file that was cut.

    Args:
        path: The file.
        columns: Numbers of a line.

    Returns:
        Pictures' names without suffix, in the order of the file, and what is said of them.

    Raises:
        UsageError: No such file, not text, a line of another form, a picture on two lines, or lines are missing.
    """
    lines = _lines(path)
    count = int(lines[0]) if lines and lines[0].strip().isdecimal() else None
    table = Table(path, columns)
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if words and (count is None or number > 2):
            table.add(number, words)
    if count not in (None, len(table)):
        raise UsageError(f'{path}: expected {count} pictures, as its first line says, found {len(table)}; download it '
                         'again')
    return table


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='utf-8-sig').splitlines()
    except OSError as error:
        raise UsageError(f'{path}: cannot be read ({error.strerror}); give a list file') from None
    except UnicodeDecodeError:
        raise UsageError(f'{path}: expected a list file, found something else than UTF-8 text; download it again') \
            from None
