from collections import Counter

import numpy as np
import pytest

from pkdn_basicsr.report.check.finding import Finding
from pkdn_basicsr.report.check.report import findings_table, report_markdown, verdict
from pkdn_basicsr.report.check.sample import FaceFacts
from pkdn_basicsr.report.check.set_files import FaceFiles, SetFiles
from pkdn_basicsr.report.check.summary import SetSummary

FACE = FaceFiles('a', 'a.png', None, None)


def summary(*facts):
    found = SetSummary(SetFiles('train', {'name': 'set'}, {}, (FACE,) * 4))
    for one in facts:
        found.add(one)
    return found


def report(found, findings=()):
    return report_markdown('x.yml', [found], findings, {}, ['so'])


def facts_of_map(sides=None, **pixels):
    counts = np.zeros(256, np.int64)
    for index, number in pixels.items():
        counts[int(index[1:])] = number
    return FaceFacts(FACE, class_pixels=counts, sides=sides or {})


@pytest.mark.parametrize(('kinds', 'words'), [
    ([], 'nothing found'), (['bad_map'], '1 error, 0 warnings'), (['left_right'] * 2, '0 errors, 2 warnings')])
def test_verdict(kinds, words):
    assert verdict([Finding(kind, 'train', '', '') for kind in kinds]) == words


def test_the_table_counts_by_kind_and_set():
    table = findings_table([Finding('bad_map', name, '', '') for name in ('train', 'val', 'train')])
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()[2:]]
    assert rows == [['map cannot be used', 'error', 'train', '2'], ['map cannot be used', 'error', 'val', '1']]
    assert findings_table([]) == ''


def test_classes_are_given_as_shares_of_pixels_and_of_maps():
    text = report(summary(facts_of_map(_0=60, _13=40), facts_of_map(_0=80, _255=20)))
    cells = {line.split('|')[1].strip(): [cell.strip() for cell in line.split('|')[2:-1]]
             for line in text.splitlines() if line.startswith('|')}
    assert cells['0 background'] == ['70.00', '2', '100.0']
    assert cells['13 hair'] == ['20.00', '1', '50.0']
    assert cells['255 unknown'] == ['10.00', '1', '50.0']
    assert cells['14 hat'] == ['0.00', '0', '0.0']


@pytest.mark.parametrize(('swapped', 'most'), [(1, False), (2, True)])
def test_sides_are_counted_and_a_set_that_means_the_other_left_is_told(swapped, most):
    facts = [facts_of_map({'eyes': index < swapped}, _0=1) for index in range(3)] + [facts_of_map(_0=1)]
    text = report(summary(*facts))
    assert f'3 of 4 maps have both eyes, {swapped} of them with left and right swapped.' in text
    assert ("the image's left; relabel" in text) == most


def test_only_the_commonest_sizes_are_listed():
    found = summary()
    found.sizes['image'] = Counter({(10 + index, 20): 9 - index for index in range(8)})
    text = report(found)
    assert '14x20' in text
    assert '15x20' not in text
    assert [cell.strip() for cell in text.split('| image ')[-1].splitlines()[0].split('|')[1:-1]] == [
        '3 other sizes', '9']


def test_absent_classes_are_noted_only_where_there_are_maps():
    found = summary(facts_of_map(**{f'_{index}': 1 for index in range(18)}))
    found.note_absent_classes()
    assert [(finding.kind, finding.detail) for finding in found.findings] == [
        ('absent_class', 'class 18 (cloth) is in none of 1 maps')]
    empty = summary(FaceFacts(FACE))
    empty.note_absent_classes()
    assert empty.findings == []
