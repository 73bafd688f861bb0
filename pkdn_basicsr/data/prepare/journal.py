"""The memory of an output folder: what was made there, one line a source picture, written before the files are.

A file in the folder is therefore known by its hash from the moment it is there, whenever the run is cut; everything
else in the folder is somebody's, and is left alone.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from pkdn_basicsr.data.prepare.work import Entry
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import write_whole

FOLDER = '.prepare'
"""Where the memory lies in an output folder; hidden, so that no data set takes it for faces."""


class Journal:
    """What was made in a folder. Lines are appended; the last line about a recipe or a list counts.

    Only places in the file are kept in memory, so that a set of 200,000 faces costs little.

    Args:
        dst: The output folder.

    Raises:
        UsageError: It cannot be read or written.
    """

    def __init__(self, dst: Path) -> None:
        self._path = dst / FOLDER / 'journal.jsonl'
        self._places: dict[str, int] = {}
        self._earlier: dict[str, set[str]] = defaultdict(set)
        self._lists: set[str] = set()
        self._end = 0  # of its last whole line; the last line may have been cut, and nothing was written for it yet
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._written = self._path.open('ab', buffering=0)  # what has been added is in the file, or was refused
            self._file = self._path.open('rb')
        except OSError as error:
            raise UsageError(f'{self._path}: cannot be opened ({error.strerror}); name another folder') from None
        self._read()

    def close(self) -> None:
        """Close the file."""
        self._written.close()
        self._file.close()

    def entry(self, name: str) -> Entry | None:
        """Return what became of the recipe of this name, None if nothing yet."""
        place = self._places.get(name)
        if place is None:
            return None
        self._file.seek(place)
        return Entry.from_json(json.loads(self._file.readline()))

    def names(self) -> set[str]:
        """Return the names of all recipes that something became of."""
        return set(self._places)

    def lists(self) -> set[str]:
        """Return the names of all lists that were written."""
        return set(self._lists)

    def was_ours(self, path: str, sha256: str | None) -> bool:
        """Tell whether a file of this content was made here earlier under this path, before what is noted now."""
        return sha256 in self._earlier.get(path, ())

    def earlier(self, entry: Entry | None) -> dict[str, frozenset[str]]:
        """Return what `was_ours` knows of an entry's files: path -> hashes."""
        files = [path for face in entry.faces for path in face.files] if entry else []
        return {path: frozenset(self._earlier[path]) for path in files if path in self._earlier}

    def add(self, entry: Entry) -> None:
        """Note what is about to be written for a source picture."""
        old = self.entry(entry.name)
        if old:
            self._supersede(old.to_json())
        self._places[entry.name] = self._append(entry.to_json())

    def add_list(self, path: str, sha256: str) -> None:
        """Note that a list of this content is about to be written."""
        self._append({'list': path, 'sha256': sha256})
        self._remember_list(path, sha256)

    def _remember_list(self, path: str, sha256: str) -> None:
        self._lists.add(path)
        self._earlier[path].add(sha256)

    def _append(self, line: Mapping) -> int:
        place, content, reason = self._end, json.dumps(line).encode() + b'\n', 'no space left'
        try:
            self._written.truncate(place)
            whole = self._written.write(content) == len(content)
        except OSError as error:
            whole, reason = False, error.strerror
        if not whole:
            raise UsageError(f'{self._path}: cannot be written ({reason}); what is finished stays: mend this, and run '
                             'the same command again')
        self._end += len(content)
        return place

    def _read(self) -> None:
        for place, line in self._lines():
            self._end = place + len(line)
            try:
                value = json.loads(line)
            except ValueError:
                raise UsageError(f'{self._path}: is damaged at byte {place}; move the whole set away and make it '
                                 'again') from None
            if 'list' in value:
                self._remember_list(value['list'], value['sha256'])
                continue
            if value['name'] in self._places:
                self._supersede(self.entry(value['name']).to_json())
            self._places[value['name']] = place

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        place = 0
        with self._path.open('rb') as file:
            for line in file:
                if line.endswith(b'\n'):
                    yield place, line
                place += len(line)

    def _supersede(self, old: Mapping) -> None:
        for face in old['faces']:
            for path, sha256 in face['files'].items():
                self._earlier[path].add(sha256)


def claim(dst: Path, settings: Mapping[str, object]) -> None:
    """Make a folder ours, or see that it is already, with these settings.

    Args:
        dst: A new or empty folder, or one that was claimed before.
        settings: What the content depends on, as JSON has it.

    Raises:
        UsageError: The folder holds something else, belongs to other settings, or cannot be written to.
    """
    kept = dst / FOLDER / 'settings.json'
    settings = json.loads(json.dumps(settings))  # as it will be read
    if check_claim(dst, settings):
        return
    try:
        write_whole(kept, json.dumps(settings, indent=2) + '\n')
    except OSError as error:
        raise UsageError(f'{dst}: cannot be written to ({error.strerror}); name another folder') from None


def check_claim(dst: Path, settings: Mapping[str, object]) -> bool:
    """Tell whether a folder was claimed before, without writing; arguments and errors are those of `claim`."""
    if dst.exists() and not dst.is_dir():
        raise UsageError(f'{dst}: expected a folder, found a file; name another folder')
    kept = dst / FOLDER / 'settings.json'
    if not kept.exists():
        foreign = sorted(path.name for path in dst.iterdir() if path.name != FOLDER) if dst.exists() else []
        if foreign:
            raise UsageError(f'{dst}: expected a new or empty folder, or one that this command has begun, found '
                             f'{foreign[0]} ({len(foreign)} files and folders); name another folder')
        return False
    try:
        found = json.loads(kept.read_text(encoding='utf-8'))
        differing = [key for key in sorted({*settings, *found}) if found.get(key) != settings.get(key)]
    except (OSError, ValueError, TypeError):
        raise UsageError(f'{kept}: expected the settings of a prepared set, found something else; name another '
                         'folder') from None
    if differing:
        old, new = (', '.join(f'{key} {values.get(key)!r}' for key in differing) for values in (found, settings))
        raise UsageError(f'{dst}: was begun with {old}, now asked for {new}; ask for the same, or name another folder')
    return True
