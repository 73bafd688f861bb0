"""Train PKDN and the networks it is compared with on the same faces, and compare them: see scripts/reproduce.sh."""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from comparison import compare, compare_variants
from faces import EXTRA, OFFICIALS, TEST, check_there, join_training_faces
from plan import VARIANTS, read_plan, read_variants, with_needed
from ship import ship
from training import Trainings

from pkdn_basicsr.cli.arguments import positive
from pkdn_basicsr.errors import UsageError

DATA = Path('datasets/reproduce')


def main() -> int:
    args = _parse()
    if not args.ship:
        check_there(for_training=not args.compare)
        if not args.compare:
            _make_training_faces()
        _make_test_faces(args.detector)
    folder = Path('results', 'reproduce_small' if args.small else 'reproduce')
    groups = read_variants(args.variants, args.small) if args.variants else {'': read_plan(args.small)}
    if args.compare:
        groups = {network: [run for run in group if run.tested] for network, group in groups.items()}
    wished = [run for group in groups.values() for run in group if args.only is None or run.network in args.only]
    trainings = Trainings(with_needed(wished), folder, args.jobs)
    if args.ship:
        ship(wished, folder)
    elif not args.compare and not trainings.go_on(args.minutes and 60 * args.minutes):
        print('The time is over; the same command goes on.')
    elif args.variants and args.only is None:
        compare_variants(args.variants, groups, folder)
    elif args.only is None:
        compare([run for run in wished if run.is_compared], folder)
    return 0


def _make_training_faces() -> None:
    """Make those faces and maps that are not there yet."""
    _prepare('extra_maps', 'parse', '--src', EXTRA / 'images')
    join_training_faces(DATA / 'extra_maps' / 'parsing', DATA / 'joined')
    _prepare('faces', 'aligned', '--src', DATA / 'joined/images', '--parsing', DATA / 'joined/parsing', '--size', '160',
             '--lmdb')


def _make_test_faces(detector: str) -> None:
    """The same of those that networks are compared on."""
    _prepare('test_maps', 'parse', '--src', TEST / 'HR')
    _prepare('officials', 'folder', '--src', OFFICIALS / 'images', '--crop', 'dic', '--detector', detector)
    _prepare('officials_maps', 'parse', '--src', DATA / 'officials/images')


def _prepare(name: str, *arguments: str | Path) -> None:
    if not (DATA / name / 'manifest.json').is_file():  # which is written last
        subprocess.run(['basicsr', 'prepare', *arguments, '--dst', DATA / name], check=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='scripts/reproduce.sh', description=__doc__)
    parser.add_argument('--small', action='store_true', help='for a CPU: every network a quarter as wide, 2,000 '
                        'iterations of batch 8')
    parser.add_argument('--jobs', type=positive, default=1, help='trainings at a time (default: %(default)s)')
    parser.add_argument('--minutes', type=positive, help='stop after so long; the same command goes on')
    kinds = parser.add_mutually_exclusive_group()
    for kind, path in VARIANTS.items():
        kinds.add_argument(f'--{kind}', dest='variants', action='store_const', const=kind,
                           help=f'the variants of {path.name}, compared on the validation faces alone')
    parser.add_argument('--only', nargs='+', metavar='NETWORK', help='train these and what they need, and compare '
                        'nothing')
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument('--compare', action='store_true', help='train nothing, compare what is finished, and the '
                         'shipped weights of what is not')
    instead.add_argument('--ship', action='store_true', help='train and compare nothing, write the weights of what is '
                         'finished to pkdn_basicsr/weights')
    parser.add_argument('--detector', default='weights/yunet_n_640_640.onnx', metavar='ONNX', help='YuNet model, which '
                        'finds the faces of the other domain (default: %(default)s)')
    return parser.parse_args()


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # those under way save
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit('interrupted; the same command goes on')
    except UsageError as error:
        sys.exit(f'error: {error}')
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
