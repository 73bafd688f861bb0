"""`basicsr export`: a trained network as ONNX, safetensors or torch.export file."""

import argparse
from dataclasses import replace
from pathlib import Path

from pkdn_basicsr.cli.arguments import add_weights_arguments
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.export.export import FORMATS, export
from pkdn_basicsr.export.onnx_file import OPSET
from pkdn_basicsr.weights.trained_network import load_trained


def run(arguments: list[str]) -> int:
    """Write the file named on the command line."""
    args = _parse(arguments)
    path = args.output.expanduser()
    file_format = path.suffix.removeprefix('.').lower()
    if file_format not in ([args.format] if args.format else FORMATS):  # readers go by it
        suffixes = [f'.{name}' for name in FORMATS if args.format in (name, None)]
        raise UsageError(f'-o: expected a file name that ends with {" or ".join(suffixes)}, found {path.name}')
    if path.exists() and not args.overwrite:
        raise UsageError(f'-o: {path.absolute()} exists already; add --overwrite, or name another file')
    net, card = load_trained(args.weights, args.opt, args.scale)
    stated = {key: value for key in ('licence', 'protocol') if (value := getattr(args, key))}
    card = replace(card, **stated)
    done = export(net, card, file_format, path, args.half)
    opset = f', opset {OPSET}' if file_format == 'onnx' else ''
    print(f'{path.absolute()}: {done.size / 2**20:.2f} MiB{opset}; read again, it differs from the network by at most '
          f'{done.difference:.1e} at three sizes and batches\n'
          f'network: {card.network["type"]}, x{card.scale}; licence: {card.licence}; protocol: {card.protocol}; '
          f'sha256 of the weights: {done.sha256}')
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='basicsr export', description=__doc__)
    add_weights_arguments(parser)
    parser.add_argument('--format', choices=FORMATS, help="(default: by FILE's suffix)")
    parser.add_argument('-o', '--output', type=Path, required=True, metavar='FILE', help='file to write')
    parser.add_argument('--half', action='store_true',
                        help='weights of half the size; ONNX and pt2 files compute in float16, and still take and give '
                             'float32')
    parser.add_argument('--licence', metavar='TEXT', help='under which the weights may be used, for the metadata')
    parser.add_argument('--protocol', metavar='TEXT',
                        help='how the training faces were framed and shrunk, for the metadata')
    parser.add_argument('--overwrite', action='store_true', help='replace an existing file')
    return parser.parse_args(arguments)
