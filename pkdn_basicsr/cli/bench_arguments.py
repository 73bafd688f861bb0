"""The command line of `basicsr bench`."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Measure = Callable[[argparse.Namespace, list[str]], None]


def bench_parser(measures: Mapping[str, Measure]) -> argparse.ArgumentParser:
    """Return the parser.

    Args:
        measures: What carries out each kind of measurement; it is left as `measure` in what is parsed.
    """
    parser = argparse.ArgumentParser(prog='basicsr bench', description='How long things take here and now.')
    kinds = parser.add_subparsers(metavar='WHAT', required=True)

    step = _kind(kinds, 'step', measures, 'the training step of option files, part by part, beside a bare PyTorch loop')
    _add_options(step, '+')
    step.add_argument('--train', action='store_true', help='the iterations of basicsr train itself, with its data')
    step.add_argument('--batch', type=_number(1), help='images in a batch (default: as in the file)')
    step.add_argument('--repeats', type=_number(1), default=10, help='timed steps, with --train: of a round '
                      '(default: %(default)s)')
    step.add_argument('--warmup', type=_number(0), default=2, help='steps before that, with --train after those that '
                      'use up what the loader has ready (default: %(default)s)')
    step.add_argument('--rounds', type=_number(1), default=3, help='with --train: how often training and bare loop '
                      'take turns (default: %(default)s)')

    infer = _kind(kinds, 'infer', measures, 'forward passes of networks side by side')
    infer.add_argument('-opt', nargs='*', default=[], metavar='FILE', help='option files')
    infer.add_argument('--networks', nargs='*', default=[], metavar='NAME', help='registered networks with their '
                       'default arguments, 16x16 -> 128x128')
    infer.add_argument('--batch', type=_number(1), nargs='+', default=[1, 8], help='faces in a pass (default: 1 8)')
    infer.add_argument('--compiled', action='store_true', help='also by torch.compile')
    infer.add_argument('--onnx', action='store_true', help="also in ONNX Runtime (extra 'onnx')")
    infer.add_argument('--repeats', type=_number(1), default=11, help='timed passes (default: %(default)s)')
    infer.add_argument('--warmup', type=_number(0), default=2, help='passes before that (default: %(default)s)')
    infer.add_argument('--device', choices=['cpu', 'cuda'], default='cuda' if torch.cuda.is_available() else 'cpu')

    data = _kind(kinds, 'data', measures, "the loader of an option file's training set, by number of workers")
    _add_options(data, 1)
    data.add_argument('--workers', type=_number(0), nargs='+', default=[0, 1, 2, 4], help='(default: 0 1 2 4)')
    data.add_argument('--images', type=_number(1), default=400, help='images of a round (default: %(default)s)')
    data.add_argument('--rounds', type=_number(1), default=5, help='timed rounds (default: %(default)s)')

    growth = _kind(kinds, 'growth', measures, 'what a sample costs in data sets of growing size')
    growth.add_argument('--files', type=_number(1), nargs='+', default=[1000, 10_000, 50_000, 200_000],
                        help='faces of each set (default: 1000 10000 50000 200000)')
    growth.add_argument('--lmdb', action='store_true', help='in LMDBs (3 GB for 200,000), not in folders of links')
    growth.add_argument('--samples', type=_number(1), default=400, help='samples of a round (default: %(default)s)')
    growth.add_argument('--rounds', type=_number(1), default=7, help='timed rounds (default: %(default)s)')

    scale = _kind(kinds, 'scale', measures, 'training steps of several processes, on a processor one thread each')
    _add_options(scale, 1)
    scale.add_argument('--ranks', type=_number(1), nargs='+', default=[1, 2, 4], help='processes (default: 1 2 4)')
    scale.add_argument('--batch', type=_number(1), help='images of a process (default: as in the file)')
    scale.add_argument('--repeats', type=_number(1), default=5, help='timed steps of a start (default: %(default)s)')
    scale.add_argument('--warmup', type=_number(0), default=2, help='steps before that (default: %(default)s)')
    scale.add_argument('--rounds', type=_number(1), default=3, help='starts of each (default: %(default)s)')
    return parser


def _kind(kinds, name: str, measures: Mapping[str, Measure], text: str) -> argparse.ArgumentParser:
    kind = kinds.add_parser(name, help=text, description=f'Measure {text}.')
    kind.add_argument('-o', '--output', type=Path, help=f'result folder (default: results/bench/{name}_<names>)')
    kind.add_argument('--threads', type=_number(1), help="CPU threads (default: torch's own)")
    kind.set_defaults(measure=measures[name])
    return kind


def _add_options(kind: argparse.ArgumentParser, count: int | str) -> None:
    kind.add_argument('-opt', nargs=count, required=True, metavar='FILE', help='option file of a training run')
    kind.add_argument('--force_yml', nargs='+', default=[], metavar='KEY=VALUE', help='options set as in basicsr train')


def _number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f'expected a whole number from {least}, found {text}')
        return int(text)
    return number
