"""The recipes of CelebA: what its lists say of a picture, and the face that is made of it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pkdn_basicsr.data.crop import Box
from pkdn_basicsr.data.picture import read_picture
from pkdn_basicsr.data.prepare.celeba_crops import CentreCrop, Crop, DicCrop
from pkdn_basicsr.data.prepare.celeba_lists import Row, Table
from pkdn_basicsr.data.prepare.recipe import Face, Sizes, face_name, training_face
from pkdn_basicsr.errors import UsageError


@dataclass(frozen=True, slots=True)
class CelebaPicture:
    """Makes the face of one picture; see `Recipe`.

    Attributes:
        source: The picture, below the source folder.
        split: 'train', 'val' or 'test'.
        crop: Where its face is.
        sizes: The wanted sizes.
        landmarks: x and y of the eye on the image's left, the other eye, the nose, the corner of the mouth on the
            image's left, the other one; None where no list has them.
        identity: Number of the person, None if not known.
    """

    source: str
    split: str
    crop: Crop
    sizes: Sizes
    landmarks: tuple[int, ...] | None
    identity: int | None

    @property
    def name(self) -> str:
        """See `Recipe`."""
        return face_name(Path(self.source).name)

    @property
    def sources(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return (self.source,)

    def make(self, root: Path) -> Sequence[Face]:
        """See `Recipe`."""
        picture = read_picture(str(root / self.source))
        try:
            box = self.crop.box(*picture.size)
        except UsageError as error:
            raise UsageError(f'{self.source}: {error}') from None
        facts: dict[str, object] = {'crop_box': list(box)}
        if self.landmarks:
            facts['landmarks'] = _landmarks_in_crop(self.landmarks, box, self.sizes.hr)
        if self.identity is not None:
            facts['identity'] = self.identity
        return [training_face(self.name, picture.crop(box), self.sizes, facts=facts)]


@dataclass(frozen=True, eq=False)
class CelebaPictures(Sequence[CelebaPicture]):
    """The recipes of all pictures. Each is made when it is asked for: 200,000 would take hundreds of megabytes.

    Attributes:
        sources: Pictures, below the source folder.
        splits: The part of each.
        sizes: The wanted sizes.
        tables: What the lists of 'boxes', 'landmarks' and 'identities' say, as far as there are such; without boxes,
            the centre is cut out.
    """

    sources: Sequence[str]
    splits: Sequence[str]
    sizes: Sizes
    tables: Mapping[str, Table]

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> CelebaPicture:
        key = os.path.splitext(os.path.basename(self.sources[index]))[0]
        landmarks, identity = (self._row(name, key) for name in ('landmarks', 'identities'))
        return CelebaPicture(self.sources[index], self.splits[index], self._crop(key), self.sizes,
                             landmarks and landmarks.values, identity and identity.values[0])

    def _crop(self, key: str) -> Crop:
        if 'boxes' not in self.tables:
            return CentreCrop()
        name, row = self.tables['boxes'].path.name, self._row('boxes', key)
        return DicCrop(row.values, f'{name} line {row.line}') if row else DicCrop(None, name)

    def _row(self, table: str, key: str) -> Row | None:
        return self.tables[table].get(key) if table in self.tables else None


def _landmarks_in_crop(landmarks: Sequence[int], box: Box, side: int) -> list[list[float]]:
    left, upper, right, lower = box
    return [[round((x - left) * side / (right - left), 2), round((y - upper) * side / (lower - upper), 2)]
            for x, y in zip(landmarks[::2], landmarks[1::2], strict=True)]
