import numpy as np
import pytest
import torch

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.report.maps import TRUE_MAPS, drop_classes, map_source, shift_maps

MAPS = torch.tensor([[[1, 2, 3, 4, 5], [6, 7, 8, 9, 255]]], dtype=torch.uint8)


def no_picture(batch, what):
    raise AssertionError('nothing is predicted here')


def test_a_shift_repeats_the_border():
    assert shift_maps(MAPS, 2).tolist() == [[[1, 1, 1, 2, 3], [6, 6, 6, 7, 8]]]
    assert shift_maps(MAPS, -1).tolist() == [[[2, 3, 4, 5, 5], [7, 8, 9, 255, 255]]]
    assert torch.equal(shift_maps(MAPS, 0), MAPS)


def test_dropped_classes_become_unknown():
    assert drop_classes(MAPS, [2, 9]).tolist() == [[[1, 255, 3, 4, 5], [6, 7, 8, 255, 255]]]
    assert drop_classes(MAPS, [2]).dtype == torch.uint8


def test_classes_are_dropped_by_name():
    source = map_source({'drop': ['nose', 'l_eye']}, 'celebamask_hq', no_picture)  # 2 and 4
    assert source.maps({'parsing': MAPS}).tolist() == [[[1, 255, 3, 255, 5], [6, 7, 8, 9, 255]]]
    assert source.from_truth
    assert source.description == 'the true parsing map without nose, l_eye'


def test_true_maps_are_the_default():
    assert map_source(None, 'celebamask_hq', no_picture) is TRUE_MAPS
    assert TRUE_MAPS.maps({'parsing': MAPS}) is MAPS


@pytest.mark.parametrize(('what', 'from_truth'), [('gt', True), ('lq', False), ('student', False)])
def test_predicted_maps_are_those_of_the_parser_in_the_method_s_scheme(monkeypatch, what, from_truth):
    """A parser of the scheme helen, whose class 6 (nose) is class 2 of celebamask_hq."""
    monkeypatch.setattr('pkdn_basicsr.report.maps.load_face_parser', lambda path, *options: (path, get_scheme('helen')))
    seen = []

    def predict(net, images, size):
        seen.append((net, images.shape, size))
        return torch.full((len(images), 2, 2), 6, dtype=torch.uint8)

    monkeypatch.setattr('pkdn_basicsr.report.maps.predict_parsing', predict)
    source = map_source({'predicted_from': what, 'parser': 'p.onnx'}, 'celebamask_hq',
                        lambda batch, asked: torch.zeros(1, 3, 2, 2) if asked == what else None)
    assert np.unique(source.maps({})).tolist() == [2]
    assert source.from_truth == from_truth
    assert seen == [('p.onnx', (1, 3, 2, 2), None)]


def test_a_parser_is_given_faces_of_the_size_that_it_knows_or_that_is_named(monkeypatch):
    sides = []

    class Parser(torch.nn.Module):
        input_size = 48

        def forward(self, img):
            sides.append(img.shape[2:])
            return torch.zeros(1, 19, *img.shape[2:])

    options = []
    monkeypatch.setattr('pkdn_basicsr.report.maps.load_face_parser',
                        lambda *given: (options.append(given), (Parser(), get_scheme('face_parsing')))[1])
    for extra in ({}, {'size': 16, 'parsing_scheme': 'face_parsing', 'normalization': 'imagenet'}):
        source = map_source({'predicted_from': 'lq', 'parser': 'p.onnx', **extra}, 'celebamask_hq',
                            lambda batch, what: torch.zeros(1, 3, 32, 32))
        assert source.maps({}).shape == (1, 32, 32)
    assert sides == [(48, 48), (16, 16)]
    assert options == [('p.onnx', None, 'unit'), ('p.onnx', 'face_parsing', 'imagenet')]


@pytest.mark.parametrize('entry', [{'shift': '4'}, {'shift': 4, 'drop': ['nose']}, {'drop': []}, {'drop': 'nose'}, {},
                                   {'predicted_from': 'lq', 'net': 'x'}, 'shift'])
def test_other_entries_are_refused(entry, usage_error):
    with usage_error('maps: {shift: PIXELS}', entry):
        map_source(entry, 'celebamask_hq', no_picture)


def test_an_unknown_class_is_named(usage_error):
    with usage_error('nos', 'nose'):
        map_source({'drop': ['nos']}, 'celebamask_hq', no_picture)
