"""`basicsr options`: list the shipped option files, or copy them to where they can be edited."""

import argparse
from pathlib import Path

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import make_result_folder, write_whole

_PACKAGE = Path(__file__).parents[1]
_KINDS = ('.yml', '.md', '.py')


def run(arguments: list[str]) -> int:
    """List the option files, or copy them with their guide.

    Returns:
        The exit status, 0.
    """
    args = _parse(arguments)
    folder = _shipped()
    if args.output:
        _copy(folder, args.output.expanduser())
    else:
        _list(folder)
    return 0


def _shipped() -> Path:
    """Return their folder: within an installed package, beside it in a checkout."""
    installed = _PACKAGE / 'options'
    return installed if installed.is_dir() else _PACKAGE.with_name('options')


def _list(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob('*.yml'))}
    width = max(map(len, files))
    print(f'in {folder}; to use and edit them: basicsr options -o options\n')
    for name, path in files.items():
        header = path.read_text(encoding='utf-8').partition('\n')[0]
        print(f'{name:{width}}  {header.removeprefix("# ")}')


def _copy(folder: Path, output: Path) -> None:
    make_result_folder(output, '-o')
    contents = {output / path.relative_to(folder): path.read_bytes()
                for path in sorted(folder.rglob('*')) if path.suffix in _KINDS}
    folders = {path.parent for path in contents}
    altered = [folder for folder in sorted(folders) if folder.exists() and not folder.is_dir()]
    altered += [path for path, content in contents.items()
                if path.exists() and not (path.is_file() and path.read_bytes() == content)]
    if altered:
        raise UsageError(f'-o: {altered[0].absolute()} exists already and is not as shipped; nothing was copied: move '
                         'it away, or name another folder')
    for path, content in contents.items():
        write_whole(path, content)
    print(f'{len(contents)} files in {output.absolute()}; README.md there tells about them')


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='basicsr options', description=__doc__)
    parser.add_argument('-o', '--output', type=Path, metavar='DIR',
                        help='copy them into this folder, with their README; call it options, and the commands in the '
                             'files and in all guides work from the folder around it (default: only list them)')
    return parser.parse_args(arguments)
