"""The kinds of `basicsr prepare`: what each is asked on the command line. A new kind is two functions and a line."""

import argparse
from pathlib import Path

from pkdn_basicsr.cli.arguments import between, path, positive
from pkdn_basicsr.data.celeba_hq_crop import FRAMINGS
from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.data.parsing_labels import SCHEMES
from pkdn_basicsr.data.prepare.aligned import plan_aligned
from pkdn_basicsr.data.prepare.celeba import PICTURES, plan_celeba
from pkdn_basicsr.data.prepare.celebamask_hq import plan_celebamask_hq
from pkdn_basicsr.data.prepare.folder import plan_folder
from pkdn_basicsr.data.prepare.helen import plan_helen
from pkdn_basicsr.data.prepare.parse import plan_parse
from pkdn_basicsr.data.prepare.recipe import SPLITS, Plan, Sizes
from pkdn_basicsr.data.prepare.toy import plan_toy
from pkdn_basicsr.files import sha256_of_file
from pkdn_basicsr.weights.face_labeller import FaceLabeller
from pkdn_basicsr.weights.face_parser import SHIPPED_FACE_PARSER
from pkdn_basicsr.weights.onnx_parser import NORMALIZATIONS


def _add_sizes(parser: argparse.ArgumentParser, size: int) -> None:
    parser.add_argument('--size', type=int, default=size, help='side of the high-resolution pictures in pixels '
                        '(default: %(default)s)')
    parser.add_argument('--scale', type=int, nargs='*', default=[], help='also write low-resolution pictures, such as '
                        '--scale 4 8 16 (default: none; the data set then makes the same ones when it reads a picture)')


def _add_source(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument('--src', type=path, required=True, help=text)


def _add_lists(parser: argparse.ArgumentParser) -> None:
    for split in SPLITS:
        parser.add_argument(f'--{split}-list', type=Path, metavar='FILE', help=f'names of the {split} part, one a '
                            'line; with any of these lists, pictures on none of them are left out')


def _sizes(args: argparse.Namespace) -> Sizes:
    return Sizes(args.size, tuple(args.scale))


def _lists(args: argparse.Namespace) -> dict[str, Path]:
    return {split: path for split in SPLITS if (path := getattr(args, f'{split}_list'))}


def _add_celebamask_hq(parser: argparse.ArgumentParser) -> None:
    _add_source(parser, 'the folder CelebAMask-HQ, with CelebA-HQ-img and CelebAMask-HQ-mask-anno')
    _add_sizes(parser, 512)


def _plan_celebamask_hq(args: argparse.Namespace) -> Plan:
    return plan_celebamask_hq(args.src, _sizes(args))


def _add_celeba(parser: argparse.ArgumentParser) -> None:
    _add_source(parser, 'folder that CelebA was unpacked to; its lists may lie in Anno and Eval, pictures in Img')
    parser.add_argument('--crop', choices=PICTURES, default='dic', help='dic: squares around the boxes of the faces in '
                        'the pictures as they were taken; first18000: the centre of the aligned pictures, the first '
                        '18,000 for training (default: %(default)s)')
    parser.add_argument('--pictures', metavar='FOLDER', help='folder of the pictures below --src (default: the one '
                        'that CelebA has for this crop)')
    parser.add_argument('--boxes', type=Path, metavar='FILE', help="list of 'name x y width height' for the crop dic "
                        "(default: CelebA's own)")
    _add_lists(parser)
    _add_sizes(parser, 128)


def _plan_celeba(args: argparse.Namespace) -> Plan:
    return plan_celeba(args.src, _sizes(args), args.crop, args.pictures, args.boxes, _lists(args))


def _add_helen(parser: argparse.ArgumentParser) -> None:
    _add_source(parser, 'folder of SmithCVPR2013_dataset_original or _resized, with images and labels')
    _add_sizes(parser, 128)


def _plan_helen(args: argparse.Namespace) -> Plan:
    return plan_helen(args.src, _sizes(args))


def _add_folder(parser: argparse.ArgumentParser) -> None:
    _add_source(parser, 'folder of photographs, subfolders included')
    parser.add_argument('--detector', type=Path, required=True, metavar='FILE', help='YuNet model, an ONNX file: '
                        "face_detection_yunet_2023mar.onnx of OpenCV's model zoo")
    parser.add_argument('--score', type=between(0, 1), default=0.6, help="the detector's least confidence (default: "
                        '%(default)s)')
    parser.add_argument('--crop', choices=FRAMINGS, default='celeba-hq', help='how much a picture shows: as CelebA-HQ, '
                        'or tighter, as the CelebA test set of DIC (default: %(default)s)')
    parser.add_argument('--min-side', type=int, metavar='PIXELS', help='leave out faces whose crop is smaller than '
                        'this in the photograph (default: --size, so that none is enlarged)')
    parser.add_argument('--max-outside', type=float, default=0.3, metavar='SHARE', help='leave out faces of whose crop '
                        'more than this share lies outside the photograph (default: %(default)s)')
    _add_sizes(parser, 128)


def _plan_folder(args: argparse.Namespace) -> Plan:
    detector = FaceDetector(args.detector, args.score)
    return plan_folder(args.src, _sizes(args), detector, args.crop, args.min_side, args.max_outside)


def _add_aligned(parser: argparse.ArgumentParser) -> None:
    _add_source(parser, 'folder of faces that are cropped already, subfolders included')
    parser.add_argument('--parsing', type=path, metavar='FOLDER', help='folder of their parsing maps, of the same '
                        'names')
    parser.add_argument('--scheme', choices=SCHEMES, default='celebamask_hq', help='class scheme of the maps (default: '
                        '%(default)s)')
    _add_lists(parser)
    _add_sizes(parser, 128)


def _plan_aligned(args: argparse.Namespace) -> Plan:
    return plan_aligned(args.src, _sizes(args), args.parsing, args.scheme, _lists(args))


def _add_parse(parser: argparse.ArgumentParser) -> None:
    _add_source(parser, 'folder of aligned faces, subfolders included')
    parser.add_argument('--parser', default=str(SHIPPED_FACE_PARSER), metavar='FILE', help='.pth of '
                        'options/face_parser.yml, of a BiSeNet or of a ParseNet, or .onnx (default: the shipped one)')
    parser.add_argument('--parser-scheme', choices=SCHEMES, help='class scheme of an .onnx parser')
    parser.add_argument('--parser-input', choices=NORMALIZATIONS, default='unit', help='values that an .onnx parser '
                        'takes (default: %(default)s, [0, 1])')
    parser.add_argument('--parser-size', type=positive, metavar='PIXELS', help='side of the face that the parser sees '
                        '(default: what it was trained with)')
    parser.add_argument('--scheme', choices=SCHEMES, help="class scheme of the maps (default: the parser's)")
    parser.add_argument('--confidence', action='store_true', help='also write how sure the parser is, as grey pictures')
    parser.add_argument('--low-confidence', type=between(0, 1), default=0.9, metavar='VALUE', help='list the faces '
                        'whose mean confidence is below this (default: %(default)s)')


def _plan_parse(args: argparse.Namespace) -> Plan:
    labeller = FaceLabeller(args.parser, args.parser_scheme, args.parser_input, args.parser_size)
    digest = sha256_of_file(Path(args.parser).expanduser())
    return plan_parse(args.src, labeller.label, labeller.parsing_scheme.name,
                      {'parser_sha256': digest, 'parser_input': args.parser_input, 'parser_size': labeller.input_size},
                      args.scheme, args.confidence, args.low_confidence)


def _add_toy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--num', type=int, required=True, help='number of faces')
    parser.add_argument('--seed', type=int, required=True, help='which faces; a longer set begins with the shorter one')
    parser.add_argument('--num-val', type=int, help='the last ones, for validation (default: an eighth)')
    _add_sizes(parser, 160)


def _plan_toy(args: argparse.Namespace) -> Plan:
    return plan_toy(args.num, args.seed, _sizes(args), args.num_val)


KINDS = {
    'celebamask-hq': ('faces and parsing maps of CelebAMask-HQ', _add_celebamask_hq, _plan_celebamask_hq),
    'celeba': ('faces of CelebA, cropped as in DIC or as in FSRNet', _add_celeba, _plan_celeba),
    'helen': ('faces and parsing maps of Helen', _add_helen, _plan_helen),
    'folder': ("faces of anyone's photographs, found and aligned", _add_folder, _plan_folder),
    'aligned': ('faces that are cropped already, in other sizes', _add_aligned, _plan_aligned),
    'parse': ('parsing maps for faces that have none', _add_parse, _plan_parse),
    'toy': ('drawn faces with exact parsing maps, for tests and a first run', _add_toy, _plan_toy),
}
"""Name -> what it makes, the function that adds its options, and the one that makes a plan from them."""
