"""Arguments that several commands have."""

import argparse
from pathlib import Path


def add_weights_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--weights`, `--opt` and `--scale`, which tell the trained network as `load_trained` takes it."""
    parser.add_argument('--weights', metavar='FILE|NAME',
                        help='.safetensors, checkpoint of training or name of a shipped network (default: the shipped '
                             'student of that scale)')
    parser.add_argument('--opt', metavar='FILE',
                        help='option file of its training, for weights that do not say what network they are of')
    parser.add_argument('--scale', type=positive, help='enlargement (default: that of the weights; 8 without)')


def positive(text: str) -> int:
    """Read a whole number above 0, as argparse's `type`."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f'expected a whole number above 0, found {text}')
    return int(text)


def path(text: str) -> Path:
    """Read a path in which `~` is the home folder also behind `=`, where no shell sees it."""
    return Path(text).expanduser()
