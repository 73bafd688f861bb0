"""BiSeNet and ParseNet by facexlib, with random weights: real ones are the user's."""

import sys

import pytest
import torch

from pkdn_basicsr.weights import load_face_parser
from pkdn_basicsr.weights.face_labeller import FaceLabeller

bisenet = pytest.importorskip('facexlib.parsing.bisenet', reason='facexlib is not installed (extra parsers)')
parsenet = pytest.importorskip('facexlib.parsing.parsenet', reason='facexlib is not installed (extra parsers)')


@pytest.fixture(scope='module')
def bisenet_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / '79999_iter.pth'
    torch.save(bisenet.BiSeNet(num_class=19).state_dict(), path)
    return path


@pytest.fixture(scope='module')
def parsenet_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'parsing_parsenet.pth'
    torch.save(parsenet.ParseNet(in_size=512, out_size=512, parsing_ch=19).state_dict(), path)
    return path


def test_a_bisenet_gives_scores_of_its_own_order_of_classes(bisenet_file):
    net, scheme = load_face_parser(str(bisenet_file))
    assert scheme.name == 'face_parsing'
    reference = bisenet.BiSeNet(num_class=19).eval()
    reference.load_state_dict(torch.load(bisenet_file, weights_only=True))
    images = torch.rand(1, 3, 64, 96)
    mean, std = torch.tensor([[.485, .456, .406], [.229, .224, .225]]).view(2, 3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(net(images), reference((images - mean) / std)[0])


def test_a_parsenet_gives_scores_in_the_order_of_celebamask_hq(parsenet_file):
    net, scheme = load_face_parser(str(parsenet_file))
    assert scheme.name == 'celebamask_hq'
    reference = parsenet.ParseNet(in_size=512, out_size=512, parsing_ch=19).eval()
    reference.load_state_dict(torch.load(parsenet_file, weights_only=True))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(images), reference(2 * images - 1)[0])


def test_it_labels_faces_at_512_pixels(bisenet_file):
    labeller = FaceLabeller(str(bisenet_file))
    assert labeller.input_size == 512
    assert labeller.parsing_scheme.name == 'face_parsing'


def test_another_scheme_than_its_own_is_refused(bisenet_file, usage_error):
    with usage_error(bisenet_file, 'celebamask_hq', 'face_parsing'):
        load_face_parser(str(bisenet_file), 'celebamask_hq')


def test_weights_that_do_not_fit_are_refused(bisenet_file, tmp_path, usage_error):
    state = torch.load(bisenet_file, weights_only=True)
    del state[list(state)[-1]]
    torch.save(state, tmp_path / 'cut.pth')
    with usage_error(tmp_path / 'cut.pth', 'not the whole weights of a BiSeNet'):
        load_face_parser(str(tmp_path / 'cut.pth'))


def test_without_facexlib_the_extra_is_named(bisenet_file, usage_error, monkeypatch):
    monkeypatch.setitem(sys.modules, 'facexlib.parsing', None)
    with usage_error('pkdn_basicsr[parsers]'):
        load_face_parser(str(bisenet_file))
