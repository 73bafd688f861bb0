"""`basicsr prepare WHAT ...`: make a data set. Each kind is a subcommand: two functions and a line in `_KINDS`."""

import argparse
from pathlib import Path

from pkdn_basicsr.cli import VERBS
from pkdn_basicsr.data.toy_faces import write_toy_faces


def run(argv: list[str]) -> int:
    """Make the data set named on the command line.

    Args:
        argv (list[str]): What follows `basicsr prepare`.

    Returns:
        The exit status, 0.
    """
    parser = argparse.ArgumentParser(prog='basicsr prepare', description=VERBS['prepare'])
    kinds = parser.add_subparsers(metavar='WHAT', required=True)
    for name, (text, add_options, prepare) in _KINDS.items():
        kind = kinds.add_parser(name, help=text, description=text)
        add_options(kind)
        kind.set_defaults(prepare=prepare)
    args = parser.parse_args(argv)
    args.prepare(args)
    return 0


def _add_toy_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--dst', type=Path, required=True, help='folder to write to: new, empty or unfinished')
    parser.add_argument('--num', type=int, required=True, help='number of faces')
    parser.add_argument('--seed', type=int, required=True, help='which faces; a longer set begins with the shorter one')
    parser.add_argument('--size', type=int, default=160, help='side of a picture in pixels (default: %(default)s)')
    parser.add_argument('--num-val', type=int, help='the last ones, for validation (default: an eighth)')
    parser.add_argument('--workers', type=int, help='processes to draw with at most (default: CPU cores, up to 8)')


def _prepare_toy(args: argparse.Namespace) -> None:
    write_toy_faces(args.dst, args.num, args.seed, args.size, args.num_val, args.workers)
    print(f'{args.num} faces in {args.dst.absolute()}: images/, parsing/ (CelebAMask-HQ classes), split_train.txt, '
          'split_val.txt')


_KINDS = {
    'toy': ('draw faces with exact parsing maps, for tests and a first run', _add_toy_options, _prepare_toy),
}
