import pytest

from pkdn_basicsr.report.check.check import Settings, check_data_sets, in_turn


@pytest.mark.parametrize('order', [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], []])
def test_results_of_several_processes_get_back_into_order(order):
    assert list(in_turn((number, f'face {number}') for number in order)) == [
        f'face {number}' for number in sorted(order)]


def test_a_result_is_handed_on_as_soon_as_its_turn_comes():
    asked = []

    def numbered():
        for number in (1, 0, 2):
            asked.append(number)
            yield number, number
    results = in_turn(numbered())
    assert next(results) == 0
    assert asked == [1, 0]


def test_options_are_left_as_they_are(tiny_faces):
    opt = {'scale': 4, 'datasets': {'val': {'type': 'ParsingMapDataset', 'dataroot_gt': str(tiny_faces / 'gt')}}}
    summaries, findings = check_data_sets(opt, 'x.yml', Settings(workers=1))
    assert findings == []
    assert len(summaries[0].faces) == 8
    assert opt['datasets']['val'] == {'type': 'ParsingMapDataset', 'dataroot_gt': str(tiny_faces / 'gt')}
