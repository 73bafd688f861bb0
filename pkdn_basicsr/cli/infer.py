"""`basicsr infer`: enlarge pictures of faces, or the faces in photographs, with a trained network."""

import argparse
import sys
from pathlib import Path

import torch

from pkdn_basicsr.cli.arguments import add_weights_arguments, positive
from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.files import make_result_folder
from pkdn_basicsr.infer.inputs import plan_tasks
from pkdn_basicsr.infer.picture_file import FORMATS
from pkdn_basicsr.infer.run import Enlarger, Outcome
from pkdn_basicsr.infer.upscaler import FaceUpscaler


def run(arguments: list[str]) -> int:
    """Enlarge the pictures named on the command line.

    Returns:
        The exit status: 0 done, 1 a picture gave no result, 130 interrupted.
    """
    args = _parse(arguments)
    output = args.output.expanduser()
    tasks = plan_tasks(args.input, output, args.format, args.compare, args.overwrite)
    upscaler = FaceUpscaler(args.weights, args.device, opt=args.opt, scale=args.scale, self_ensemble=args.self_ensemble)
    detector = FaceDetector(args.detector) if args.photo else None
    make_result_folder(output, '-o')
    outcome = Outcome()
    try:
        # photographs wait for nothing: each is large
        Enlarger(upscaler, args.format, 1 if args.photo else args.batch, args.shrink, detector).run(tasks, outcome)
    except KeyboardInterrupt:
        print(f'interrupted; whole in {output.absolute()}: {_number(outcome.written, "result")}', file=sys.stderr)
        return 130
    _report(outcome, len(tasks), output, upscaler.scale)
    if args.photo:
        _report_faces(outcome)
    return 1 if outcome.errors else 0


def _report(outcome: Outcome, count: int, output: Path, scale: int) -> None:
    print(f'{outcome.written} of {_number(count, "picture")} enlarged x{scale}, in {output.absolute()}')
    if outcome.errors:
        print(f'{_number(len(outcome.errors), "picture")} gave no result:', file=sys.stderr)
    for path, reason in outcome.errors.items():
        print(f'  {path}: {reason}', file=sys.stderr)


def _report_faces(outcome: Outcome) -> None:
    print(f'{_number(outcome.faces, "face")} super-resolved, {outcome.too_large} too large for it and left as bicubic '
          'makes them')
    for path in outcome.without_face:
        print(f'no face found: {path}')


def _number(number: int, noun: str) -> str:
    return f'{number} {noun}{"s" * (number != 1)}'


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='basicsr infer', description=__doc__)
    parser.add_argument('-i', '--input', nargs='+', required=True, metavar='FILE|DIR|GLOB',
                        help='small pictures of one face each, of any size; folders with all their sub-folders')
    parser.add_argument('-o', '--output', type=Path, required=True, metavar='DIR',
                        help='folder of the results, which keep names and sub-folders')
    add_weights_arguments(parser)
    parser.add_argument('--photo', action='store_true',
                        help='the pictures are photographs: find all faces, super-resolve them and put them back')
    parser.add_argument('--detector', metavar='ONNX', help='YuNet model that finds the faces, for --photo')
    parser.add_argument('--shrink', type=positive, metavar='SIDE',
                        help='first shrink pictures whose longer side is longer to so many pixels: for faces that are '
                             'large but blurred, and photographs whose result would be too large')
    parser.add_argument('--compare', action='store_true',
                        help='also write NAME_compare: the picture, by bicubic, and the result')
    parser.add_argument('--self-ensemble', action='store_true', help='average with the mirrored result: twice the time')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
                        help='where the network runs (default here: %(default)s)')
    parser.add_argument('--batch', type=positive, default=8, metavar='N',
                        help='faces of one size that the network is given at once (default: %(default)s)')
    parser.add_argument('--format', choices=FORMATS, default='png', help='of the results (default: %(default)s)')
    parser.add_argument('--overwrite', action='store_true', help='replace results of an earlier run')
    args = parser.parse_args(arguments)
    if args.photo != bool(args.detector):
        parser.error('--photo and --detector FILE go together; a YuNet model is face_detection_yunet_2023mar.onnx of '
                     "OpenCV's model zoo")
    return args
