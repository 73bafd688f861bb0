"""`basicsr prepare toy`: generated faces with exact parsing maps, for tests and a first run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pkdn_basicsr.data.prepare.job import prepare
from pkdn_basicsr.data.prepare.recipe import Face, Plan, Sizes, training_face
from pkdn_basicsr.data.toy_faces.face import VERSION, draw_toy_face
from pkdn_basicsr.errors import UsageError

MIN_SIZE = 64  # below it, eyes and brows are no longer than a few pixels
MAX_NUM = 100_000  # file names have five digits, and must sort in the order of the faces


@dataclass(frozen=True)
class ToyRecipe:
    """Draws one face, which depends on seed, index and size only.

    Attributes:
        index: Which face of the set.
        seed: Which set.
        sizes: Sizes of the pictures.
        split: See `recipe.Recipe`.
    """

    index: int
    seed: int
    sizes: Sizes
    split: str
    sources = ()

    @property
    def name(self) -> str:
        """See `recipe.Recipe`."""
        return f'{self.index:05d}'

    def make(self, root: Path | None) -> Sequence[Face]:
        """See `recipe.Recipe`."""
        face_seed = int(np.random.SeedSequence([self.seed, self.index]).generate_state(1, np.uint64)[0])
        picture, parsing = draw_toy_face(face_seed, self.sizes.hr)
        return [training_face(self.name, Image.fromarray(picture), self.sizes, parsing)]


def plan_toy(num: int, seed: int, sizes: Sizes, num_val: int | None = None) -> Plan:
    """Plan a set of faces; a longer set begins with the shorter one.

    Args:
        num: Number of faces, 2..100000.
        seed: Any number >= 0.
        sizes: Sizes of the pictures, at least 64 pixels.
        num_val: How many faces, the last ones, are for validation: 1..num - 1; None is an eighth.

    Raises:
        UsageError: A value is out of range.
    """
    num_val = max(1, num // 8) if num_val is None else num_val
    for name, value, low, high in (('num', num, 2, MAX_NUM), ('size', sizes.hr, MIN_SIZE, None),
                                   ('seed', seed, 0, None), ('num_val', num_val, 1, num - 1)):
        if value < low or (high is not None and value > high):
            limits = f'at least {low}' if high is None else f'{low}..{high}'
            raise UsageError(f'toy faces: {name} must be {limits}, found {value}: give another {name}')
    recipes = [ToyRecipe(index, seed, sizes, 'train' if index < num - num_val else 'val') for index in range(num)]
    settings = {'kind': 'toy', 'version': VERSION, 'num': num, 'seed': seed, 'num_val': num_val, **sizes.settings()}
    return Plan(None, recipes, settings)


def write_toy_faces(dst: str | os.PathLike, num: int, seed: int, size: int = 160, num_val: int | None = None) -> None:
    """Write a set of faces: `images/00000.png`, `parsing/00000.png` and lists; see `plan_toy` and `prepare`."""
    prepare(plan_toy(num, seed, Sizes(size), num_val), Path(dst), 1)
