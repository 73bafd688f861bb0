"""The pictures of a prepared set once more, as BasicSR's LMDBs: one file each instead of hundreds of thousands."""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from pkdn_basicsr.data.lmdb_file import write_lmdb
from pkdn_basicsr.data.prepare.journal import FOLDER
from pkdn_basicsr.data.prepare.work import MadeFace
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import sha256, write_whole


def write_lmdb_copies(dst: Path, faces: Iterable[MadeFace], anew: bool = True) -> None:
    """Write `images.lmdb`, `parsing.lmdb` and so on, one for each folder of a finished set, beside it.

    One that holds these very pictures already is kept, one that was made here from others is made again.

    Args:
        dst: Folder of the set.
        faces: Its faces.
        anew: Also write those that are not there yet.

    Raises:
        UsageError: Two names that differ only in dots, or one of the LMDBs is there and was not made here.
    """
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for face in faces:
        for path, content in face.files.items():
            folders[path.partition('/')[0]][face.name] = content
    for folder, contents in folders.items():
        if anew or _stamp(dst, folder).exists():
            _write_copy(dst, folder, contents)


def _stamp(dst: Path, folder: str) -> Path:
    """Return the file that says what an LMDB that was made here holds."""
    return dst / FOLDER / f'{folder}.lmdb'


def _write_copy(dst: Path, folder: str, contents: dict[str, str]) -> None:
    copy, stamp = dst / f'{folder}.lmdb', _stamp(dst, folder)
    wanted = sha256(json.dumps(contents).encode())
    if copy.exists():
        if not stamp.exists():
            raise UsageError(f'{copy}: was not made here, and is left as it is; move it away, and run the same command '
                             'again')
        if stamp.read_text(encoding='utf-8') == wanted:
            return
        shutil.rmtree(copy)
    # the stamp first: a copy without it would count as somebody's, one with a stamp of others is made again
    write_whole(stamp, 'unfinished')
    write_lmdb(copy, {name: dst / folder / f'{name}.png' for name in contents})
    write_whole(stamp, wanted)
