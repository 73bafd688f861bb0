"""Which files are enlarged, and where the results go."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pkdn_basicsr.data.pairing import index_folder
from pkdn_basicsr.errors import UsageError

_COMPARE = '_compare'


class Task(NamedTuple):
    """One picture.

    Attributes:
        source: File to read.
        target: File to write.
        panel: File of the side-by-side picture, or None.
    """

    source: Path
    target: Path
    panel: Path | None


def plan_tasks(inputs: Sequence[str], output: Path, file_format: str, compare: bool, overwrite: bool) -> list[Task]:
    """Find the pictures and name their results: as the picture, below its folder or the fixed part of a pattern.

    Args:
        inputs: Files, folders (searched with all sub-folders; of results in `output` none is taken) and patterns such
            as `album/**/*.jpg`.
        output: Folder of the results.
        file_format: Suffix of the results.
        compare: Whether side-by-side pictures are wanted, too.
        overwrite: Whether results of an earlier run may be replaced.

    Raises:
        UsageError: Nothing is found, results collide with each other or with a picture, or exist already.
    """
    named: dict[str, Path] = {}
    for entry in inputs:
        for name, source in _find(entry, output).items():
            if named.setdefault(name, source).resolve() != source.resolve():
                raise UsageError(f'-i: {named[name]} and {source} would both be written to {name}.{file_format}; run '
                                 'them separately, into two folders')
    tasks = [Task(source, output / f'{name}.{file_format}',
                  output / f'{name}{_COMPARE}.{file_format}' if compare else None) for name, source in named.items()]
    _check(tasks, overwrite)
    return tasks


def _find(entry: str, output: Path) -> dict[str, Path]:
    """Return the pictures of one input by the name of their result, without suffix."""
    path = Path(entry).expanduser()
    if path.is_dir():
        found = {name: Path(source) for name, source in index_folder(str(path), '-i').items()}
        if path.resolve() != output.resolve():
            found = {name: source for name, source in found.items() if not source.is_relative_to(output)
                     and not source.resolve().is_relative_to(output.resolve())}
        if not found:
            raise UsageError(f'-i: {path.absolute()} holds nothing but the results in {output}; name the pictures')
        return found
    if path.is_file():
        return {path.stem: path}
    if not glob.has_magic(entry):
        raise UsageError(f'-i: no such file or folder: {path.absolute()}')
    return _find_pattern(str(path))


def _find_pattern(pattern: str) -> dict[str, Path]:
    parts = Path(pattern).parts
    fixed = Path(*parts[:next(index for index, part in enumerate(parts) if glob.has_magic(part))])
    found: dict[str, Path] = {}
    for source in sorted(map(Path, glob.glob(pattern, recursive=True))):
        name = source.relative_to(fixed).with_suffix('').as_posix()
        if source.is_file() and found.setdefault(name, source) != source:
            raise UsageError(f'-i: {found[name]} and {source} have the same name but for the suffix; run them '
                             'separately, into two folders')
    if not found:
        raise UsageError(f'-i: no file fits {pattern}; put the pattern into quotes if the shell has changed it')
    return found


def _check(tasks: Sequence[Task], overwrite: bool) -> None:
    results = [path for task in tasks for path in (task.target, task.panel) if path]
    sources = {task.source.resolve() for task in tasks}
    seen: set[Path] = set()
    for path in results:
        if path.resolve() in sources:
            raise UsageError(f'-o: {path} is one of the pictures that are read; name another folder')
        if path in seen:
            raise UsageError(f'-i: two results would be named {path}; rename the picture whose name ends with '
                             f'{_COMPARE}')
        seen.add(path)
    existing = [path for path in results if path.exists()]
    if existing and not overwrite:
        raise UsageError(f'-o: {len(existing)} of {len(results)} results exist already ({existing[0]}); add '
                         '--overwrite, or name another folder')
