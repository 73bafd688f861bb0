"""A trained network from a file of weights, built as the file, an option file or the weights themselves tell."""

import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from pkdn_basicsr.archs.from_state_dict import is_student, student_arguments
from pkdn_basicsr.errors import MissingError, UsageError
from pkdn_basicsr.host.checkpoint.weights_file import read_weights
from pkdn_basicsr.host.checkpoint.weights_mismatch import explain_mismatch
from pkdn_basicsr.host.option_check.components import check_components
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.models.prior import takes_parsing
from pkdn_basicsr.report.network import build_untrained, without_files
from pkdn_basicsr.weights.card import Card, card_from_metadata, hash_of_weights, read_metadata
from pkdn_basicsr.weights.shipped import BASELINES, STUDENTS, shipped_weights

_HR_SIZE = 128  # side of the faces of all published ×8 work; taken where nothing says otherwise
_SUFFIXES = ('.safetensors', '.pth', '.pt')


def load_trained(weights: str | Path | None = None, opt: str | Path | None = None, scale: int | None = None) \
        -> tuple[nn.Module, Card]:
    """Load a network that takes the low-resolution face alone, for use.

    What it is built with comes from the option file if there is one, else from the metadata that `basicsr export` has
    written, else, for a `PKDNStudent`, from the shapes of its weights.

    Args:
        weights: `.safetensors`, or a checkpoint of training (its averaged weights, where it has them), or the name of a
            shipped network. Default: the shipped student of `scale`.
        opt: Option file whose `network_g` it is.
        scale: The expected enlargement. Default: that of the weights; 8 without `weights`.

    Returns:
        The network in eval mode, frozen, in float32, on the CPU; and what is known of it.

    Raises:
        UsageError: No such file, damaged weights, weights of another network, another scale, or nothing that tells
            what network it is.

    Example:
        >>> net, card = load_trained('pkdn_student_small_x8')
        >>> type(net).__name__, card.network['num_feat'], card.scale, card.lq_size
        ('PKDNStudent', 16, 8, 16)
    """
    path = _find(weights, scale)
    state, card = _read(path)
    if opt is not None:
        card = _card_of_options(str(opt), path, card)
    elif card is None:
        card = _card_of_weights(state, path)
    if scale not in (None, card.scale):
        raise UsageError(f'--scale: {path} enlarges {card.scale} times, found {scale}; leave --scale out, or give '
                         'weights of that scale')
    return _build(card, state, path), card


def _find(weights: str | Path | None, scale: int | None) -> str:
    if weights is None or str(weights) in STUDENTS | BASELINES:
        return str(shipped_weights(weights and str(weights), scale or 8))
    path = os.path.abspath(os.path.expanduser(weights))
    if not os.path.isfile(path):
        if os.sep not in str(weights) and not os.path.splitext(path)[1]:
            shipped_weights(str(weights))  # says which names there are
        raise MissingError(f'--weights: no such file: {path}')
    if os.path.splitext(path)[1].lower() not in _SUFFIXES:
        raise UsageError(f'--weights: expected a file {", ".join(_SUFFIXES)}, found {path}')
    return path


def _read(path: str) -> tuple[dict[str, Tensor], Card | None]:
    """Return the weights in float32, and the card of a file that has one."""
    is_safetensors = path.lower().endswith('.safetensors')
    try:
        state, _ = read_weights(path, None if is_safetensors else 'params_ema')
        metadata = read_metadata(path) if is_safetensors else {}
        if 'scheme' in metadata:
            raise UsageError('these are the weights of a face parser; give those of a student')
        card = card_from_metadata(metadata) if 'network' in metadata else None
        if card and hash_of_weights(state) != metadata.get('sha256'):
            raise UsageError('the weights are not those that its metadata tell of (sha256); the file was changed or is '
                             'damaged: export it again')
    except UsageError as error:
        raise UsageError(f'{path}: {error}') from error.__cause__
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}, card


def _card_of_options(opt_path: str, path: str, stored: Card | None) -> Card:
    opt = read_option_file(opt_path)
    if 'network_g' not in opt:
        raise UsageError(f'--opt: {opt_path} has no network_g')
    check_components({'network_g': opt['network_g']})
    scale = opt.get('scale') or _scale_of(opt['network_g'])
    if not isinstance(scale, int):
        raise UsageError(f'--opt: {opt_path} has no scale, a whole number; add it')
    sizes = [dataset['gt_size'] // scale for dataset in (opt.get('datasets') or {}).values() if dataset.get('gt_size')]
    known = {'protocol': stored.protocol, 'licence': stored.licence} if stored else {}
    return Card(without_files(opt['network_g']), scale, sizes[0] if sizes else max(_HR_SIZE // scale, 1), **known)


def _scale_of(network: Mapping) -> object:
    return network.get('scale', network.get('upscale'))


def _card_of_weights(state: dict[str, Tensor], path: str) -> Card:
    if not is_student(state):
        raise UsageError(f'{path}: these are not the weights of a PKDNStudent, and the file does not say of what; name '
                         'the option file of its training: --opt FILE')
    arguments = student_arguments(state)
    return Card({'type': 'PKDNStudent', **arguments}, arguments['scale'], max(_HR_SIZE // arguments['scale'], 1))


def _build(card: Card, state: dict[str, Tensor], path: str) -> nn.Module:
    try:
        check_components({'network_g': card.network})  # a file could name anything
        net = build_untrained(card.network)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f'{path}: its network cannot be built: {" ".join(str(error).split())[:300]}') from None
    if takes_parsing(net):
        raise UsageError(f'{path}: {type(net).__name__} needs a parsing map beside the face, which nobody has of a '
                         'low-resolution one; give the weights of a student')
    try:
        net.load_state_dict(state)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f'{path} does not fit {type(net).__name__}: {explain_mismatch(net, state, error)}') from None
    return net.eval().requires_grad_(False)
