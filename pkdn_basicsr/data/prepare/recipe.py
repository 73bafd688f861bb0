"""What a kind of raw download hands to `job.py`: for each of its pictures a recipe, which makes faces.

A recipe is small, can be pickled, and makes the same faces every time; it runs in another process. Everything is named
by paths below the source folder, '/' between folders, so that nothing depends on where a download lies.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.data.parsing_labels import palette_picture
from pkdn_basicsr.errors import UsageError

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Sizes:
    """How large the pictures of a training set are.

    Attributes:
        hr: Side of the high-resolution pictures in pixels.
        scales: Factors for which low-resolution pictures are stored; none: they are made when they are read.

    Raises:
        UsageError: A number below 1, or a side that is no multiple of a factor.
    """

    hr: int
    scales: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, value in [('size', self.hr), *(('scale', scale) for scale in self.scales)]:
            if value < 1:
                raise UsageError(f'{name} must be at least 1, found {value}')
        for scale in self.scales:
            if self.hr % scale:
                raise UsageError(f'size {self.hr} is not a multiple of scale {scale}; the nearest is '
                                 f'{max(round(self.hr / scale), 1) * scale}')

    def settings(self) -> dict[str, object]:
        """Return what belongs into `Plan.settings`."""
        return {'size': self.hr, 'scales': list(self.scales)}


@dataclass(frozen=True)
class Face:
    """One face of the set that is made.

    Attributes:
        name: Path of its files below each folder, without suffix; no dots, which BasicSR's LMDB cannot have.
        pictures: Folder -> 8-bit picture, written there as PNG.
        facts: What the manifest says of it, as JSON has it: `crop_box`, `landmarks`, `identity`, ...
    """

    name: str
    pictures: Mapping[str, Image.Image]
    facts: Mapping[str, object] = field(default_factory=dict)


class Recipe(Protocol):
    """Makes the faces of one source picture.

    Attributes:
        name: Its own in the plan; that of its first face, unless a picture has several.
        sources: Files that it reads, as paths below the source folder.
        split: 'train', 'val', 'test', or None where the download knows no such parts.
    """

    name: str
    sources: tuple[str, ...]
    split: str | None

    def make(self, root: Path | None) -> Sequence[Face]:
        """Make the faces from the files below `root`.

        Raises:
            UsageError: This picture is of no use; the reason goes into the report and the others are made.
        """


@dataclass(frozen=True)
class Plan:
    """A whole set, before anything is made.

    Attributes:
        root: The source folder; None for faces that come from no files.
        recipes: What to make, in the order of the lists that are written.
        settings: All that the faces depend on besides the sources, as JSON has it; a folder is continued only with the
            same settings.
        lists: Further lists to write beside the usual ones: file name -> its text, made from the faces of the set in
            the plan's order, each with its `name` and `facts`.
    """

    root: Path | None
    recipes: Sequence[Recipe]
    settings: Mapping[str, object]
    lists: Mapping[str, Callable[[Iterable], str]] = field(default_factory=dict)


def training_face(name: str, picture: Image.Image, sizes: Sizes, parsing: np.ndarray | None = None,
                  scheme: str = 'celebamask_hq', facts: Mapping[str, object] | None = None) -> Face:
    """Make the files of one face from its crop.

    Args:
        name: See `Face`.
        picture: RGB, square; resized by PIL bicubic where it is not of the wanted size.
        sizes: The wanted sizes. Low-resolution pictures are shrunk from the high-resolution one as it is stored.
        parsing: uint8 class indices of the same square, perhaps of another resolution; resized by nearest neighbour,
            independently of `picture`.
        scheme: Class scheme of `parsing`.
        facts: See `Face`.
    """
    hr = _resized(picture, sizes.hr, Image.Resampling.BICUBIC)
    pictures = {'images': hr, **{f'lq_x{scale}': downsample(hr, scale) for scale in sizes.scales}}
    if parsing is not None:
        resized = _resized(Image.fromarray(parsing), sizes.hr, Image.Resampling.NEAREST)
        pictures['parsing'] = palette_picture(np.asarray(resized), scheme)
    return Face(name, pictures, facts or {})


def face_name(source: str) -> str:
    """Return a source's path as the name of a face: without suffix, dots as underscores."""
    return str(Path(source).with_suffix('')).replace('\\', '/').replace('.', '_')


def _resized(picture: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    return picture if picture.size == (side, side) else picture.resize((side, side), resampling)
