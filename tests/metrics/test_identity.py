import sys

import numpy as np
import onnx
import pytest
import skimage.data
from basicsr.metrics import calculate_metric
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from pkdn_basicsr.data.alignment import align_face
from pkdn_basicsr.data.face_detection import Face, FaceDetector
from pkdn_basicsr.metrics import identity, landmark_error
from pkdn_basicsr.metrics.identity import calculate_identity_similarity

ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
LANDMARKS = np.array([(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204., 143.1), (242.9, 143.7)])
WEIGHTS = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
NOISE = np.random.default_rng(1).integers(0, 256, ASTRONAUT.shape, dtype=np.uint8)


@pytest.fixture(scope='module')
def real(shared_weights):
    """Options that name the shared weights."""
    return {'embedder': str(shared_weights / 'mobilefacenet_arcface.onnx'),
            'detector': str(shared_weights / 'yunet_n_640_640.onnx'), 'normalization': 'imagenet'}


@pytest.fixture
def looked_for(monkeypatch):
    """The pictures that a stand-in has searched for a face; it finds the astronaut's in all that are not black."""
    searched = []

    def main_face(self, picture):
        searched.append(picture)
        return Face((178, 65, 91, 111), LANDMARKS, .9) if picture.any() else None
    monkeypatch.setattr(FaceDetector, '__post_init__', lambda self: None)
    monkeypatch.setattr(FaceDetector, 'main_face', main_face)
    landmark_error.truth_face.cache_clear()
    yield searched
    landmark_error.truth_face.cache_clear()


def save_embedder(path, shape=(1, 3, 112, 112)):
    """Save a network that multiplies the mean colour of its crop by a matrix."""
    sides = [2, 3] if shape[1] == 3 else [1, 2]
    return save_network(path, shape, helper.make_node('ReduceMean', ['crop'], ['colour'], axes=sides, keepdims=0),
                        helper.make_node('MatMul', ['colour', 'weights'], ['embedding']))


def save_network(path, shape, *nodes):
    graph = helper.make_graph(nodes, 'network', [helper.make_tensor_value_info('crop', TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info('embedding', TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(WEIGHTS, 'weights')])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), path)
    return str(path)


def expected_similarity(result, truth, mean, std, size=112):
    """What `save_embedder` stands for, in numpy."""
    one, other = (((align_face(picture, LANDMARKS, size)[..., ::-1] - np.array(mean)) / std).mean((0, 1)) @ WEIGHTS
                  for picture in (result, truth))
    return one @ other / np.sqrt((one @ one) * (other @ other))


@pytest.mark.parametrize('shape', [(1, 3, 112, 112), ('batch', 3, 'height', 'width'), (1, 112, 112, 3), (1, 3, 96, 96),
                                   ('batch', None, None, 3)])
@pytest.mark.parametrize(('normalization', 'mean', 'std'), [
    ('arcface', 127.5, 127.5),
    ('imagenet', 255 * np.array([.485, .456, .406]), 255 * np.array([.229, .224, .225]))])
def test_it_is_the_cosine_of_both_embeddings(tmp_path, looked_for, shape, normalization, mean, std):
    size = 96 if 96 in shape else 112
    found = calculate_identity_similarity(NOISE, ASTRONAUT, save_embedder(tmp_path / 'net.onnx', shape), 'yunet',
                                          normalization)
    expected = expected_similarity(NOISE, ASTRONAUT, mean, std, size)
    assert -.98 < expected < .98
    assert found == pytest.approx(expected, abs=1e-5)
    assert isinstance(found, float)


def test_equal_pictures_are_one_person(tmp_path, looked_for):
    net = save_embedder(tmp_path / 'net.onnx')
    assert calculate_identity_similarity(ASTRONAUT, ASTRONAUT, net, 'yunet') == pytest.approx(1)


def test_only_the_truth_is_searched_for_a_face(tmp_path, looked_for):
    net = save_embedder(tmp_path / 'net.onnx')
    black = np.zeros_like(ASTRONAUT)
    assert np.isfinite(calculate_identity_similarity(black, ASTRONAUT, net, 'yunet'))
    assert np.isnan(calculate_identity_similarity(ASTRONAUT, black, net, 'yunet'))
    assert [picture.any() for picture in looked_for] == [True, False]


def test_the_truth_is_embedded_once_for_all_methods(tmp_path, looked_for, monkeypatch):
    embedded = []
    embed = identity.identity_embedding
    monkeypatch.setattr(identity, 'identity_embedding',
                        lambda *arguments: embedded.append(arguments) or embed(*arguments))
    net = save_embedder(tmp_path / 'net.onnx')
    for shift in range(3):
        calculate_identity_similarity(np.roll(NOISE, shift, 0), ASTRONAUT.copy(), net, 'yunet')
    assert len(looked_for) == 1
    assert len(embedded) == 1 + 3


def test_option_files_call_it(tmp_path, looked_for):
    net = save_embedder(tmp_path / 'net.onnx')
    opt = {'type': 'calculate_identity_similarity', 'embedder': net, 'detector': 'yunet', 'normalization': 'imagenet',
           'better': 'higher'}
    expected = calculate_identity_similarity(NOISE, ASTRONAUT, net, 'yunet', 'imagenet')
    assert calculate_metric({'img': NOISE, 'img2': ASTRONAUT}, opt) == expected
    assert calculate_identity_similarity.better == 'higher'
    assert calculate_identity_similarity.check(**opt) is None


# the real networks

def test_truths_of_different_persons_are_apart_and_blur_loses_identity(real, shared_data):
    truths = [np.asarray(Image.open(path).convert('RGB'))[..., ::-1]
              for path in sorted((shared_data / 'celeba_test_dic_1000' / 'HR').iterdir())[:12]]
    same = [[calculate_identity_similarity(shrunk(truth, side), truth, **real) for side in (64, 32, 16)]
            for truth in truths]
    others = [calculate_identity_similarity(truths[i - 1], truth, **real) for i, truth in enumerate(truths)]
    slight, middling, strong = np.mean(same, axis=0)
    assert slight > .9 > middling > .5 > strong > .1
    assert max(others) < min(values[0] for values in same)
    assert abs(np.mean(others)) < .1


def shrunk(bgr, side):
    image = Image.fromarray(bgr)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC))


def test_the_check_accepts_the_shared_weights(real):
    assert calculate_identity_similarity.check(**real, better='higher', on_missing='skip') is None


# wrong input

def test_missing_and_wrong_options_are_named(tmp_path, looked_for, usage_error):
    net = save_embedder(tmp_path / 'net.onnx')
    with usage_error('option detector is missing'):
        calculate_identity_similarity.check(embedder=net)
    with usage_error('option embedder is missing'):
        calculate_identity_similarity.check(detector='yunet')
    with usage_error("normalization 'arcfase' is unknown", 'arcface, imagenet'):
        calculate_identity_similarity.check(embedder=net, detector='yunet', normalization='arcfase')
    with usage_error('no such file', tmp_path / 'nowhere.onnx'):
        calculate_identity_similarity.check(embedder=str(tmp_path / 'nowhere.onnx'), detector='yunet')


def test_a_missing_detector_is_named(tmp_path, usage_error):
    with usage_error('face detector', tmp_path / 'nowhere.onnx'):
        calculate_identity_similarity.check(embedder='net.onnx', detector=str(tmp_path / 'nowhere.onnx'))


@pytest.mark.parametrize('content', [b'', b'no model at all'])
def test_a_damaged_embedder_is_named(tmp_path, looked_for, usage_error, capfd, content):
    path = tmp_path / 'net.onnx'
    path.write_bytes(content)
    with usage_error(path, 'onnxruntime cannot run'):
        calculate_identity_similarity.check(embedder=str(path), detector='yunet')
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('shape', [(1, 1, 112, 112), (3, 112, 112), (1, 3, 112, 96)])
def test_an_embedder_of_another_input_is_named(tmp_path, looked_for, usage_error, shape):
    net = save_network(tmp_path / 'net.onnx', shape, helper.make_node('Flatten', ['crop'], ['embedding']))
    with usage_error(net, list(shape), 'expected a batch of square RGB crops'):
        calculate_identity_similarity.check(embedder=net, detector='yunet')


@pytest.mark.parametrize('shape', [(8, 3, 112, 112), ('batch', 3, None, None)])
def test_an_embedder_that_cannot_run_is_named(tmp_path, looked_for, usage_error, capfd, shape):
    net = save_network(tmp_path / 'net.onnx', shape, helper.make_node('MatMul', ['crop', 'weights'], ['embedding']))
    with usage_error(net, 'onnxruntime cannot run'):
        calculate_identity_similarity.check(embedder=net, detector='yunet')
    assert capfd.readouterr() == ('', '')


def test_a_missing_package_is_named(tmp_path, looked_for, usage_error, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with usage_error("pip install 'pkdn_basicsr[metrics]'"):
        calculate_identity_similarity.check(embedder=save_embedder(tmp_path / 'net.onnx'), detector='yunet')


def test_wrong_pictures_are_named(tmp_path, looked_for, usage_error):
    net = save_embedder(tmp_path / 'net.onnx')
    with usage_error('one shape', '(512, 512, 3)', '(64, 512, 3)'):
        calculate_identity_similarity(ASTRONAUT, ASTRONAUT[:64], net, 'yunet')
    with usage_error('uint8 (H, W, 3)', '(512, 512)'):
        calculate_identity_similarity(ASTRONAUT[..., 0], ASTRONAUT[..., 0], net, 'yunet')
