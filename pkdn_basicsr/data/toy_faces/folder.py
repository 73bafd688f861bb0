"""A folder of faces, written in parallel and finished by a second run."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from pkdn_basicsr.data.toy_faces.face import VERSION, draw_toy_face
from pkdn_basicsr.errors import UsageError

SETTINGS_FILE = 'toy_faces.json'
MIN_SIZE = 64  # below it, eyes and brows are no longer than a few pixels
MAX_NUM = 100_000  # file names have five digits, and must sort in the order of the faces

# Starting a worker costs five seconds (it imports torch and basicsr), as much as drawing 200 faces.
_FACES_WORTH_A_WORKER = 200
_MAX_WORKERS = 8
_CHUNK = 8  # faces handed to a worker at a time: little talk between processes, and the progress bar still moves

# The colours in which CelebAMask-HQ's tools show its classes.
_PALETTE = (
    (0, 0, 0), (204, 0, 0), (76, 153, 0), (204, 204, 0), (51, 51, 255), (204, 0, 204), (0, 255, 255), (255, 204, 204),
    (102, 51, 0), (255, 0, 0), (102, 204, 0), (255, 255, 0), (0, 0, 153), (0, 0, 204), (255, 51, 153), (0, 204, 204),
    (0, 51, 0), (255, 153, 51), (0, 204, 0))


@dataclass(frozen=True)
class ToyFaces:
    """What makes a folder of faces; kept in it as JSON."""

    num: int
    seed: int
    size: int
    num_val: int
    version: int = VERSION


def write_toy_faces(dst: str | os.PathLike, num: int, seed: int, size: int = 160, num_val: int | None = None,
                    workers: int | None = None) -> None:
    """Write a set of faces: `images/00000.png`, `parsing/00000.png` (palette PNG), two split files and the settings.

    Face i depends on seed, i and size only, so a longer set begins with the shorter one. A file is either whole or not
    there, and a second run draws only what is missing.

    Args:
        dst (str | os.PathLike): Folder: a new or empty one, or one begun with the same settings.
        num (int): Number of faces, 2..100000.
        seed (int): Any number >= 0.
        size (int): Side of a picture in pixels, at least 64.
        num_val (int | None): How many faces, the last ones, are for validation: 1..num - 1; None is an eighth.
        workers (int | None): Processes to draw with at most; None is the number of CPU cores, up to 8. Short sets are
            drawn in this process: a worker takes seconds to start.

    Raises:
        UsageError: A value is out of range, or the folder holds something else.
    """
    settings = ToyFaces(num, seed, size, max(1, num // 8) if num_val is None else num_val)
    workers = min(os.cpu_count() or 1, _MAX_WORKERS) if workers is None else workers
    _check_settings(settings, workers)
    folder = Path(dst)
    _claim_folder(folder, settings)
    missing = [i for i in range(num) if not all(path.exists() for path in _face_files(folder, i))]
    with _drawn(partial(_write_face, folder, seed, size), missing, workers) as faces:
        for _ in tqdm(faces, 'drawing faces', total=num, initial=num - len(missing), unit='face'):
            pass
    names = [f'{i:05d}.png\n' for i in range(num)]
    _write_missing_text(folder / 'split_train.txt', ''.join(names[:num - settings.num_val]))
    _write_missing_text(folder / 'split_val.txt', ''.join(names[num - settings.num_val:]))


def _check_settings(settings: ToyFaces, workers: int) -> None:
    for name, value, low, high in (('num', settings.num, 2, MAX_NUM), ('size', settings.size, MIN_SIZE, None),
                                   ('seed', settings.seed, 0, None), ('workers', workers, 1, None),
                                   ('num_val', settings.num_val, 1, settings.num - 1)):
        if value < low or (high is not None and value > high):
            limits = f'at least {low}' if high is None else f'{low}..{high}'
            raise UsageError(f'toy faces: {name} must be {limits}, found {value}: give another {name}')


def _claim_folder(folder: Path, settings: ToyFaces) -> None:
    """Make the folder ours, or see that it is already, with these very settings and nothing foreign in it."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f'{folder}: expected a folder for the toy faces, found a file: name another folder')
    kept = folder / SETTINGS_FILE
    if kept.exists():
        _refuse_other_settings(kept, settings)
    _refuse_foreign_files(folder, _own_files(folder, settings) if kept.exists() else set())
    try:
        for name in ('images', 'parsing'):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f'{folder}: cannot be written to ({error.strerror}): name another folder') from None
    _write_missing_text(kept, json.dumps(asdict(settings), indent=2) + '\n')


def _own_files(folder: Path, settings: ToyFaces) -> set[Path]:
    own = {folder / name for name in (SETTINGS_FILE, 'split_train.txt', 'split_val.txt')}
    return own.union(*(_face_files(folder, i) for i in range(settings.num)))


def _refuse_foreign_files(folder: Path, own: set[Path]) -> None:
    """Hidden files don't count: they are leftovers of an interrupted run, or some file manager's."""
    foreign = sorted(path for path in folder.rglob('*')
                     if path.is_file() and not path.name.startswith('.') and path not in own)
    if foreign:
        raise UsageError(f'{folder}: expected a new, empty or unfinished folder of toy faces, found {foreign[0].name} '
                         f'({len(foreign)} such files), which is not from this set: name another folder or empty it')


def _refuse_other_settings(kept: Path, settings: ToyFaces) -> None:
    wanted = asdict(settings)
    try:
        found = json.loads(kept.read_text(encoding='utf-8'))
        differing = [name for name in wanted if found.get(name) != wanted[name]]
    except (ValueError, AttributeError):
        raise UsageError(f'{kept}: expected the settings of a set of toy faces, found something else: name another '
                         'folder or empty this one') from None
    if differing:
        old, new = (', '.join(f'{name} {values.get(name)}' for name in differing) for values in (found, wanted))
        raise UsageError(f'{kept.parent}: expected toy faces of {new}, found a set of {old}: name another folder or '
                         'ask for the same settings')


def _face_files(folder: Path, index: int) -> tuple[Path, Path]:
    return folder / 'images' / f'{index:05d}.png', folder / 'parsing' / f'{index:05d}.png'


@contextmanager
def _drawn(write: Callable[[int], None], indices: list[int], workers: int) -> Iterator[Iterator[None]]:
    """Write the faces of these indices, in several processes where that is quicker.

    New processes are spawned, not forked: torch and OpenCV may hold threads and locks here, of which a fork would copy
    the locks only and hang.
    """
    workers = min(workers, len(indices) // _FACES_WORTH_A_WORKER)
    if workers < 2:
        yield map(write, indices)
        return
    with multiprocessing.get_context('spawn').Pool(workers, cv2.setNumThreads, (1,)) as pool:
        yield pool.imap_unordered(write, indices, _CHUNK)


def _write_face(folder: Path, seed: int, size: int, index: int) -> None:
    face_seed = int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0])
    picture, parsing = draw_toy_face(face_seed, size)
    coloured = Image.fromarray(parsing)
    coloured.putpalette(np.array(_PALETTE, np.uint8).tobytes())  # makes the mode 'P'; the indices stay
    for path, image in zip(_face_files(folder, index), (Image.fromarray(picture), coloured), strict=True):
        if not path.exists():
            unfinished = _unfinished(path)
            image.save(unfinished, format='PNG')
            unfinished.replace(path)


def _write_missing_text(path: Path, text: str) -> None:
    if not path.exists():
        unfinished = _unfinished(path)
        unfinished.write_text(text, encoding='utf-8', newline='\n')
        unfinished.replace(path)


def _unfinished(path: Path) -> Path:
    """Where a file is written before it gets its name; hidden, and the same in every run, so leftovers are reused."""
    return path.with_name(f'.{path.name}.tmp')
