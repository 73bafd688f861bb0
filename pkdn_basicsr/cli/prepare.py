"""`basicsr prepare KIND ...`: make a data set."""

import argparse
import sys
from pathlib import Path

from pkdn_basicsr.cli import VERBS
from pkdn_basicsr.cli.arguments import path
from pkdn_basicsr.cli.prepare_kinds import KINDS
from pkdn_basicsr.data.pairing import count_unread
from pkdn_basicsr.data.prepare.job import Result, describe, prepare
from pkdn_basicsr.data.prepare.parallel import default_workers


def run(argv: list[str]) -> int:
    """Make the data set named on the command line.

    Args:
        argv (list[str]): What follows `basicsr prepare`.

    Returns:
        The exit status: 0 done, 1 no picture gave a face, 130 interrupted.
    """
    args = _parser().parse_args(argv)
    plan = args.plan(args)
    if plan.root:
        _note_unread(plan.root)
    if args.dry_run:
        counts = ', '.join(f'{count} {name}' for name, count in describe(plan, args.dst).items())
        print(f'would write to {args.dst.absolute()}: {counts}; nothing was written')
        return 0
    try:
        result = prepare(plan, args.dst, args.workers, args.lmdb)
    except KeyboardInterrupt:
        print('interrupted; what is finished stays: the same command goes on from here', file=sys.stderr)
        return 130
    _report(result, args.dst)
    return 0 if result.faces else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='basicsr prepare', description=VERBS['prepare'])
    kinds = parser.add_subparsers(metavar='KIND', required=True)
    for name, (text, add_options, plan) in KINDS.items():
        kind = kinds.add_parser(name, help=text, description=text)
        add_options(kind)
        kind.add_argument('--dst', type=path, required=True, help='folder to write to: new, empty, or one that the '
                          'same command has begun')
        kind.add_argument('--workers', type=int, default=default_workers(), help='processes at most (default: '
                          '%(default)s)')
        kind.add_argument('--lmdb', action='store_true', help="also write the pictures as BasicSR's LMDBs")
        kind.add_argument('--dry-run', action='store_true', help='say what would be done, and write nothing')
        kind.set_defaults(plan=plan)
    return parser


def _note_unread(root: Path) -> None:
    if unread := count_unread(str(root)):
        kinds = ', '.join(f'{count} {suffix}' for suffix, count in unread.items())
        print(f'{root}: pictures of these kinds are not read, and left out: {kinds}; save them as PNG or JPEG to have '
              'them in the set', file=sys.stderr)


def _report(result: Result, dst: Path) -> None:
    print(f'{result.faces} faces in {dst.absolute()}; {result.kept} of {result.made + result.kept} pictures were done '
          'before; manifest.json tells the origin of each')
    if result.skipped:
        print(f'{result.skipped} pictures gave no face: skipped.csv tells why')
