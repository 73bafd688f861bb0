"""`basicsr compare`: several networks on the same faces, as tables and pictures."""

import argparse
from pathlib import Path

from basicsr.utils.dist_util import get_dist_info, init_dist

from pkdn_basicsr.cli.arguments import positive
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import make_result_folder
from pkdn_basicsr.report.compare import compare, make_plan, write_tables
from pkdn_basicsr.report.faces import read_faces
from pkdn_basicsr.report.merge import merge
from pkdn_basicsr.report.options import read_compare_options
from pkdn_basicsr.report.summary import read_summary
from pkdn_basicsr.report.table import comparison_markdown


def run(arguments: list[str]) -> int:
    """Compare the `methods` of an option file on its test sets, or put earlier comparisons together.

    Writes `table.md`, `table.tex`, `table.csv`, `per_image.csv`, `summary.json`, `cost.png` and, where networks run,
    `faces.png`, and prints the table. With several test sets each has a folder of its own.
    """
    args = _parse(arguments)
    if args.earlier:
        _merge(args)
        return 0
    if args.launcher != 'none':
        init_dist(args.launcher)
    plan = make_plan(read_compare_options(args.opt), args.opt, args.reference, args.allow_missing)
    folder = args.output or Path('results') / plan.name
    test_sets = [read_faces(dataset_opt, plan.scale, args.limit) for dataset_opt in plan.datasets]
    for faces in test_sets:
        own_folder = folder if len(test_sets) == 1 else folder / faces.options['name']
        make_result_folder(own_folder, '-o')
        try:
            comparison = compare(plan, faces, own_folder)
        except KeyboardInterrupt:
            if get_dist_info()[0] == 0:
                print(f'\ninterrupted; methods that were finished are kept in {own_folder.absolute()}; the same '
                      'command goes on with the others')
            return 130
        except OSError as error:
            raise UsageError(f'{error.filename or own_folder.absolute()}: {error.strerror or error}; methods that were '
                             f'finished are kept in {own_folder.absolute()}') from None
        if comparison is not None:
            _say(comparison_markdown(comparison), own_folder)
    return 0


def _merge(args: argparse.Namespace) -> None:
    comparison = merge({str(path): read_summary(path) for path in args.earlier}, args.reference)
    folder = args.output or Path('results') / f'{comparison.name}_merged'
    if folder.resolve() in [path.parent.resolve() for path in args.earlier]:
        raise UsageError(f'-o: {folder.absolute()} holds one of the summaries that are read; name another folder')
    make_result_folder(folder, '-o')
    write_tables(comparison, folder)
    _say(comparison_markdown(comparison), folder)


def _say(table: str, folder: Path) -> None:
    files = ', '.join(sorted(path.name for path in folder.iterdir() if path.is_file()))
    print(f'\n{table}\nWritten to {folder.absolute()}: {files}', flush=True)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='basicsr compare', description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('-opt', help='option file with methods, datasets.test and val.metrics')
    source.add_argument('--from', nargs='+', type=Path, dest='earlier', metavar='SUMMARY',
                        help='summary.json of earlier comparisons on the same faces: put them together, run nothing')
    parser.add_argument('-o', '--output', type=Path, help='result folder (default: results/<name>)')
    parser.add_argument('--limit', type=positive, help='use the first N faces only')
    parser.add_argument('--reference', help='method that differences are to (default: the first)')
    parser.add_argument('--allow-missing', action='store_true', help='leave out methods without a checkpoint')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none',
                        help='share the faces among the processes that torchrun or Slurm has started')
    args = parser.parse_args(arguments)
    if args.earlier and (args.limit or args.allow_missing or args.launcher != 'none'):
        parser.error('--from runs nothing: leave out --limit, --allow-missing and --launcher')
    return args
