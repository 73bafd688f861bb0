"""Face parsers from files: the shipped one, one's own, or anybody's as ONNX."""

import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from pkdn_basicsr.archs.face_parser_arch import FaceParser
from pkdn_basicsr.data.parsing_labels import ParsingScheme, get_scheme
from pkdn_basicsr.errors import MissingError, UsageError
from pkdn_basicsr.host.checkpoint.weights_file import read_weights
from pkdn_basicsr.weights.facexlib_parser import FacexlibParser, is_facexlib_parser
from pkdn_basicsr.weights.onnx_parser import OnnxParser

SHIPPED_FACE_PARSER = Path(__file__).with_name('face_parser-ba24c33a.safetensors')
"""Trained by options/face_parser.yml; the name ends with the first digits of its SHA-256."""


def load_face_parser(path: str | None = None, scheme: str | None = None, normalization: str = 'unit') \
        -> tuple[nn.Module, ParsingScheme]:
    """Load a network of faces to class scores, for `predict_parsing`.

    Args:
        path: `.safetensors` as shipped here, `.pth` as `basicsr train -opt options/face_parser.yml` leaves it (the
            averaged weights are taken), `.pth` of a BiSeNet or ParseNet (see `FacexlibParser`), or `.onnx` (see
            `OnnxParser`). Default: the shipped parser.
        scheme: Class scheme of the network's scores. A `.safetensors` file and a BiSeNet or ParseNet know their own;
            that of another `.pth` file is celebamask_hq unless said; that of an `.onnx` file must be said.
        normalization: Of an `.onnx` parser's input, see `OnnxParser`.

    Returns:
        The network, frozen, in eval mode and on the CPU: (B, 3, H, W), RGB in [0, 1] -> (B, K, h, w); and the scheme of
        its K classes.

    Raises:
        UsageError: A missing or damaged file, weights of another network, a scheme of another number of classes, or a
            normalization for a network that has its own.

    Example:
        >>> import torch
        >>> net, scheme = load_face_parser()
        >>> scheme.name, tuple(net(torch.rand(1, 3, 128, 128)).shape)
        ('celebamask_hq', (1, 19, 128, 128))
    """
    path = os.path.abspath(os.path.expanduser(path or SHIPPED_FACE_PARSER))
    readers = {'.safetensors': _load_safetensors, '.pth': _load_checkpoint, '.onnx': _load_onnx}
    reader = readers.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise UsageError(f'face parser: expected a file {", ".join(readers)}, found {path}')
    if not os.path.isfile(path):
        raise MissingError(f'face parser: no such file: {path}')
    if normalization != 'unit' and reader is not _load_onnx:
        raise UsageError(f"normalization '{normalization}': only an .onnx face parser takes one, {path} has its own; "
                         'leave it out')
    net, scheme = reader(path, scheme, normalization)
    found = get_scheme(scheme)
    if net.num_classes not in (found.num_classes, None):
        raise UsageError(f'{path}: the face parser has {net.num_classes} classes, but the scheme {found.name} has '
                         f'{found.num_classes}; name the scheme that it was trained with')
    return net.eval().requires_grad_(False), found


def _load_safetensors(path: str, scheme: str | None, normalization: str) -> tuple[FaceParser, str]:
    try:
        with safe_open(path, framework='pt') as file:
            stored = (file.metadata() or {}).get('scheme')
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError) as error:
        raise UsageError(f'{path} is no safetensors file, or is damaged: {error}') from None
    if stored is None or scheme not in (stored, None):
        raise UsageError(f'{path}: expected the metadata scheme: {scheme or "..."} of a face parser, found {stored}')
    return _rebuild(state, path), stored


def _load_checkpoint(path: str, scheme: str | None, normalization: str) -> tuple[nn.Module, str]:
    try:
        state, _ = read_weights(path, 'params_ema')
    except UsageError as error:
        raise UsageError(f'{path}: {error}') from error.__cause__
    if is_facexlib_parser(state):
        return _load_facexlib(state, path, scheme)
    return _rebuild(state, path), scheme or 'celebamask_hq'


def _load_facexlib(state: dict[str, Tensor], path: str, scheme: str | None) -> tuple[FacexlibParser, str]:
    try:
        net = FacexlibParser(state)
    except RuntimeError:
        raise UsageError(f'{path}: these are not the whole weights of a BiSeNet or ParseNet; get the '
                         'file again') from None
    if scheme not in (net.scheme, None):
        raise UsageError(f'{path}: expected a face parser of the scheme {scheme}, found one of {net.scheme}')
    return net, net.scheme


def _load_onnx(path: str, scheme: str | None, normalization: str) -> tuple[OnnxParser, str]:
    if scheme is None:
        raise UsageError(f'{path}: an ONNX face parser does not say what its classes are; name their scheme, such as '
                         'face_parsing for the BiSeNet of face-parsing.PyTorch')
    return OnnxParser(path, normalization), scheme


def _rebuild(state: dict[str, Tensor], path: str) -> FaceParser:
    try:
        return FaceParser.from_state_dict(state)
    except (KeyError, RuntimeError, ValueError):
        raise UsageError(f'{path}: these are not the weights of a FaceParser; give a file that '
                         'options/face_parser.yml has trained') from None
