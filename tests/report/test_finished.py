import math
import os

import numpy as np
import pytest

from pkdn_basicsr.report.finished import FinishedMethods

RECIPE = {'network': {'type': 'Net'}, 'checkpoint': 'ab', 'maps': None}
VALUES = {'psnr': np.array([1 / 3, math.nan])}


@pytest.fixture
def run(comparison):
    return comparison.methods['alone'].run


def test_what_was_kept_is_found_with_every_digit(tmp_path, run):
    FinishedMethods(tmp_path / 'finished', {'faces': 'x'}).keep('net', RECIPE, VALUES, run)
    found_run, values = FinishedMethods(tmp_path / 'finished', {'faces': 'x'}).find(dict(reversed(RECIPE.items())))
    assert found_run == run
    np.testing.assert_array_equal(values['psnr'], VALUES['psnr'])


@pytest.mark.parametrize(('common', 'recipe'), [
    ({'faces': 'y'}, RECIPE), ({'faces': 'x'}, {**RECIPE, 'checkpoint': 'cd'}), ({'faces': 'x', 'version': 2}, RECIPE)])
def test_values_of_anything_else_are_not(tmp_path, run, common, recipe):
    FinishedMethods(tmp_path, {'faces': 'x'}).keep('net', RECIPE, VALUES, run)
    assert FinishedMethods(tmp_path, common).find(recipe) is None


def test_a_damaged_file_counts_as_none(tmp_path, run):
    finished = FinishedMethods(tmp_path, {})
    finished.keep('net', RECIPE, VALUES, run)
    (name,) = os.listdir(tmp_path)
    content = (tmp_path / name).read_bytes()
    for damaged in (b'', content[:len(content) // 2], b'{}', b'[]'):
        (tmp_path / name).write_bytes(damaged)
        assert finished.find(RECIPE) is None
