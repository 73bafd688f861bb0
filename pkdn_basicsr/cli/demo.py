"""`basicsr demo`: a page on this machine to try networks on one's own pictures."""

import argparse
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import torch

from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.demo.handlers import Handlers
from pkdn_basicsr.errors import MissingError
from pkdn_basicsr.infer.upscaler import FaceUpscaler
from pkdn_basicsr.weights.face_parser import load_face_parser


def run(arguments: list[str]) -> int:
    """Serve the page until Ctrl-C.

    Returns:
        The exit status, 0.
    """
    args = _parse(arguments)
    if not find_spec('gradio'):
        raise MissingError("basicsr demo needs Gradio; install it with: pip install 'pkdn_basicsr[demo]'")
    from pkdn_basicsr.demo.server import serving  # imports Gradio

    handlers = Handlers(_load(args), *load_face_parser(), FaceDetector(args.detector) if args.detector else None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uploads are deleted then, too
    try:
        with serving(handlers, args.port) as address:
            print(f'the demo is at {address} (this machine only); Ctrl-C ends it', flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        print('ended; uploads and results are deleted')
    return 0


def _load(args: argparse.Namespace) -> dict[str, FaceUpscaler]:
    names = [_name(weights) for weights in args.weights]
    if len(set(names)) < len(names):
        names = args.weights
    return {name or 'shipped student': FaceUpscaler(weights, args.device, opt=args.opt)
            for name, weights in zip(names, args.weights, strict=True)}


def _name(weights: str | None) -> str | None:
    """Return `run/net_g_latest` of a checkpoint where BasicSR writes it, the bare name of any other file."""
    if weights is None:
        return None
    path = Path(weights)
    folder = path.absolute().parent
    return f'{folder.parent.name}/{path.stem}' if folder.name == 'models' else path.stem


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f'expected a port from 1 to 65535, found {text}')
    return int(text)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='basicsr demo', description=__doc__)
    parser.add_argument('--weights', nargs='+', default=[None], metavar='FILE|NAME',
                        help='networks to choose from: .safetensors, checkpoints of training or names of shipped '
                             'networks (default: the shipped student)')
    parser.add_argument('--opt', metavar='FILE',
                        help='option file of its training, for weights that do not say what network they are of; with '
                             'one --weights only')
    parser.add_argument('--detector', metavar='ONNX', help='YuNet model, for whole photographs')
    parser.add_argument('--port', type=_port, default=7860, help='(default: %(default)s)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
                        help='where the networks run (default here: %(default)s)')
    args = parser.parse_args(arguments)
    if args.opt and len(args.weights) > 1:
        parser.error('--opt tells what one network is; give one --weights, or export the others with basicsr export, '
                     'which writes it into the file')
    return args
