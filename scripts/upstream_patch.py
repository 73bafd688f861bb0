"""Makes the pull request to BasicSR: a patch that adds PKDN and its distillation to the source of basicsr 1.4.2.

    python scripts/upstream_patch.py pkdn.patch
    tar xzf basicsr-1.4.2.tar.gz && cd basicsr-1.4.2 && patch -p1 < ../pkdn.patch    # or: git apply ../pkdn.patch

`upstream/table.py` says what goes where; `upstream/files/` holds what BasicSR needs and this package has no use for:
a base class on `SRModel` alone, tests in BasicSR's style and a page of documentation. The rest is read from the package
as it is now, formatted by isort and yapf with BasicSR's setup.cfg and checked by flake8, all three in the versions of
its .pre-commit-config.yaml (which run on Python 3.10 and 3.11). The patch adds files and changes none.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from upstream.old_python import for_old_python
from upstream.pick import OURS, Picker, PickError, apply_edits, read_module, without
from upstream.table import DOCSTRINGS, EDITS, EVERYWHERE, FOREIGN, LEFT_OUT, MODULES, OPTIONS, PARTS

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().with_name('upstream')
HOST = 'basicsr==1.4.2'
TOOLS = ('flake8==3.8.3', 'isort==5.1.4', 'yapf==0.30.0')
"""As BasicSR's .pre-commit-config.yaml names them; their options are those of setup.cfg in its source distribution."""


def main() -> int:
    """Write the patch; 1 where that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('patch', type=Path, help='file to write')
    parser.add_argument('--basicsr', type=Path, help=f'source distribution of {HOST} (default: pip downloads it)')
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = all_files()
            patch = make_patch(files, Path(folder), arguments.basicsr)
        arguments.patch.write_bytes(patch)
    except subprocess.CalledProcessError as error:
        print(f'{" ".join(error.cmd)}\n{(error.stdout + error.stderr).decode()}', file=sys.stderr)
        return 1
    except (PickError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    num_lines = patch.count(b'\n+') - patch.count(b'\n+++ ')
    print(f'{arguments.patch}: {len(files)} new files, {num_lines} lines')
    return 0


def all_files() -> dict[str, str]:
    """Return every file of the pull request by its path in BasicSR's tree, not yet formatted.

    Raises:
        PickError: A rule of the table fits no longer.
    """
    files = {path.relative_to(HERE / 'files').as_posix(): path.read_text(encoding='utf-8')
             for path in sorted((HERE / 'files').rglob('*')) if path.suffix in ('.py', '.md')}
    for source, (path, edits) in OPTIONS.items():
        files[path] = apply_edits(_say_everywhere((ROOT / source).read_text(encoding='utf-8')), edits, source)
    picker = Picker({f'{OURS}.{name}': read_module(_source(name)) for name in MODULES},
                    {f'{OURS}.{name}': path for name, path in MODULES.items()}, ROOT / OURS)
    for path in dict.fromkeys(MODULES.values()):
        files[path] = for_old_python(picker.write(path, DOCSTRINGS.get(path)))
    for path, text in files.items():
        for word in FOREIGN:
            if found := re.search(f'.*{word}.*', text):
                raise PickError(f'{path} has a word that means nothing in BasicSR ({word}): {found.group().strip()}')
    return files


def make_patch(files: dict[str, str], folder: Path, sdist: Path | None) -> bytes:
    """Return the difference that the files make to BasicSR's source.

    Args:
        files: As of `all_files`.
        folder: An empty one to work in.
        sdist: Source distribution of BasicSR, or None to have pip download it.

    Raises:
        subprocess.CalledProcessError: A download failed, or flake8 found something.
    """
    _pip('install', '--target', folder / 'tools', *TOOLS)
    tree = _unpack(sdist or _download(folder), folder)
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text, encoding='utf-8')
    code = [path for path in files if path.endswith('.py')]
    for command in (['isort'], ['yapf', '--in-place'], ['flake8']):
        _run([sys.executable, '-m', *command, *code], tree, PYTHONPATH=str(folder / 'tools'))
    _run(['git', 'add', '--all', '--intent-to-add', *files], tree)
    return _run(['git', '-c', 'core.quotepath=off', 'diff', '--no-ext-diff', '--no-color'], tree)


def _source(name: str) -> str:
    """Return the text of a module of ours as BasicSR shall have it."""
    file = HERE / PARTS[name] if name in PARTS else ROOT / OURS / f'{name.replace(".", "/")}.py'
    text = apply_edits(_say_everywhere(file.read_text(encoding='utf-8')), EDITS.get(name, ()), name)
    for method in LEFT_OUT.get(name, ()):
        text = without(text, method)
    return text


def _say_everywhere(text: str) -> str:
    for pattern, replacement in EVERYWHERE:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def _download(folder: Path) -> Path:
    _pip('download', '--no-deps', '--no-binary', ':all:', '--no-build-isolation', '--dest', folder, HOST)
    return next(folder.glob('*.tar.gz'))


def _unpack(sdist: Path, folder: Path) -> Path:
    """Return the unpacked tree, which is a git repository in which nothing is committed."""
    # by tar, since the safe way of Python's tarfile came with 3.10.12 and 3.11.4 only
    _run(['tar', '-xzf', str(sdist.resolve()), '--no-same-owner'], folder)
    tree = folder / sdist.name.removesuffix('.tar.gz')
    _run(['git', 'init', '--quiet'], tree)
    return tree


def _pip(*arguments: str | Path) -> None:
    _run([sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check', *map(str, arguments)], ROOT)


def _run(command: Sequence[str], cwd: Path, **environment: str) -> bytes:
    """Run a program; git without the settings of whoever runs it."""
    environment = {**os.environ, 'GIT_CONFIG_GLOBAL': os.devnull, **environment}
    return subprocess.run(command, cwd=cwd, env=environment, check=True, capture_output=True).stdout


if __name__ == '__main__':
    sys.exit(main())
