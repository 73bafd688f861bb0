import pytest
import torch

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.archs.baselines.kdfsrnet_arch import KDFSRNetStudent, KDFSRNetTeacher
from pkdn_basicsr.archs.pkdn_arch import PKDNStudent, PKDNTeacher
from pkdn_basicsr.models.prior import check_maps, one_hot_prior, takes_parsing

TINY = {'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}
CPU = torch.device('cpu')


@pytest.fixture
def teacher():
    return PKDNTeacher(num_classes=11, **TINY)


def test_teachers_take_the_map_and_students_do_not(teacher):
    kdfsrnet = {'num_feat': 4, 'num_blocks': 1}
    assert takes_parsing(teacher)
    assert takes_parsing(KDFSRNetTeacher(**kdfsrnet))
    assert not takes_parsing(PKDNStudent(**TINY))
    assert not takes_parsing(KDFSRNetStudent(**kdfsrnet))
    assert not takes_parsing(Bicubic())


def test_a_teacher_that_does_not_tell_its_classes_is_refused(usage_error):
    class Teacher(torch.nn.Module):
        def forward(self, lq, parsing):
            return lq

    with usage_error('Teacher', 'attribute num_classes'):
        check_maps(Teacher(), {'train': {'dataroot_parsing': 'maps'}})


@pytest.mark.parametrize('make', [lambda: PKDNTeacher(11, **TINY), lambda: KDFSRNetTeacher(11, 4, 4, 1)])
def test_every_teacher_tells_its_number_of_classes(make):
    check_maps(make(), {'train': {'dataroot_parsing': 'maps', 'parsing_scheme': 'helen'}})


def test_a_scheme_with_another_number_of_classes_is_refused(teacher, usage_error):
    sets = {'train': {'dataroot_parsing': 'maps', 'parsing_scheme': 'helen'},
            'val_2': {'dataroot_parsing': 'maps', 'parsing_scheme': 'face_parsing'}}
    with usage_error('PKDNTeacher has num_classes 11', 'datasets.val_2', 'face_parsing with 19'):
        check_maps(teacher, sets)


@pytest.mark.parametrize('scheme', [{}, {'parsing_scheme': None}])
def test_without_a_scheme_it_is_celebamask_hq(teacher, usage_error, scheme):
    with usage_error('celebamask_hq with 19'):
        check_maps(teacher, {'train': {'dataroot_parsing': 'maps', **scheme}})
    check_maps(PKDNTeacher(num_classes=19, **TINY), {'train': {'dataroot_parsing': 'maps', **scheme}})


def test_what_counts_is_the_scheme_that_the_maps_are_converted_to(teacher, usage_error):
    converted = {'dataroot_parsing': 'maps', 'parsing_scheme': 'celebamask_hq', 'convert_parsing_to': 'helen'}
    check_maps(teacher, {'train': converted})
    with usage_error('num_classes 11', 'datasets.train', 'face_parsing with 19'):
        check_maps(teacher, {'train': {**converted, 'convert_parsing_to': 'face_parsing'}})


def test_an_unknown_scheme_is_refused(teacher, usage_error):
    with usage_error("'hellen'", "'helen'"):
        check_maps(teacher, {'train': {'dataroot_parsing': 'maps', 'parsing_scheme': 'hellen'}})


@pytest.mark.parametrize('root', [{}, {'dataroot_parsing': None}])
@pytest.mark.parametrize('name', ['ParsingMapDataset', 'VariedFaceDataset'])
def test_a_parsing_map_dataset_without_maps_is_refused_before_training(teacher, usage_error, name, root):
    sets = {'train': {'dataroot_parsing': 'maps', 'parsing_scheme': 'helen'},
            'val': {'type': name, **root}}
    with usage_error('PKDNTeacher', 'datasets.val.dataroot_parsing'):
        check_maps(teacher, sets)


def test_another_dataset_may_have_maps_of_its_own(teacher):
    check_maps(teacher, {'train': {'type': 'MyFaces'}})


def test_prior_is_one_hot_in_the_networks_classes_and_empty_where_unknown(teacher):
    parsing = torch.tensor([[[0, 10], [255, 3]], [[1, 1], [2, 255]]], dtype=torch.uint8)
    prior = one_hot_prior({'parsing': parsing}, teacher, CPU)
    expected = torch.zeros(2, 11, 2, 2)
    for image in range(2):
        for y in range(2):
            for x in range(2):
                if parsing[image, y, x] != 255:
                    expected[image, int(parsing[image, y, x]), y, x] = 1
    assert prior.dtype == torch.float32
    assert torch.equal(prior, expected)


def test_a_batch_without_map_is_refused(teacher, usage_error):
    with usage_error('PKDNTeacher needs the parsing map', 'dataroot_parsing'):
        one_hot_prior({'lq': torch.zeros(1, 3, 4, 4)}, teacher, CPU)
