import pytest

from pkdn_basicsr.report.check.chosen import kinds_by_name, pick
from pkdn_basicsr.report.check.finding import Finding
from pkdn_basicsr.report.check.set_files import FaceFiles, SetFiles
from pkdn_basicsr.report.check.summary import SetSummary


def summary(number, **faces_of_kind):
    found = SetSummary(SetFiles('train', {}, {}, ()))
    found.faces = [FaceFiles(str(index), f'{index}.png', None, None) for index in range(number)]
    found.findings = [Finding(kind, 'train', f'{index}.png', '', str(index))
                      for kind, faces in faces_of_kind.items() for index in faces]
    return found


@pytest.mark.parametrize(('number', 'shown', 'expected'), [
    (5, 3, [0, 2, 4]), (5, 5, [0, 1, 2, 3, 4]), (3, 24, [0, 1, 2]), (7, 1, [0])])
def test_a_clean_set_is_shown_evenly(number, shown, expected):
    assert pick(summary(number), shown) == expected


def test_faces_with_findings_come_first_swapped_ones_before_others_up_to_half():
    found = summary(20, not_bicubic=[3, 4], left_right=[11, 15])
    assert pick(found, 8) == [11, 15, 3, 4, 0, 7, 13, 19]
    assert pick(found, 6)[:3] == [11, 15, 3]
    assert pick(found, 2) == [11, 0]


def test_a_set_of_problems_only_fills_the_sheet():
    assert pick(summary(6, left_right=range(6)), 4) == [0, 2, 3, 5]


def test_each_kind_of_a_face_counts_once():
    found = summary(3, same_person=[1, 1], left_right=[1])
    found.findings.append(Finding('absent_class', 'train', '', ''))
    assert kinds_by_name(found) == {'1': ['same_person', 'left_right']}
