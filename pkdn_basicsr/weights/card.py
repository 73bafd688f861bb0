"""What a file of weights says about itself, so that it can be used without its option file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from safetensors import SafetensorError, safe_open
from torch import Tensor

from pkdn_basicsr.errors import UsageError

NOT_STATED = 'not stated'


@dataclass(frozen=True)
class Card:
    """Facts about a trained network.

    Attributes:
        network: `type` and constructor arguments, as `network_g` of an option file.
        scale: Enlargement.
        lq_size: Side of the low-resolution faces that it was trained on, in pixels.
        protocol: How its training faces were framed and shrunk, or its results measured.
        licence: Under which its weights may be used.
    """

    network: Mapping[str, object]
    scale: int
    lq_size: int
    protocol: str = NOT_STATED
    licence: str = NOT_STATED

    def metadata(self, sha256: str) -> dict[str, str]:
        """Return it as words for a file's metadata.

        Args:
            sha256: `hash_of_weights` of the weights in the file.
        """
        return {
            'network': json.dumps(dict(self.network)),
            'scale': str(self.scale),
            'lq_size': str(self.lq_size),
            'range': '[0, 1], result not clamped',
            'colour_order': 'RGB',
            'layout': f'(B, 3, h, w) -> (B, 3, {self.scale} h, {self.scale} w)',
            'protocol': self.protocol,
            'licence': self.licence,
            'sha256': sha256,
        }


def card_from_metadata(metadata: Mapping[str, str]) -> Card:
    """Return the card that `Card.metadata` has written.

    Raises:
        UsageError: It is incomplete or damaged.
    """
    try:
        network = json.loads(metadata['network'])
        if not isinstance(network, dict):
            raise TypeError(f'network is no mapping: {network}')
        return Card(network, int(metadata['scale']), int(metadata['lq_size']), metadata['protocol'],
                    metadata['licence'])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f'expected metadata as basicsr export writes it, found otherwise ({type(error).__name__}: '
                         f'{error}); export the weights again') from None


def card_of_file(path: str) -> Card:
    """Return the card in a file of weights that `basicsr export` has written.

    Raises:
        UsageError: It has none, or is damaged.
    """
    try:
        metadata = read_metadata(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f'expected a .safetensors file, found none that can be read ({error})') from None
    if 'network' not in metadata:
        raise UsageError('it does not say what network it is of, as files of basicsr export do')
    return card_from_metadata(metadata)


def read_metadata(path: str) -> Mapping[str, str]:
    """Return what a safetensors file says about itself."""
    with safe_open(path, framework='pt') as file:
        return file.metadata() or {}


def hash_of_weights(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and values, whatever the order and the file they lie in."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
