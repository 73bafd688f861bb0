"""Arguments that several commands have."""

import argparse
from collections.abc import Callable
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


def between(low: float, high: float) -> Callable[[str], float]:
    """Return what reads a number from `low` to `high`, as argparse's `type`."""
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float('nan')
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'expected a number from {low:g} to {high:g}, found {text}')
        return value
    return number


def path(text: str) -> Path:
    """Read a path in which `~` is the home folder also behind `=`, where no shell sees it."""
    return Path(text).expanduser()
