"""Weights of finished trainings as the files that the package ships."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from plan import Run

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.export.export import export
from pkdn_basicsr.models.prior import takes_parsing
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.weights.shipped import is_shipped
from pkdn_basicsr.weights.trained_network import load_trained

_FOLDER = Path('pkdn_basicsr/weights')
_LICENCE = 'non-commercial research only (trained on CelebA-HQ)'
_PROTOCOL = 'CelebA-HQ framing, crops of 82 to 100 % resized to 128x128 and PIL bicubic to 16x16'


def ship(runs: Iterable[Run], folder: Path) -> None:
    """Write the weights of what is finished, has a name to ship them by and is not shipped yet.

    Prints what `shipped.py` must know of them. Teachers are left out: their files are not made for use.

    Args:
        runs: The plan.
        folder: Where their option files lie.
    """
    for run in runs:
        if run.weights and run.is_finished and not is_shipped(run.weights) and not _is_teacher(run):
            print(f"    '{run.weights}': '{_export(run, folder / 'options' / f'{run.name}.yml').name}',", flush=True)


def _is_teacher(run: Run) -> bool:
    return takes_parsing(build_untrained(run.opt['network_g']))


def _export(run: Run, option_file: Path) -> Path:
    """Write weights, of half precision where that is enough, to a file named by the first digits of its SHA-256."""
    net, card = load_trained(run.checkpoint, option_file)
    card = replace(card, protocol=_PROTOCOL, licence=_LICENCE)
    unnamed = _FOLDER / f'{run.weights}.safetensors'
    try:
        export(net, card, 'safetensors', unnamed, half=True)
    except UsageError:  # SFMNet computes phases, which jump
        export(net, card, 'safetensors', unnamed)
    return unnamed.rename(_FOLDER / f'{run.weights}-{hashlib.sha256(unnamed.read_bytes()).hexdigest()[:8]}.safetensors')
