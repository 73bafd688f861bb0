"""Weights of finished trainings as the files that the package ships."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from plan import Run

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.export.export import export
from pkdn_basicsr.export.weights_file import hash_of_stored, write_weights
from pkdn_basicsr.host.checkpoint.weights_file import read_weights
from pkdn_basicsr.infer.sizes import SizeRule
from pkdn_basicsr.models.prior import takes_parsing
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.weights.card import Card
from pkdn_basicsr.weights.shipped import is_shipped
from pkdn_basicsr.weights.trained_network import load_trained

_FOLDER = Path('pkdn_basicsr/weights')
_LICENCE = 'non-commercial research only (trained on CelebA-HQ)'
_PROTOCOL = 'CelebA-HQ framing, crops of 82 to 100 % resized to 128x128 and PIL bicubic to 16x16'


def ship(runs: Iterable[Run], folder: Path) -> None:
    """Write the weights of what is finished, has a name to ship them by and is not shipped yet.

    Prints what `shipped.py` must know of them.

    Args:
        runs: The plan.
        folder: Where their option files lie.
    """
    for run in runs:
        if run.weights and run.is_finished and not is_shipped(run.weights):
            unnamed = _FOLDER / f'{run.weights}.safetensors'
            if takes_parsing(build_untrained(run.opt['network_g'])):
                _write_teacher(run, unnamed)
            else:
                _export(run, folder / 'options' / f'{run.name}.yml', unnamed)
            digest = hashlib.sha256(unnamed.read_bytes()).hexdigest()
            file = unnamed.rename(_FOLDER / f'{run.weights}-{digest[:8]}.safetensors')
            print(f"    '{run.weights}': '{file.name}',", flush=True)


def _export(run: Run, option_file: Path, unnamed: Path) -> None:
    """Write weights, of half precision where that is enough."""
    net, card = load_trained(run.checkpoint, option_file)
    card = replace(card, protocol=_PROTOCOL, licence=_LICENCE)
    try:
        export(net, card, 'safetensors', unnamed, half=True)
    except UsageError:  # SFMNet computes phases, which jump
        export(net, card, 'safetensors', unnamed)


def _write_teacher(run: Run, unnamed: Path) -> None:
    """Write a teacher's weights in half precision; `export` has no way to try networks that see a map."""
    network, scale = run.opt['network_g'], run.opt['scale']
    net = build_untrained(network)
    net.load_state_dict(read_weights(str(run.checkpoint), 'params_ema')[0])
    card = Card(network, scale, run.opt['datasets']['train']['gt_size'] // scale, _PROTOCOL, _LICENCE)
    metadata = card.metadata(hash_of_stored(net, half=True))
    large = f'{scale} h, {scale} w'
    metadata['layout'] = f'(B, 3, h, w) and one-hot parsing (B, {net.num_classes}, {large}) -> (B, 3, {large})'
    write_weights(unnamed, net, metadata, SizeRule(1, 1), half=True)
