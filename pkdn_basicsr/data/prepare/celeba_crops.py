"""The two ways in which face super-resolution papers cut their faces out of CelebA."""

from dataclasses import dataclass
from typing import Protocol

from pkdn_basicsr.data.crop import Box, centre_square
from pkdn_basicsr.errors import UsageError

_EXPAND = 0.3


class Crop(Protocol):
    """Where in a picture the face is."""

    def box(self, width: int, height: int) -> Box:
        """Return the part of a picture of this size to cut out.

        Raises:
            UsageError: There is none.
        """


@dataclass(frozen=True)
class CentreCrop:
    """The largest centred square, 178x178 of the aligned pictures (20 pixels off above and below).

    The papers of the CTCNet line say no more than that the pictures are cropped about their centre; that the square is
    the largest is our choice.
    """

    def box(self, width: int, height: int) -> Box:
        """See `Crop`."""
        return centre_square(width, height)


@dataclass(frozen=True, slots=True)
class DicCrop:
    """The square of DIC (Ma et al., CVPR 2020) around a face's box, as its authors posted it (their issue #28).

    The longer side of the box is cut to the shorter one about its middle, and 15 % are added on each side. At the left
    and upper edge of the picture the square is shifted, at the right and lower edge it is cut, so that it may be no
    square: as published, it is then stretched to one. Half pixels are rounded to even numbers, as PIL's crop does.

    Which boxes the published sets were made from is not known: the posted code reads lines in the form of CelebA's own
    list of boxes, while the authors speak (issue #11) of boxes from 68 landmarks of OpenFace, and of faces left out
    where these are far from CelebA's five. Faces from CelebA's own boxes are therefore not the published ones.

    Attributes:
        values: The face's box: left, upper, width, height; None where the list does not name the picture.
        place: List file and line, for errors.
    """

    values: tuple[int, int, int, int] | None
    place: str

    def box(self, width: int, height: int) -> Box:
        """See `Crop`."""
        if self.values is None:
            raise UsageError(f'no box in {self.place}')
        x, y, w, h = self.values
        side = min(w, h)
        x, y = x + (w - side) / 2, y + (h - side) / 2
        expand = int(side * _EXPAND / 2)
        left, upper = round(max(0, x - expand)), round(max(0, y - expand))
        right, lower = (round(min(max(0, start - expand) + side + 2 * expand, end))
                        for start, end in ((x, width), (y, height)))
        inside = -side < x < width and -side < y < height and left < right and upper < lower
        if side < 1 or not inside:
            raise UsageError(f'{self.place}: box {" ".join(map(str, self.values))} is not in the picture '
                             f'({width}x{height})')
        return left, upper, right, lower
