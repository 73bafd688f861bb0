import pytest
import torch
from torch import nn

from pkdn_basicsr.models.feature_levels import make_adapters, pair_levels


def _features(**shapes):
    return {name: torch.zeros(1, *shape) for name, shape in shapes.items()}


STUDENT = _features(enc1=(4, 8, 8), neck=(4, 4, 4), dec1=(4, 8, 8))
TEACHER = _features(enc1=(6, 8, 8), neck=(4, 4, 4), out=(4, 8, 8))


def test_a_list_pairs_equal_names():
    assert pair_levels(['neck', 'enc1'], STUDENT, TEACHER) == {'neck': 'neck', 'enc1': 'enc1'}


def test_a_mapping_pairs_student_with_teacher():
    assert pair_levels({'dec1': 'out', 'enc1': 'enc1'}, STUDENT, TEACHER) == {'dec1': 'out', 'enc1': 'enc1'}


def test_without_levels_every_shared_name_is_paired():
    assert pair_levels(None, STUDENT, TEACHER) == {'enc1': 'enc1', 'neck': 'neck'}


@pytest.mark.parametrize(('levels', 'role', 'unknown', 'known'), [
    (['enc1', 'enc9'], 'student', 'enc9', 'enc1, neck, dec1'),
    (['dec1'], 'teacher', 'dec1', 'enc1, neck, out'),
    ({'out': 'dec1'}, 'student', 'out', 'enc1, neck, dec1'),
    ({'dec1': 'dec1'}, 'teacher', 'dec1', 'enc1, neck, out'),
])
def test_an_unknown_level_is_refused_and_the_known_ones_listed(usage_error, levels, role, unknown, known):
    with usage_error(f"the {role} has no feature '{unknown}'", f'it has {known}'):
        pair_levels(levels, STUDENT, TEACHER)


def test_features_of_unequal_size_are_refused(usage_error):
    with usage_error("'neck' of the student is (4, 4)", "'out' of the teacher (8, 8)"):
        pair_levels({'neck': 'out'}, STUDENT, TEACHER)


def test_networks_that_share_no_name_need_a_mapping(usage_error):
    with usage_error('student (a)', 'teacher (b)', 'mapping'):
        pair_levels(None, _features(a=(4, 8, 8)), _features(b=(4, 8, 8)))


@pytest.mark.parametrize('levels', [[], {}, 'neck'])
def test_anything_but_names_is_refused(usage_error, levels):
    with usage_error('expected a list', repr(levels), 'enc1, neck, dec1'):
        pair_levels(levels, STUDENT, TEACHER)


def test_adapters_are_1x1_convolutions_to_the_teachers_width_where_widths_differ():
    adapters = make_adapters({'enc1': 'enc1', 'neck': 'neck', 'dec1': 'out'}, STUDENT, TEACHER)
    assert list(adapters) == ['enc1']
    assert isinstance(adapters['enc1'], nn.Conv2d)
    assert adapters['enc1'](STUDENT['enc1']).shape == TEACHER['enc1'].shape
    assert adapters['enc1'].kernel_size == (1, 1)
