import pytest
import torch

from pkdn_basicsr.bench import onnx_session
from pkdn_basicsr.bench.infer import Subject, measure_inference, options_of_network
from pkdn_basicsr.bench.onnx_session import onnx_forward
from pkdn_basicsr.errors import MissingError

CPU = torch.device('cpu')
TINY = {'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}


def options(network, **arguments):
    return {'scale': 4, 'network_g': {'type': network, **arguments}, 'datasets': {'train': {'gt_size': 32}}}


@pytest.fixture
def subjects():
    return {'student': Subject.of(options('PKDNStudent', **TINY), CPU),
            'teacher': Subject.of(options('PKDNTeacher', num_classes=5, **TINY), CPU)}


def test_networks_run_at_the_size_of_their_options(subjects):
    assert [tuple(tensor.shape) for tensor in subjects['teacher'].inputs] == [(1, 3, 8, 8), (1, 5, 32, 32)]
    assert not subjects['student'].net.training
    assert subjects['student'].parameters == sum(value.numel() for value in subjects['student'].net.parameters())
    assert 0 < subjects['student'].macs < subjects['teacher'].macs


def test_default_arguments():
    bicubic = Subject.of(options_of_network('Bicubic'), CPU)
    assert bicubic.net(*bicubic.inputs).shape == (1, 3, 128, 128)


@pytest.mark.parametrize(('change', 'words'), [
    ({'network_g': None}, 'network_g is missing'), ({'scale': None}, 'scale'), ({'datasets': {}}, 'gt_size'),
    ({'network_g': {'type': 'HiFaceGANDiscriminator'}}, 'does not take a face of 16x16 pixels')])
def test_options_without_a_network_for_faces(usage_error, change, words):
    with usage_error(words):
        Subject.of({**options_of_network('Bicubic'), **change}, CPU)


def test_unknown_network(usage_error):
    with usage_error('PKDNStuden', 'PKDNStudent'):
        Subject.of(options_of_network('PKDNStuden'), CPU)


def test_every_network_in_every_mode_and_batch(subjects):
    found = measure_inference(subjects, [1, 3], ['eager', 'onnx'], repeats=2, warmup=0)
    assert [(each.network, each.mode, each.batch) for each in found] == [
        (name, mode, batch) for batch in (1, 3) for name in subjects for mode in ('eager', 'onnx')]
    for each in found:
        assert each.failure is None
        assert each.seconds.count == 2
        assert (each.over_eager.median == 1) == (each.mode == 'eager')
        assert (each.over_first.median == 1) == (each.network == 'student')


def test_the_others_go_on_when_one_cannot(subjects, monkeypatch):
    def export(net, inputs, folder):
        if net is subjects['student'].net:
            raise RuntimeError('no such\noperator')
        return lambda: None

    monkeypatch.setattr('pkdn_basicsr.bench.infer.onnx_forward', export)
    _, student, _, teacher = measure_inference(subjects, [1], ['eager', 'onnx'], repeats=1, warmup=0)
    assert (student.failure, student.seconds) == ('RuntimeError: no such operator', None)
    assert (teacher.failure, teacher.over_first) == (None, None)
    assert teacher.over_eager.median > 0


def test_onnx_runtime_computes_what_the_network_does(subjects, tmp_path):
    student = subjects['student']
    result, = onnx_forward(student.net, student.inputs, tmp_path)()
    assert torch.allclose(torch.from_numpy(result), student.net(*student.inputs), atol=1e-5)


def test_another_result_is_a_failure(subjects, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_session, '_TOLERANCE', -1)
    with pytest.raises(RuntimeError, match='differs by up to'):
        onnx_forward(subjects['student'].net, subjects['student'].inputs, tmp_path)


def test_a_missing_package_is_named(subjects, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'onnxruntime', None)
    with pytest.raises(MissingError, match=r'onnxruntime.*pip install'):
        onnx_forward(subjects['student'].net, subjects['student'].inputs, tmp_path)
