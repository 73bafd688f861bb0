"""LMDB files in BasicSR's layout: many small pictures in one file, which some disks read faster than a folder.

`NAME.lmdb` is a folder with `data.mdb`, `lock.mdb` and `meta_info.txt`, whose lines are `key.png (h,w,c) level`.
BasicSR takes what stands before a line's first dot as the key, so that a key has none. Its own reader takes ASCII keys
only.
"""

import os
import shutil
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import lmdb
from PIL import Image
from tqdm import tqdm

from pkdn_basicsr.errors import UsageError

SUFFIX = '.lmdb'

_META = 'meta_info.txt'
_DATA = 'data.mdb'
_COMPRESS_LEVEL = 1  # BasicSR's default; a remark of the layout that nothing reads
_MAX_KEY_BYTES = 511  # LMDB's limit
_COMMIT_BYTES = 64 << 20  # held in memory until they are written
_PAGE = 4096

# File -> (process, environment). A file may be open only once in a process, whichever data sets read it.
_environments: dict[tuple[int, int], tuple[int, lmdb.Environment]] = {}


def lmdb_key(name: str) -> str:
    """Return the key of a picture's name without suffix: dots become underscores, anything else stays."""
    return name.replace('.', '_')


def write_lmdb(path: Path, files: Mapping[str, Path]) -> None:
    """Store PNG files as they are, byte for byte, under `lmdb_key` of their names.

    They are written to a hidden folder beside `path` that gets its name when all is there; after an interruption the
    next run starts anew. Only one process may write a path at a time.

    Args:
        path: New folder that ends in `.lmdb`.
        files: Name without suffix ('/' between folders) -> PNG file, in the order that a data set of them shall have.

    Raises:
        UsageError: `path` is there or has another ending, names that are no keys or the same one, a file that is no
            PNG, or a folder that cannot be written.
    """
    if path.suffix != SUFFIX:
        raise UsageError(f'{path}: the name of an LMDB ends in {SUFFIX}; call it {path.name}{SUFFIX}')
    if os.path.lexists(path):
        raise UsageError(f'{path}: is there already and is never overwritten; remove it or give another name')
    keys = _keys_of(files)
    unfinished = path.with_name(f'.{path.name}.unfinished')
    try:
        # one or two pages more for a picture, one for its key and one that a later commit may leave unused
        map_size = sum(os.path.getsize(file) + 4 * _PAGE for file in files.values()) + (16 << 20)
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(parents=True)
        lines = _write_data(unfinished, map_size, keys, path.name)
        (unfinished / _META).write_text(''.join(lines), encoding='utf-8')
        unfinished.rename(path)
    except (OSError, lmdb.Error) as error:
        raise UsageError(f'{path}: cannot be written: {error}; mend that and start again') from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


class LmdbFile:
    """A reader of one LMDB.

    It may be pickled or go through a fork: every process opens the file for itself.

    Args:
        path: Folder that ends in `.lmdb`.

    Attributes:
        path: The same.
        keys: Keys in the order of `meta_info.txt`.

    Raises:
        UsageError: It is not there, lacks a file, or is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._data = os.path.join(self.path, _DATA)
        if not os.path.isdir(self.path):
            raise UsageError(f'{self.path}: no such LMDB; expected a folder with {_DATA} and {_META}, as BasicSR and '
                             'this package write it')
        for name in (_DATA, _META):
            if not os.path.isfile(os.path.join(self.path, name)):
                raise UsageError(f'{self.path}: expected an LMDB with {_DATA} and {_META}, found no {name}; write it '
                                 'again')
        self.keys = _read_keys(os.path.join(self.path, _META))
        entries = self._environment().stat()['entries']
        if entries < len(self.keys):
            raise UsageError(f'{self._data}: expected the {len(self.keys)} pictures that {_META} lists, found '
                             f'{entries}; write the LMDB again')

    def read(self, key: str) -> bytes:
        """Return the bytes of a picture's file.

        Raises:
            UsageError: No such key, or the LMDB is damaged.
        """
        try:
            with self._environment().begin() as transaction:
                content = transaction.get(key.encode())
        except lmdb.Error as error:
            raise UsageError(f'{self._data}: cannot be read: {error}; write the LMDB again') from None
        if content is None:
            raise UsageError(f"{self.path}: has no picture of the key '{key}'; write the LMDB again, or leave the "
                             'picture out (exclude_file)')
        return content

    def _environment(self) -> lmdb.Environment:
        """Return this process' own environment of the file; one that was opened before a fork must not be used."""
        try:
            found = os.stat(self._data)
            file, process = (found.st_dev, found.st_ino), os.getpid()
            owner, environment = _environments.get(file, (process, None))
            if environment is None or owner != process:
                if environment is not None:
                    environment.close()  # this process' copy; while it is open, the file cannot be opened again
                environment = lmdb.open(self.path, readonly=True, lock=False, readahead=False, meminit=False)
                _environments[file] = process, environment
                _check_whole(self._data, environment)
        except (OSError, lmdb.Error) as error:
            raise UsageError(f'{self._data}: cannot be read: {error}; write the LMDB again') from None
        return environment


def _keys_of(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files by key."""
    names: dict[str, str] = {}
    for name in files:
        key = lmdb_key(name)
        if names.setdefault(key, name) != name:
            raise UsageError(f"'{names[key]}' and '{name}' would both have the key '{key}' (a key has no dots); rename "
                             'one of them')
        if not 0 < len(key.encode()) <= _MAX_KEY_BYTES or len(key.splitlines()) > 1:
            raise UsageError(f'{files[name]}: expected a name of one line and 1 to {_MAX_KEY_BYTES} bytes, found '
                             f'{name!r}; rename the file')
    if not names:
        raise UsageError('no picture to write to an LMDB; give at least one')
    return {key: files[name] for key, name in names.items()}


def _write_data(folder: Path, map_size: int, files: Mapping[str, Path], title: str) -> list[str]:
    """Write `data.mdb` and `lock.mdb`; return the lines of `meta_info.txt`."""
    lines = []
    with lmdb.open(str(folder), map_size=map_size) as environment:
        transaction, waiting = environment.begin(write=True), 0
        for key, file in tqdm(files.items(), f'writing {title}', unit='picture'):
            content = Path(file).read_bytes()
            lines.append(f'{key}.png {_shape_of(content, file)} {_COMPRESS_LEVEL}\n')
            transaction.put(key.encode(), content)
            waiting += len(content)
            if waiting > _COMMIT_BYTES:
                transaction.commit()
                transaction, waiting = environment.begin(write=True), 0
        transaction.commit()
    return lines


def _shape_of(content: bytes, file: Path) -> str:
    """Return (h,w,c) from a PNG file's header."""
    try:
        with Image.open(BytesIO(content), formats=['PNG']) as image:
            return f'({image.height},{image.width},{len(image.getbands())})'
    except Exception:  # PIL has no exception of its own for damaged files
        raise UsageError(f'{file}: expected a PNG file, found something else; save it as PNG') from None


def _read_keys(meta: str) -> list[str]:
    try:
        lines = Path(meta).read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f'{meta}: cannot be read: {error}; write the LMDB again') from None
    keys = [line.split('.')[0] for line in lines if line.strip()]
    if not keys or len(set(keys)) < len(keys):
        found = f'{len(keys) - len(set(keys))} keys twice' if keys else 'none'
        raise UsageError(f'{meta}: expected one line a picture, each with a key of its own before the first dot, found '
                         f'{found}; write the LMDB again')
    return keys


def _check_whole(data: str, environment: lmdb.Environment) -> None:
    """Reading a page that the file does not have would end the process with a bus error."""
    expected = (environment.info()['last_pgno'] + 1) * environment.stat()['psize']
    if os.path.getsize(data) < expected:
        raise UsageError(f'{data}: expected {expected} bytes, found {os.path.getsize(data)}; copy or write the LMDB '
                         'again')
