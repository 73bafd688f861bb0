"""What is done for one source picture, in whatever process: make its files, or see that they are still as made."""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from PIL import Image

from pkdn_basicsr.data.prepare.recipe import Face, Recipe
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import sha256, sha256_of_file


@dataclass(frozen=True)
class MadeFace:
    """A face as the journal and the manifest know it.

    Attributes:
        name: See `recipe.Face`.
        shape: Height, width and channels of its picture in the first folder.
        files: Path below the output folder -> SHA-256 of its content.
        facts: See `recipe.Face`.
    """

    name: str
    shape: tuple[int, int, int]
    files: Mapping[str, str]
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Entry:
    """What became of one source picture.

    Attributes:
        name: See `recipe.Recipe`.
        sources: File below the source folder -> SHA-256; empty for one that cannot be read.
        split: See `recipe.Recipe`.
        faces: What was made of it.
        skipped: Why nothing was, if so.
    """

    name: str
    sources: Mapping[str, str]
    split: str | None
    faces: tuple[MadeFace, ...] = ()
    skipped: str | None = None

    def to_json(self) -> dict:
        """Return the entry as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping) -> 'Entry':
        """Rebuild an entry; the opposite of `to_json`."""
        faces = tuple(MadeFace(**{**face, 'shape': tuple(face['shape'])}) for face in value['faces'])
        return cls(**{**value, 'faces': faces})


@dataclass(frozen=True)
class Outcome:
    """What a worker hands back.

    Attributes:
        entry: The new entry, or the old one if all is still as it was made.
        contents: Files to write, path below the output folder -> content; empty if there is nothing to do.
        altered: Files that are neither missing nor as they were made, now or earlier.
    """

    entry: Entry
    contents: Mapping[str, bytes] = field(default_factory=dict)
    altered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """Bring the files of one source picture up to date. Can be handed to another process.

    Attributes:
        root: Source folder, see `recipe.Plan`.
        dst: Output folder.
    """

    root: Path | None
    dst: Path

    def __call__(self, task: tuple[Recipe, Entry | None, Mapping[str, frozenset[str]]]) -> Outcome:
        """Verify what the journal says was made, and make what is missing or whose sources have changed.

        Args:
            task: The recipe, its entry in the journal, and what its files held earlier (`Journal.earlier`): a file that
                still does was never replaced, and counts as missing.
        """
        recipe, entry, earlier = task
        sources = {source: _known_sha256(self.root / source) for source in recipe.sources}
        if entry and not entry.skipped and entry.sources == sources and entry.split == recipe.split:
            found = {path: _known_sha256(self.dst / path) for face in entry.faces for path in face.files}
            wanted = {path: sha for face in entry.faces for path, sha in face.files.items()}
            altered = tuple(path for path, sha in found.items()
                            if sha not in ('', wanted[path], *earlier.get(path, ())))
            if altered or found == wanted:
                return Outcome(entry, altered=altered)
        return self._make(recipe, sources)

    def _make(self, recipe: Recipe, sources: Mapping[str, str]) -> Outcome:
        try:
            faces = recipe.make(self.root)
        except UsageError as error:
            reason = ' '.join(str(error).replace(f'{self.root}/', '').split())
            return Outcome(Entry(recipe.name, sources, recipe.split, skipped=reason))
        contents, made = {}, []
        for face in faces:
            files = _files(face)
            contents.update(files)
            made.append(MadeFace(face.name, _shape(face), {path: sha256(data) for path, data in files.items()},
                                 face.facts))
        return Outcome(Entry(recipe.name, sources, recipe.split, tuple(made)), contents)


def _known_sha256(path: Path) -> str:
    """Return the hash of a file, '' if it cannot be read: what cannot be read is made again, or says so itself."""
    try:
        return sha256_of_file(path)
    except OSError:
        return ''


def _files(face: Face) -> dict[str, bytes]:
    return {f'{folder}/{face.name}.png': _png(picture) for folder, picture in face.pictures.items()}


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, format='PNG')
    return content.getvalue()


def _shape(face: Face) -> tuple[int, int, int]:
    first = next(iter(face.pictures.values()))
    return first.height, first.width, len(first.getbands())
