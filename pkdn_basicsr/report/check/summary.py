"""What is kept of a data set that was looked through: counts and fingerprints, no pixels."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from pkdn_basicsr.data.dataset_options import stored_scheme
from pkdn_basicsr.data.parsing_labels import IGNORE, ParsingScheme
from pkdn_basicsr.report.check.finding import Finding
from pkdn_basicsr.report.check.sample import FaceFacts
from pkdn_basicsr.report.check.set_files import FaceFiles, SetFiles
from pkdn_basicsr.report.check.similar import Fingerprint


@dataclass
class SetSummary:
    """A data set so far.

    Attributes:
        files: Its files.
        findings: What is wrong with it.
        sizes: `image`, `low resolution` and `map` -> how often there is each (width, height).
        class_pixels: int64 (256,), pixels of each index in all maps.
        class_maps: int64 (256,), maps in which each index appears.
        maps: Maps that could be read.
        pairs: `eyes`, `brows` -> maps with both of them, and how many of these have them swapped.
        bicubic: Low-resolution files that are PIL bicubic.
        ways: Nearest way of shrinking -> low-resolution files that are not.
        faces: The faces whose image could be read, `fingerprints` in the same order.
        fingerprints: See there.
        persons: Indices in `faces` of those with an embedding, `embeddings` in the same order.
        embeddings: See there.
    """

    files: SetFiles
    findings: list[Finding] = field(default_factory=list)
    sizes: dict[str, Counter] = field(default_factory=dict)
    class_pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    class_maps: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    maps: int = 0
    pairs: dict[str, tuple[int, int]] = field(default_factory=dict)
    bicubic: int = 0
    ways: Counter = field(default_factory=Counter)
    faces: list[FaceFiles] = field(default_factory=list)
    fingerprints: list[Fingerprint] = field(default_factory=list)
    persons: list[int] = field(default_factory=list)
    embeddings: list[np.ndarray] = field(default_factory=list)

    @property
    def phase(self) -> str:
        """The set's key in `datasets`."""
        return self.files.phase

    @property
    def scheme(self) -> ParsingScheme:
        """Class scheme of the stored maps."""
        return stored_scheme(self.files.opt)

    def add(self, facts: FaceFacts) -> None:
        """Count one face in."""
        self.findings += facts.findings
        for what, size in facts.sizes.items():
            self.sizes.setdefault(what, Counter())[size] += 1
        if facts.fingerprint is not None:
            if facts.embedding is not None:
                self.persons.append(len(self.faces))
                self.embeddings.append(facts.embedding)
            self.faces.append(facts.face)
            self.fingerprints.append(facts.fingerprint)
        if facts.class_pixels is not None:
            self.maps += 1
            self.class_pixels += facts.class_pixels
            self.class_maps += facts.class_pixels > 0
        for pair, swapped in facts.sides.items():
            both, wrong = self.pairs.get(pair, (0, 0))
            self.pairs[pair] = both + 1, wrong + swapped
        if facts.low_resolution is True:
            self.bicubic += 1
        elif facts.low_resolution is not None:
            self.ways[_way(facts)] += 1

    def note_absent_classes(self) -> None:
        """Add a finding for each class of the scheme that no map has; a set without maps has none."""
        if self.maps:
            self.findings += [
                Finding('absent_class', self.phase, '', f'class {index} ({name}) is in none of {self.maps} maps')
                for index, name in enumerate(self.scheme.classes) if not self.class_maps[index]]

    def class_shares(self) -> list[tuple[str, float, int]]:
        """Return name, share of all pixels in [0, 1] and number of maps for each class, and last for 255 (unknown)."""
        total = max(int(self.class_pixels.sum()), 1)
        named = [*enumerate(self.scheme.classes), (IGNORE, 'unknown')]
        return [(f'{index} {name}', float(self.class_pixels[index] / total), int(self.class_maps[index]))
                for index, name in named]


def _way(facts: FaceFacts) -> str:
    mismatch = facts.low_resolution
    return f'{mismatch.nearest} ({"equal" if not mismatch.nearest_mean else "nearest"})'
