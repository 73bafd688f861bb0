import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader

from pkdn_basicsr.archs.face_parser_arch import FaceParser, predict_parsing
from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.metrics.confusion import confusion_matrix, mean_iou
from pkdn_basicsr.weights import load_face_parser
from pkdn_basicsr.weights.face_parser import SHIPPED_FACE_PARSER

README = Path(SHIPPED_FACE_PARSER).with_name('README.md')


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return FaceParser(num_classes=11, num_feat=(4, 6), num_blocks=(1, 1)).eval()


@pytest.fixture
def image():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def save_checkpoint(net, path, key='params_ema'):
    other = {name: torch.zeros_like(value) for name, value in net.state_dict().items()}
    torch.save({'params': other, key: net.state_dict()}, path)
    return str(path)


class TestShipped:
    def test_its_name_tells_its_hash_and_it_is_small(self):
        digest = hashlib.sha256(SHIPPED_FACE_PARSER.read_bytes()).hexdigest()
        assert SHIPPED_FACE_PARSER.stem == f'face_parser-{digest[:8]}'
        assert SHIPPED_FACE_PARSER.stat().st_size <= 3 * 2**20

    def test_it_says_what_it_is_and_on_which_terms(self):
        with safe_open(SHIPPED_FACE_PARSER, framework='pt') as file:
            metadata = file.metadata()
        assert metadata['scheme'] == 'celebamask_hq'
        assert metadata['num_classes'] == '19'
        assert 'non-commercial research only' in metadata['licence']
        assert 'non-commercial research only' in README.read_text()
        assert SHIPPED_FACE_PARSER.name in README.read_text()

    def test_it_loads_frozen_and_ready(self):
        net, scheme = load_face_parser()
        assert scheme == get_scheme('celebamask_hq')
        assert not net.training
        assert not any(parameter.requires_grad for parameter in net.parameters())
        assert all(parameter.dtype == torch.float32 for parameter in net.parameters())
        assert net(torch.rand(1, 3, 32, 48)).shape == (1, 19, 32, 48)

    def test_it_reaches_the_promised_agreement_on_validation_faces(self, shared_data):
        folder = shared_data / 'celebamask_hq_1000'
        faces = ParsingMapDataset({'name': 'val', 'phase': 'val', 'scale': 1, 'gt_size': 128,
                                   'dataroot_gt': str(folder / 'images'), 'dataroot_parsing': str(folder / 'parsing'),
                                   'split_file': str(folder / 'split_val.txt')})
        net, scheme = load_face_parser()
        confusion = sum(
            confusion_matrix(batch['parsing'].numpy(), predict_parsing(net, batch['gt']).numpy(), scheme.num_classes)
            for batch in DataLoader(faces, batch_size=10))
        assert mean_iou(confusion) >= 0.60


class TestCheckpoint:
    @pytest.mark.parametrize('key', ['params', 'params_ema'])
    def test_the_averaged_weights_are_taken_where_there_are_some(self, tiny, image, tmp_path, key):
        net, scheme = load_face_parser(save_checkpoint(tiny, tmp_path / 'net_g_10.pth', key), 'helen')
        assert scheme.name == 'helen'
        assert not net.training
        assert torch.equal(net(image), tiny(image))

    def test_its_classes_must_be_those_of_the_scheme(self, tiny, tmp_path, usage_error):
        path = save_checkpoint(tiny, tmp_path / 'net_g_10.pth')
        with usage_error(path, '11 classes', 'celebamask_hq has 19'):
            load_face_parser(path)
        with usage_error("unknown parsing scheme 'helena'", 'helen'):
            load_face_parser(path, 'helena')

    def test_weights_of_another_network_are_refused(self, tmp_path, usage_error):
        path = save_checkpoint(torch.nn.Conv2d(3, 3, 1), tmp_path / 'net_g_10.pth')
        with usage_error(path, 'not the weights of a FaceParser'):
            load_face_parser(path)

    @pytest.mark.parametrize(('content', 'reason'), [
        (b'', 'damaged'), (b'nonsense', 'damaged'), (None, 'expected weights')])
    def test_another_file_is_refused(self, tmp_path, usage_error, content, reason):
        path = tmp_path / 'net_g_10.pth'
        if content is None:
            torch.save([1, 2], path)
        else:
            path.write_bytes(content)
        with usage_error(path, reason):
            load_face_parser(str(path))


class TestSafetensors:
    def test_its_scheme_is_its_own(self, tiny, image, tmp_path, usage_error):
        path = str(tmp_path / 'parser.safetensors')
        save_file(tiny.state_dict(), path, {'scheme': 'helen'})
        net, scheme = load_face_parser(path)
        assert scheme.name == 'helen'
        assert torch.equal(net(image), tiny(image))
        with usage_error(path, 'scheme: fsrnet', 'found helen'):
            load_face_parser(path, 'fsrnet')

    def test_without_a_scheme_it_is_refused(self, tiny, tmp_path, usage_error):
        path = str(tmp_path / 'parser.safetensors')
        save_file(tiny.state_dict(), path)
        with usage_error(path, 'metadata', 'found None'):
            load_face_parser(path)

    def test_a_damaged_file_is_refused(self, tmp_path, usage_error):
        path = tmp_path / 'parser.safetensors'
        path.write_bytes(SHIPPED_FACE_PARSER.read_bytes()[:1000])
        with usage_error(path, 'damaged'):
            load_face_parser(str(path))


class TestOnnx:
    """A network of one 1x1 convolution to the eleven classes of helen, with an auxiliary output that comes second."""

    @pytest.fixture
    def weight(self):
        return np.random.default_rng(0).normal(size=(11, 3, 1, 1)).astype(np.float32)

    @pytest.fixture
    def write(self, tmp_path, weight):
        onnx = pytest.importorskip('onnx')
        pytest.importorskip('onnxruntime')
        from onnx import TensorProto, helper, numpy_helper

        def write_to(name='parser.onnx', shape=(1, 3, 16, 16), argmax=False):
            nodes = [helper.make_node('Conv', ['picture', 'weight'], ['scores']),
                     helper.make_node('Identity', ['picture'], ['auxiliary']),
                     helper.make_node('ArgMax', ['scores'], ['labels'], axis=1, keepdims=0)]
            outputs = [helper.make_tensor_value_info(*output) for output in (
                ('labels', TensorProto.INT64, None) if argmax else
                ('scores', TensorProto.FLOAT, [shape[0], 11, *shape[2:]]),
                ('auxiliary', TensorProto.FLOAT, shape))]
            picture = helper.make_tensor_value_info('picture', TensorProto.FLOAT, shape)
            graph = helper.make_graph(nodes, 'parser', [picture], outputs, [numpy_helper.from_array(weight, 'weight')])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
            onnx.save(model, tmp_path / name)
            return str(tmp_path / name)
        return write_to

    @pytest.mark.parametrize(('normalization', 'mean', 'std'), [
        ('unit', [0, 0, 0], [1, 1, 1]), ('symmetric', [.5] * 3, [.5] * 3),
        ('imagenet', [.485, .456, .406], [.229, .224, .225])])
    def test_scores_are_those_of_the_normalised_picture(self, write, weight, image, normalization, mean, std):
        net, scheme = load_face_parser(write(), 'helen', normalization)
        normalised = (image - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
        expected = torch.nn.functional.conv2d(normalised, torch.from_numpy(weight))
        torch.testing.assert_close(net(image), expected)
        assert scheme.name == 'helen'
        assert torch.equal(predict_parsing(net, image, size=16), expected.argmax(1).byte())

    def test_the_scheme_must_be_named_and_fit(self, write, usage_error):
        with usage_error('name their scheme'):
            load_face_parser(write())
        with usage_error('11 classes', 'face_parsing has 19'):
            load_face_parser(write(), 'face_parsing')

    def test_a_number_of_classes_that_the_file_does_not_tell_is_believed(self, write):
        path = write(shape=('batch', 3, 'height', 'width'), argmax=True)
        assert load_face_parser(path, 'face_parsing')[0].num_classes is None

    def test_labels_instead_of_scores_are_refused(self, write, image, usage_error):
        net, _ = load_face_parser(write(argmax=True), 'helen')
        with usage_error('scores', 'without its argmax'):
            net(image)

    def test_a_picture_of_another_size_is_refused(self, write, usage_error):
        net, _ = load_face_parser(write(), 'helen')
        with usage_error('24x32', 'size'):
            net(torch.rand(1, 3, 32, 24))

    def test_another_file_is_refused(self, write, tmp_path, usage_error):
        (tmp_path / 'other.onnx').write_bytes(b'nonsense')
        with usage_error('other.onnx', 'onnxruntime'):
            load_face_parser(str(tmp_path / 'other.onnx'), 'helen')

    def test_an_unknown_normalization_is_refused(self, write, usage_error):
        with usage_error("'imagnet'", 'unit, symmetric, imagenet'):
            load_face_parser(write(), 'helen', 'imagnet')


def test_a_normalization_for_a_parser_that_has_its_own_is_refused(usage_error):
    with usage_error("normalization 'imagenet'", 'only an .onnx face parser'):
        load_face_parser(normalization='imagenet')


def test_a_missing_file_is_named(tmp_path, usage_error):
    with usage_error('no such file', tmp_path / 'parser.pth'):
        load_face_parser(str(tmp_path / 'parser.pth'))


def test_another_kind_of_file_is_refused(tmp_path, usage_error):
    with usage_error('.safetensors, .pth, .onnx', 'parser.bin'):
        load_face_parser(str(tmp_path / 'parser.bin'))
