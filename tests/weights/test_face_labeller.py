import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from pkdn_basicsr.archs.face_parser_arch import predict_parsing
from pkdn_basicsr.data.picture import picture_to_tensor
from pkdn_basicsr.data.toy_faces import draw_toy_face
from pkdn_basicsr.weights import load_face_parser
from pkdn_basicsr.weights.face_labeller import FaceLabeller


@pytest.fixture(scope='module')
def face():
    return Image.fromarray(draw_toy_face(3, 192)[0])


def test_labels_are_those_of_the_parser_and_confidence_is_the_probability_of_the_class(face):
    classes, confidence = FaceLabeller().label(face)
    net, _ = load_face_parser()
    image = picture_to_tensor(face)[None]
    assert np.array_equal(classes, predict_parsing(net, image)[0])
    small = torch.nn.functional.interpolate(image, (128, 128), mode='bicubic', antialias=True).clamp(0, 1)
    with torch.no_grad():
        logits = torch.nn.functional.interpolate(net(small), (192, 192), mode='bilinear', antialias=True)
    exponents = torch.exp(logits[0].double() - logits[0].double().amax(0))
    expected = (exponents / exponents.sum(0)).amax(0)
    np.testing.assert_allclose(confidence, expected, atol=1e-5)
    assert classes.dtype == np.uint8
    assert classes.shape == confidence.shape == (192, 192)


def test_it_can_be_handed_to_another_process(face):
    labeller = FaceLabeller()
    classes, confidence = pickle.loads(pickle.dumps(labeller.label))(face)
    expected = labeller.label(face)
    assert np.array_equal(classes, expected[0])
    assert np.array_equal(confidence, expected[1])


def test_it_sees_the_face_in_the_size_of_its_training_unless_told(face):
    assert FaceLabeller().input_size == 128
    assert FaceLabeller(size=64).input_size == 64
    assert not np.array_equal(FaceLabeller(size=64).label(face)[0], FaceLabeller().label(face)[0])


def test_a_wrong_file_is_said_at_once(tmp_path, usage_error):
    with usage_error('no such file', 'parser.pth'):
        FaceLabeller(str(tmp_path / 'parser.pth'))


def test_a_size_that_the_parser_cannot_take_is_said_at_once(usage_error):
    with usage_error('face parser: size 7', 'multiples of 16'):
        FaceLabeller(size=7)
