"""Everything that is looked at in one face, in any process; what comes back is small."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image

from pkdn_basicsr.data.crop import centre_square
from pkdn_basicsr.data.dataset_options import stored_scheme
from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics.identity import identity_embedding
from pkdn_basicsr.metrics.landmark_error import truth_face
from pkdn_basicsr.report.check.finding import Finding
from pkdn_basicsr.report.check.low_resolution import Mismatch, compare_with_bicubic
from pkdn_basicsr.report.check.set_files import FaceFiles, SetFiles
from pkdn_basicsr.report.check.sides import sides
from pkdn_basicsr.report.check.similar import Fingerprint, fingerprint
from pkdn_basicsr.report.check.source import Source


class Identity(NamedTuple):
    """How persons are told apart: two ONNX files and what the first was trained with (`metrics/identity.py`)."""

    embedder: str
    detector: str
    normalization: str


@dataclass(frozen=True)
class Rules:
    """What a data set asks of its files, and what to look for.

    Attributes:
        dataset: The set's key in `datasets`.
        scale: Enlargement.
        gt_size: Side of a sample's image; None where images are taken as they are.
        crop: Side, in pixels of the original, of the crop that must fit in; None for the largest square.
        scheme: Class scheme of the maps.
        sources: See `SetFiles`.
        identity: Networks to tell persons apart by; None to leave that out.
    """

    dataset: str
    scale: int
    gt_size: int | None
    crop: int | None
    scheme: str
    sources: dict[str, Source]
    identity: Identity | None = None


@dataclass
class FaceFacts:
    """What was found in one face. What a file did not give is None or missing.

    Attributes:
        face: Its files.
        findings: What is wrong.
        sizes: `image`, `low resolution` and `map` -> width and height.
        fingerprint: Of the image.
        class_pixels: int64 (256,), how many pixels of the map have each index.
        sides: See `sides.sides`.
        low_resolution: `True` where the stored file is PIL bicubic, else how it differs.
        embedding: Of the person, float16, length 1.
    """

    face: FaceFiles
    findings: list[Finding] = field(default_factory=list)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None
    class_pixels: np.ndarray | None = None
    sides: dict[str, bool] = field(default_factory=dict)
    low_resolution: Mismatch | bool | None = None
    embedding: np.ndarray | None = None


def rules_of(files: SetFiles, identity: Identity | None = None) -> Rules:
    """Collect what a data set's options ask of its files."""
    opt = files.opt
    crop_range = opt.get('crop_range') if opt['phase'] == 'train' else None
    crop = crop_range[0] if crop_range else opt.get('val_crop') if opt['phase'] != 'train' else None
    return Rules(files.phase, opt['scale'], opt.get('gt_size'), crop, stored_scheme(opt).name,
                 files.sources, identity)


def look_at(rules: Rules, face: FaceFiles) -> FaceFacts:
    """Read a face's files as training does, and note what is wrong with them."""
    facts = FaceFacts(face)
    scheme = get_scheme(rules.scheme)
    gt = _read(facts, rules, 'image', 'bad_image', face.gt, lambda: rules.sources['dataroot_gt'].picture(face.gt))
    lq = _read(facts, rules, 'low resolution', 'bad_lq', face.lq,
               lambda: rules.sources['dataroot_lq'].picture(face.lq))
    parsing = _read(facts, rules, 'map', 'bad_map', face.parsing,
                    lambda: rules.sources['dataroot_parsing'].parsing(face.parsing, scheme))
    if gt is not None:
        facts.fingerprint = fingerprint(gt)
        if rules.identity:
            _look_for_person(facts, rules, gt)
        if parsing is not None and parsing.size != gt.size:
            _note(facts, rules, 'wrong_size', face.parsing, f'map of {_text(parsing.size)}, image of {_text(gt.size)}')
    if parsing is not None:
        _look_at_map(facts, rules, np.asarray(parsing))
    cut = None if gt is None else _cut(facts, rules, gt)
    if lq is not None and cut is not None:
        _look_at_low_resolution(facts, rules, lq, cut)
    return facts


def sample_square(rules: Rules, picture: Image.Image, resampling: Image.Resampling) -> Image.Image:
    """Cut and resize an image or a map as the data set does it in validation, and in training without augmentation.

    Raises:
        ValueError: The crop does not fit in.
    """
    if rules.gt_size is None:
        return picture
    cropped = picture.crop(centre_square(*picture.size, rules.crop))
    return cropped.resize((rules.gt_size, rules.gt_size), resampling)


def _read(facts: FaceFacts, rules: Rules, what: str, kind: str, path: str | None,
          read: Callable[[], Image.Image]) -> Image.Image | None:
    if path is None:
        return None
    try:
        picture = read()
    except UsageError as error:
        _note(facts, rules, kind, path, str(error).removeprefix(f'{path}: '))
        return None
    facts.sizes[what] = picture.size
    return picture


def _cut(facts: FaceFacts, rules: Rules, gt: Image.Image) -> Image.Image | None:
    try:
        cut = sample_square(rules, gt, Image.Resampling.BICUBIC)
    except ValueError as error:
        _note(facts, rules, 'too_small', facts.face.gt, str(error))
        return None
    if rules.gt_size is not None and min(gt.size) < rules.gt_size:
        _note(facts, rules, 'enlarged', facts.face.gt, f'{_text(gt.size)}, gt_size {rules.gt_size}')
    if cut.width % rules.scale or cut.height % rules.scale:
        _note(facts, rules, 'wrong_size', facts.face.gt,
              f'image of {_text(cut.size)}, not multiples of scale {rules.scale}; crop it or give gt_size')
        return None
    return cut


def _look_at_low_resolution(facts: FaceFacts, rules: Rules, lq: Image.Image, cut: Image.Image) -> None:
    expected = cut.width // rules.scale, cut.height // rules.scale
    if lq.size != expected:
        _note(facts, rules, 'wrong_size', facts.face.lq,
              f'low resolution of {_text(lq.size)}, expected {_text(expected)}, 1/{rules.scale} of its image')
        return
    mismatch = compare_with_bicubic(lq, cut, rules.scale)
    facts.low_resolution = mismatch or True
    if mismatch:
        _note(facts, rules, 'not_bicubic', facts.face.lq, str(mismatch))


def _look_at_map(facts: FaceFacts, rules: Rules, parsing: np.ndarray) -> None:
    facts.class_pixels = np.bincount(parsing.ravel(), minlength=256)
    facts.sides = sides(parsing, get_scheme(rules.scheme))
    swapped = [pair for pair, is_swapped in facts.sides.items() if is_swapped]
    if swapped:
        _note(facts, rules, 'left_right', facts.face.parsing, ' and '.join(swapped))


def _look_for_person(facts: FaceFacts, rules: Rules, gt: Image.Image) -> None:
    embedder, detector, normalization = rules.identity
    picture = np.ascontiguousarray(np.asarray(gt)[..., ::-1])
    face = truth_face(picture, detector)
    if face is None:
        _note(facts, rules, 'no_face', facts.face.gt, 'the detector found none')
        return
    facts.embedding = identity_embedding(picture, face.landmarks, embedder, normalization).astype(np.float16)


def _note(facts: FaceFacts, rules: Rules, kind: str, file: str, detail: str) -> None:
    facts.findings.append(Finding(kind, rules.dataset, file, detail, facts.face.name))


def _text(size: tuple[int, int]) -> str:
    return f'{size[0]}x{size[1]}'
