"""Which picture of CelebA each face of CelebA-HQ was made from, and what CelebA's lists say of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pkdn_basicsr.data.pairing import key_of
from pkdn_basicsr.data.prepare.celeba_lists import read_table
from pkdn_basicsr.data.prepare.recipe import SPLITS
from pkdn_basicsr.errors import UsageError

_MAPPING, _PARTITION, _IDENTITY = 'CelebA-HQ-to-CelebA-mapping.txt', 'list_eval_partition.txt', 'identity_CelebA.txt'


@dataclass(frozen=True)
class Originals:
    """The pictures of CelebA that CelebA-HQ's were made from.

    Attributes:
        root: Folder of the lists.
        tables: Name of a list -> {number: CelebA's name without suffix} or {such a name: value}; empty without it.
    """

    root: Path
    tables: Mapping[str, Mapping[str, str | int]]

    @classmethod
    def read(cls, root: Path) -> 'Originals':
        """Read the lists that lie in a folder.

        Raises:
            UsageError: A list is damaged, or there without the one that it needs.
        """
        tables = {_MAPPING: _mapping(root / _MAPPING)}
        for name in (_PARTITION, _IDENTITY):
            rows = read_table(root / name, 1) if (root / name).exists() else {}
            tables[name] = {key: row.values[0] for key, row in rows.items()}
            if rows and not tables[_MAPPING]:
                raise UsageError(f'{root / name}: expected {_MAPPING} beside it, which says which face is which of '
                                 f'CelebA, found none; add it, or take {name} away')
        for key, value in tables[_PARTITION].items():
            if value not in range(len(SPLITS)):
                raise UsageError(f'{root / _PARTITION}: expected 0, 1 or 2 for {key}, found {value}; take the '
                                 'original list')
        return cls(root, tables)

    def split(self, number: int) -> str | None:
        """Return the part that CelebA's partition has for the original of a face, None without the partition."""
        return SPLITS[self._of_original(number, _PARTITION)] if self.tables[_PARTITION] else None

    def facts(self, number: int) -> dict[str, str | int]:
        """Return what is known of the original of a face: `celeba`, its name without suffix, and `identity`."""
        facts = {'celeba': self._look_up(_MAPPING, str(number))} if self.tables[_MAPPING] else {}
        return {**facts, 'identity': self._of_original(number, _IDENTITY)} if self.tables[_IDENTITY] else facts

    def _of_original(self, number: int, name: str) -> int:
        return self._look_up(name, self._look_up(_MAPPING, str(number)))

    def _look_up(self, name: str, key: str) -> str | int:
        if key not in self.tables[name]:
            raise UsageError(f'{self.root / name}: expected a line for {key}, found none among '
                             f'{len(self.tables[name])}; take the complete list')
        return self.tables[name][key]


def _mapping(path: Path) -> dict[str, str]:
    """Read the columns idx and orig_file (without suffix) of the list of originals; none if there is no such file."""
    lines = path.read_text(encoding='utf-8-sig', errors='replace').splitlines() if path.exists() else []
    originals = {}
    for number, line in enumerate(lines, 1):
        row = line.split()
        if row and len(row) != 3:
            raise UsageError(f'{path}: line {number}: expected the columns idx, orig_idx and orig_file, found '
                             f'{line.strip()[:60]!r}; take the original list')
        if row and row[0] != 'idx':
            originals[row[0]] = key_of(row[2])
    return originals
