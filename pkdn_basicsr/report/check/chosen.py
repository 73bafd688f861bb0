"""Which faces of a data set are shown."""

from collections.abc import Sequence

import numpy as np

from pkdn_basicsr.report.check.summary import SetSummary


def pick(summary: SetSummary, number: int) -> list[int]:
    """Choose faces by rule: up to half of them with findings, swapped sides first, the others spread over the set.

    Returns:
        Indices in `summary.faces`, those with findings first.
    """
    kinds = kinds_by_name(summary)
    swapped, wrong, fine = [], [], []
    for index, face in enumerate(summary.faces):
        found = kinds.get(face.name, ())
        (swapped if 'left_right' in found else wrong if found else fine).append(index)
    half = max(number // 2, number - len(fine))
    chosen = _spread(swapped, half)
    chosen += _spread(wrong, half - len(chosen))
    return chosen + _spread(fine, number - len(chosen))


def kinds_by_name(summary: SetSummary) -> dict[str, list[str]]:
    """Return the kinds of findings of each face that has some."""
    kinds: dict[str, list[str]] = {}
    for finding in summary.findings:
        if finding.name and finding.kind not in kinds.setdefault(finding.name, []):
            kinds[finding.name].append(finding.kind)
    return kinds


def _spread(indices: Sequence[int], number: int) -> list[int]:
    """Take `number` of the indices, evenly spread, the first and the last among them."""
    if number < 1:
        return []
    places = np.linspace(0, len(indices) - 1, min(number, len(indices))).round().astype(int)
    return [indices[place] for place in places]
