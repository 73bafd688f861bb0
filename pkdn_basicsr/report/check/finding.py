"""What may be wrong with a data set, and one instance of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from pkdn_basicsr.files import csv_text


class Kind(NamedTuple):
    """A kind of finding.

    Attributes:
        severity: `error` where training would stop or its numbers would mean nothing, else `warning`.
        title: A few words.
        advice: What it does and what to do about it.
    """

    severity: str
    title: str
    advice: str


KINDS: Mapping[str, Kind] = MappingProxyType({
    'set': Kind('error', 'the set cannot be used', 'training would stop before its first iteration; mend the option'),
    'missing_image': Kind('error', 'listed, but no such image',
                          'take the name out of the list, or add the file to dataroot_gt'),
    'missing_lq': Kind('error', 'no low-resolution file',
                       'add the files, leave the images out (exclude_file), or leave out dataroot_lq'),
    'missing_map': Kind('error', 'no parsing map', 'add the files or leave the images out (exclude_file)'),
    'bad_image': Kind('error', 'image cannot be used', 'training would stop at it; replace it or leave it out'),
    'bad_lq': Kind('error', 'low-resolution file cannot be used',
                   'training would stop at it; make it again or leave it out'),
    'bad_map': Kind('error', 'map cannot be used', 'training would stop at it; replace it, or check parsing_scheme'),
    'too_small': Kind('error', 'image smaller than the crop',
                      'training would stop at it; give a smaller crop_range or val_crop, or leave it out'),
    'wrong_size': Kind('error', 'sizes do not go together', 'training would stop at it; resize one of the files'),
    'same_picture': Kind('error', 'training image that is also validated or tested on',
                         'numbers on that set mean little; leave these training images out (exclude_file)'),
    'left_right': Kind('warning', 'left and right are likely swapped',
                       "the subject's left eye or brow lies on the image's left; a network cannot learn both: look at "
                       'the contact sheet, then mend the maps (swap_left_right) or leave them out'),
    'not_bicubic': Kind('warning', 'low-resolution file is not PIL bicubic',
                        'published sets are made by PIL bicubic, and numbers on other ones do not compare; leave out '
                        'dataroot_lq to have them made'),
    'enlarged': Kind('warning', 'image smaller than gt_size', 'it is enlarged, and so teaches blur; leave it out'),
    'near_duplicate': Kind('warning', 'training image that is nearly one that is validated or tested on',
                           'look at both, and leave the training image out if they are one photograph'),
    'same_person': Kind('warning', 'training image of a person who is likely validated or tested on',
                        'the network may know the person; leave these training images out (exclude_file)'),
    'duplicate': Kind('warning', 'the same picture twice in one set', 'it counts twice; leave one of them out'),
    'near_twin': Kind('warning', 'nearly the same picture twice in one set', 'look at both; one may be left out'),
    'absent_class': Kind('warning', 'class in no map', 'it cannot be learnt or judged here; is parsing_scheme right?'),
    'unknown_excluded': Kind('warning', 'list of names to leave out that names other files',
                             'what it was meant to leave out may still be there; is it a list of this set?'),
    'no_face': Kind('warning', 'no face found', 'the picture was left out of the search for persons; look at it'),
    'not_looked_into': Kind('warning', 'data set of another type', 'nothing of it was checked'),
})
"""Every kind by the name that it has in files; the order is that of the report."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: One of `KINDS`.
        dataset: Key of the data set under `datasets` in the option file.
        file: The file it is about; empty where it is about the whole set.
        detail: What exactly, in words.
        name: The sample's name without suffix; empty where it is about no sample.
    """

    kind: str
    dataset: str
    file: str
    detail: str
    name: str = ''

    @property
    def severity(self) -> str:
        """`error` or `warning`."""
        return KINDS[self.kind].severity


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by kind, errors first; findings of one kind stay in their order."""
    order = list(KINDS)
    return sorted(findings, key=lambda finding: order.index(finding.kind))


def count(findings: Iterable[Finding], severity: str) -> int:
    """Return how many findings are of a severity."""
    return sum(finding.severity == severity for finding in findings)


def findings_csv(findings: Sequence[Finding]) -> str:
    """Return one line a finding: severity, set, kind, file, detail."""
    return csv_text(['severity', 'set', 'kind', 'file', 'detail'],
                    ([found.severity, found.dataset, found.kind, found.file, found.detail] for found in findings))
