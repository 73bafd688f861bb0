"""Anyone's photographs, in any folders: every face is found, turned upright and cut out as in CelebA-HQ."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pkdn_basicsr.data.celeba_hq_crop import FRAMINGS, cut_square, face_square, share_outside, side_of, square_to_crop
from pkdn_basicsr.data.face_detection import Face as FoundFace
from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.data.pairing import index_folder
from pkdn_basicsr.data.picture import read_picture
from pkdn_basicsr.data.prepare.photo_detection import find_faces
from pkdn_basicsr.data.prepare.recipe import Face, Plan, Sizes, face_name, training_face
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import sha256_of_file


@dataclass(frozen=True)
class FolderOptions:
    """What all photographs of a folder have in common.

    Attributes:
        sizes: The wanted sizes.
        detector: Finds the faces.
        crop: Name of a framing in `celeba_hq_crop.FRAMINGS`.
        min_side: Faces whose crop has fewer pixels than this in a row of the photograph are left out.
        max_outside: As are those of whose crop more than this share lies outside the photograph.
    """

    sizes: Sizes
    detector: FaceDetector
    crop: str
    min_side: int
    max_outside: float


@dataclass(frozen=True, slots=True)
class Photograph:
    """Makes the faces of one photograph: the largest has its name, the others follow as `_face2`, `_face3`, ..."""

    source: str
    options: FolderOptions

    @property
    def name(self) -> str:
        """See `Recipe`."""
        return face_name(self.source)

    @property
    def sources(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return (self.source,)

    @property
    def split(self) -> str | None:
        """See `Recipe`."""
        return None

    def make(self, root: Path) -> Sequence[Face]:
        """See `Recipe`; reasons to skip a photograph are that it has no face, or none that is large and whole."""
        picture = np.asarray(read_picture(str(root / self.source)))
        found = find_faces(self.options.detector, np.ascontiguousarray(picture[..., ::-1]))
        if not found:
            raise UsageError(f'{self.source}: no face found')
        squares = [face_square(face.landmarks, FRAMINGS[self.options.crop]) for face in found]
        reasons = [self._reason_against(square, picture) for square in squares]
        good = [pair for *pair, reason in zip(found, squares, reasons, strict=True) if not reason]
        bad = [reason for reason in reasons if reason]
        if not good:
            more = f' (and {len(bad) - 1} more faces of no use)' if bad[1:] else ''
            raise UsageError(f'{self.source}: {bad[0]}{more}')
        facts = {'faces_found': len(found), **({'left_out': bad} if bad else {})}
        return [self._face(number, picture, *pair, facts) for number, pair in enumerate(good, start=1)]

    def _reason_against(self, square: np.ndarray, picture: np.ndarray) -> str | None:
        options, side = self.options, side_of(square)
        if side < options.min_side:
            return f'face too small: its crop is {side} pixels wide, less than the {options.min_side} wanted'
        outside = share_outside(square, picture.shape[1], picture.shape[0])
        if outside > options.max_outside:
            return (f'face over the edge: {outside:.0%} of its crop lie outside the photograph, more than the '
                    f'{options.max_outside:.0%} allowed')
        return None

    def _face(self, number: int, picture: np.ndarray, found: FoundFace, square: np.ndarray,
              facts: Mapping[str, object]) -> Face:
        name = self.name + (f'_face{number}' if number > 1 else '')
        crop = Image.fromarray(cut_square(picture, square))
        matrix = square_to_crop(square) * (self.options.sizes.hr / crop.width)
        return training_face(name, crop, self.options.sizes, facts={
            'crop_corners': _rounded(square), 'landmarks': _rounded(found.landmarks @ matrix[:, :2].T + matrix[:, 2]),
            'landmarks_in_photograph': _rounded(found.landmarks), 'score': round(found.score, 3),
            'share_outside': round(share_outside(square, picture.shape[1], picture.shape[0]), 3), **facts})


def plan_folder(root: Path, sizes: Sizes, detector: FaceDetector, crop: str = 'celeba-hq', min_side: int | None = None,
                max_outside: float = 0.3) -> Plan:
    """Plan to make all faces of the photographs in a folder and its subfolders.

    Args:
        root: The folder.
        sizes: The wanted sizes.
        detector: Finds the faces.
        crop: What a crop shows, see `celeba_hq_crop.FRAMINGS`.
        min_side: Least side of a crop in pixels of its photograph; None: `sizes.hr`, so that no crop is enlarged.
        max_outside: Largest share of a crop, in [0, 1], that may lie outside its photograph, where the photograph's
            reflection is seen (0.3 is our choice; a tenth is common in portraits).

    Raises:
        UsageError: No such folder, no picture in it, names that collide, or a value out of range.
    """
    min_side = sizes.hr if min_side is None else min_side
    if crop not in FRAMINGS:
        raise UsageError(f'crop must be one of {", ".join(FRAMINGS)}, found {crop}')
    if min_side < 1:
        raise UsageError(f'min-side must be at least 1, found {min_side}')
    if not 0 <= max_outside <= 1:
        raise UsageError(f'max-outside must be a share from 0 to 1, found {max_outside}')
    files = index_folder(str(root), 'folder')
    sources = [Path(path).relative_to(root).as_posix() for path in files.values()]
    _check_names(sources)
    options = FolderOptions(sizes, detector, crop, min_side, max_outside)
    model = sha256_of_file(Path(detector.model).expanduser())
    return Plan(root, [Photograph(source, options) for source in sources], {
        'kind': 'folder', **sizes.settings(), 'crop': crop, 'min_side': min_side, 'max_outside': max_outside,
        'detector_sha256': model, 'score_threshold': detector.score_threshold})


def _check_names(sources: list[str]) -> None:
    """A photograph `a_face2` beside `a` would have the name of a's second face."""
    names = {face_name(source): source for source in sources}
    for name, source in names.items():
        photograph = re.sub(r'_face\d+$', '', name)
        if photograph != name and photograph in names:
            raise UsageError(f'folder: {source} has the name that a further face of {names[photograph]} would have; '
                             'rename one of them')


def _rounded(points: np.ndarray) -> list[list[float]]:
    return np.round(points, 2).tolist()
