from pathlib import Path

import pytest

from pkdn_basicsr.weights import shipped
from pkdn_basicsr.weights.shipped import SHIPPED, shipped_weights


@pytest.fixture
def table(monkeypatch):
    table = {'pkdn_student_x8': 'a.safetensors', 'pkdn_student_tiny_x8': 'b.safetensors', 'pkdn_student_x4': 'c.pth'}
    monkeypatch.setattr(shipped, 'SHIPPED', table)
    return table


@pytest.mark.parametrize(('arguments', 'file'), [
    ((), 'a.safetensors'), ((None, 4), 'c.pth'), (('pkdn_student_tiny_x8',), 'b.safetensors'),
    (('pkdn_student_x4', 8), 'c.pth')])
def test_students_are_found_by_name_or_scale(table, arguments, file):
    assert shipped_weights(*arguments) == Path(shipped.__file__).with_name(file)


def test_what_is_not_there_is_told_with_what_is(table, usage_error):
    with usage_error('scale 16', 'pkdn_student_tiny_x8', '--weights FILE'):
        shipped_weights(None, 16)
    with usage_error("'pkdn_studnet'", 'pkdn_student_x8'):
        shipped_weights('pkdn_studnet')


def test_without_any_the_way_out_is_told(monkeypatch, usage_error):
    monkeypatch.setattr(shipped, 'SHIPPED', {})
    with usage_error('scale 8', '--weights FILE'):
        shipped_weights()


def test_shipped_files_are_there_and_names_end_with_a_scale():
    for name in SHIPPED:
        assert shipped_weights(name).is_file()
        assert name.rpartition('_x')[2].isdigit()
