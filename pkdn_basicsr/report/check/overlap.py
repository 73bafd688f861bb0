"""Faces that data sets share, and faces that one set has twice."""

from collections.abc import Callable, Sequence

import numpy as np

from pkdn_basicsr.report.check.finding import Finding
from pkdn_basicsr.report.check.similar import best_partners, near_duplicates, pairs_above
from pkdn_basicsr.report.check.summary import SetSummary

SAME_PERSON = 0.5
"""Cosine from which two embeddings count as one person; our choice, for few false alarms. Of 1,000 CelebA-HQ
faces of which 141 are known to show a person of CelebA's first 1,000 test faces, a MobileFaceNet (ArcFace, 128 numbers)
names at 0.5 79 of the 141 and no other, at 0.45 93 and 14 others, at 0.4 121 and 110 others. Between splits that share
no person its highest cosine is 0.494 (in 80,000 pairs). Other networks have other cosines.
"""


def find_overlap(summaries: Sequence[SetSummary], same_person: float) -> list[Finding]:
    """Compare every training set with every other set, and every set with itself.

    Args:
        summaries: The sets.
        same_person: Cosine from which two embeddings count as one person; sets without embeddings share none.

    Returns:
        The findings; what two sets share is a finding about the file of the training set, which is the one to leave
        out.
    """
    findings = []
    for one in summaries:
        findings += [*_duplicates(one), *_near_twins(one)]
        for other in summaries:
            if _is_training(one) and not _is_training(other):
                findings += [*_same_pictures(one, other), *_near_duplicates(one, other),
                             *_same_persons(one, other, same_person)]
    return findings


def _is_training(summary: SetSummary) -> bool:
    return summary.files.opt['phase'] == 'train'


def _duplicates(one: SetSummary) -> list[Finding]:
    first: dict[bytes, int] = {}
    findings = []
    for index, found in enumerate(one.fingerprints):
        earlier = first.setdefault(found.digest, index)
        if earlier != index:
            findings.append(_finding('duplicate', one, index, f'same pixels as {one.faces[earlier].gt}'))
    return findings


def _near_twins(one: SetSummary) -> list[Finding]:
    found = best_partners(near_duplicates(one.fingerprints, one.fingerprints, earlier_only=True))
    return _pair_findings('near_twin', one, one, found, 'nearly {file}, correlation {value:.3f}')


def _same_pictures(train: SetSummary, other: SetSummary) -> list[Finding]:
    files = {found.digest: face.gt for found, face in zip(reversed(other.fingerprints), reversed(other.faces),
                                                          strict=True)}
    return [_finding('same_picture', train, index, f'same pixels as {files[found.digest]} of {other.phase}')
            for index, found in enumerate(train.fingerprints) if found.digest in files]


def _near_duplicates(train: SetSummary, other: SetSummary) -> list[Finding]:
    found = best_partners(near_duplicates(train.fingerprints, other.fingerprints))
    return _pair_findings('near_duplicate', train, other, found, 'nearly {file} of {phase}, correlation {value:.3f}')


def _same_persons(train: SetSummary, other: SetSummary, same_person: float) -> list[Finding]:
    if not train.embeddings or not other.embeddings:
        return []
    found = best_partners(pairs_above(np.array(train.embeddings), np.array(other.embeddings), same_person))
    in_faces = {train.persons[row]: (other.persons[partner], cosine) for row, (partner, cosine) in found.items()}
    return _pair_findings('same_person', train, other, in_faces, 'likely as {file} of {phase}, cosine {value:.2f}')


def _pair_findings(kind: str, one: SetSummary, other: SetSummary, found: dict[int, tuple[int, float]],
                   text: str) -> list[Finding]:
    say: Callable[..., str] = text.format
    return [_finding(kind, one, index, say(file=other.faces[partner].gt, phase=other.phase, value=value))
            for index, (partner, value) in found.items()]


def _finding(kind: str, one: SetSummary, index: int, detail: str) -> Finding:
    face = one.faces[index]
    return Finding(kind, one.phase, face.gt, detail, face.name)
