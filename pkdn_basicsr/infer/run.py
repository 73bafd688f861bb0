"""Many pictures, one after another or in batches; one that fails does not end the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import write_whole
from pkdn_basicsr.infer.inputs import Task
from pkdn_basicsr.infer.panel import side_by_side
from pkdn_basicsr.infer.photo import enlarge_photo
from pkdn_basicsr.infer.picture import Picture
from pkdn_basicsr.infer.picture_file import encode, read_picture_file
from pkdn_basicsr.infer.upscaler import FaceUpscaler


@dataclass
class Outcome:
    """What has become of the pictures.

    Attributes:
        written: How many results were written.
        faces: Faces super-resolved in photographs.
        too_large: Faces of photographs left to bicubic.
        without_face: Photographs in which no face was found.
        errors: Why a picture gave no result.
    """

    written: int = 0
    faces: int = 0
    too_large: int = 0
    without_face: list[Path] = field(default_factory=list)
    errors: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Enlarger:
    """Enlarges files.

    Args:
        upscaler: The network.
        file_format: Of the results, one of `picture_file.FORMATS`.
        batch: Pictures of one size that the network is given at once; photographs go one by one.
        shrink: Pictures whose longer side is longer are first shrunk so that it has so many pixels.
        detector: Finds faces, for photographs; without one every picture is a face.
    """

    upscaler: FaceUpscaler
    file_format: str = 'png'
    batch: int = 1
    shrink: int | None = None
    detector: FaceDetector | None = None

    def run(self, tasks: Sequence[Task], outcome: Outcome) -> None:
        """Enlarge all, with a progress bar.

        Args:
            tasks: Files to read and to write.
            outcome: Is filled as the work goes on, so that it tells what was done even after an interruption.
        """
        with tqdm(total=len(tasks), desc='enlarging', unit='picture') as progress:
            for group in self._groups(tasks, outcome):
                self._enlarge(group, outcome)
                progress.update(outcome.written + len(outcome.errors) - progress.n)
            progress.update(len(tasks) - progress.n)

    def _groups(self, tasks: Sequence[Task], outcome: Outcome) -> Iterator[list[tuple[Task, Picture]]]:
        """Read the pictures; those that follow each other and have one size come together."""
        group: list[tuple[Task, Picture]] = []
        for task in tasks:
            try:
                picture = self._read(task.source)
            except UsageError as error:
                outcome.errors[task.source] = str(error)
                continue
            if group and (len(group) == self.batch or group[0][1].size != picture.size):
                yield group
                group = []
            group.append((task, picture))
        if group:
            yield group

    def _read(self, path: Path) -> Picture:
        picture = read_picture_file(path)
        longer = max(picture.size)
        if self.shrink and longer > self.shrink:
            picture = picture.resized(*(max(round(side * self.shrink / longer), 1) for side in picture.size))
        if self.detector is None:
            self.upscaler.check_size(*picture.size)
        return picture

    def _enlarge(self, group: list[tuple[Task, Picture]], outcome: Outcome) -> None:
        try:
            if self.detector is None:
                results = self.upscaler.upscale_pictures([picture for _, picture in group])
            else:
                results = [self._enlarge_photo(*pair, outcome) for pair in group]
        except UsageError as error:
            outcome.errors.update({task.source: str(error) for task, _ in group})
            return
        for (task, picture), result in zip(group, results, strict=True):
            try:
                self._write(task, picture, result)
                outcome.written += 1
            except UsageError as error:
                outcome.errors[task.source] = str(error)
            except OSError as error:
                outcome.errors[task.source] = f'{error.filename or task.target}: {error.strerror or error}'

    def _enlarge_photo(self, task: Task, photo: Picture, outcome: Outcome) -> Picture:
        enlarged = enlarge_photo(self.upscaler, self.detector, photo)
        outcome.faces += enlarged.faces
        outcome.too_large += enlarged.too_large
        if not enlarged.faces + enlarged.too_large:
            outcome.without_face.append(task.source)
        return enlarged.picture

    def _write(self, task: Task, picture: Picture, result: Picture) -> None:
        panel = encode(side_by_side(picture, result), self.file_format) if task.panel else None
        write_whole(task.target, encode(result, self.file_format))
        if panel is not None:
            write_whole(task.panel, panel)
