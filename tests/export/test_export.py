import json
import os

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from students import ARGUMENTS, make_student

from pkdn_basicsr.archs.baselines.vdsr_arch import VDSR
from pkdn_basicsr.export import export as export_module
from pkdn_basicsr.export.check import TOLERANCE
from pkdn_basicsr.export.export import FORMATS, export
from pkdn_basicsr.export.onnx_file import OPSET
from pkdn_basicsr.weights.card import Card, hash_of_weights
from pkdn_basicsr.weights.trained_network import load_trained

# sides that the check while exporting does not try; x2 with two levels needs even ones
SIZES = {8: [(1, 2, 2), (2, 16, 30), (4, 7, 5)], 2: [(1, 4, 4), (2, 16, 30), (4, 18, 6)]}
LEVELS = {8: {'num_enc_blocks': [1], 'num_dec_blocks': [0], 'num_neck_blocks': 0},
          2: {'num_enc_blocks': [0, 0], 'num_dec_blocks': [0, 0], 'num_neck_blocks': 0}}


def _card(scale=8, **network):
    return Card({'type': 'PKDNStudent', **ARGUMENTS, 'scale': scale, **network}, scale, 16, 'crops', 'research only')


def _faces(batch, height, width):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(batch))


@pytest.fixture(scope='module', params=[(8, False), (8, True), (2, False)], ids=['x8', 'x8-half', 'x2'])
def files(request, tmp_path_factory):
    """A student in all formats: (scale, half, network, {format: path}, {format: what was said})."""
    scale, half = request.param
    net, folder = make_student(scale=scale, **LEVELS[scale]), tmp_path_factory.mktemp('exported')
    paths = {name: folder / f'student.{name}' for name in FORMATS}
    said = {name: export(net, _card(scale, **LEVELS[scale]), name, path, half) for name, path in paths.items()}
    assert sorted(folder.iterdir()) == sorted(paths.values())
    return scale, half, net, paths, said


def test_onnx_computes_the_same_at_any_size(files):
    scale, half, net, paths, _ = files
    session = onnxruntime.InferenceSession(paths['onnx'])
    for lq in map(_faces, *zip(*SIZES[scale], strict=True)):
        sr, = session.run(['sr'], {'lq': lq.numpy()})
        assert sr.dtype == np.float32
        assert np.abs(sr - net(lq).numpy()).max() < TOLERANCE[half]


def test_pt2_computes_the_same_at_any_size(files):
    scale, half, net, paths, _ = files
    program = torch.export.load(paths['pt2']).module()
    for lq in map(_faces, *zip(*SIZES[scale], strict=True)):
        assert (program(lq) - net(lq)).abs().max() < TOLERANCE[half]


def test_safetensors_rebuild_the_network(files):
    scale, half, net, paths, _ = files
    loaded, card = load_trained(paths['safetensors'])
    assert card == _card(scale, **LEVELS[scale])
    for name, value in net.state_dict().items():
        expected = value.half().float() if half and value.is_floating_point() else value
        assert torch.equal(loaded.state_dict()[name], expected)


def test_every_file_has_the_metadata(files):
    _, half, net, paths, said = files
    extra = {'metadata.json': ''}
    torch.export.load(paths['pt2'], extra_files=extra)
    model = onnx.load(paths['onnx'])
    with safe_open(paths['safetensors'], 'pt') as file:
        found = [file.metadata(), json.loads(extra['metadata.json']),
                 {prop.key: prop.value for prop in model.metadata_props}]
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert found[0] == found[1] == found[2]
    assert found[0]['licence'] == 'research only'
    assert found[0]['sha256'] == hash_of_weights(stored) == said['onnx'].sha256
    if not half:
        assert found[0]['sha256'] == hash_of_weights(net.state_dict())


def test_what_is_said_is_true(files):
    _, half, _, paths, said = files
    for name, path in paths.items():
        assert said[name].size == path.stat().st_size
        assert said[name].difference <= TOLERANCE[half]
        assert (said[name].difference > 0) == half or name == 'onnx'
        assert os.stat(path).st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_onnx_file_is_what_it_promises(files):
    _, half, _, paths, _ = files
    model = onnx.load(paths['onnx'])
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [('', OPSET)]
    given, = model.graph.input
    made, = model.graph.output
    assert (given.name, made.name) == ('lq', 'sr')
    for value in (given, made):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        batch, channels, height, width = value.type.tensor_type.shape.dim
        assert all(dim.dim_param for dim in (batch, height, width))
        assert channels.dim_value == 3
    kinds = {weight.data_type for weight in model.graph.initializer if len(weight.dims) == 4}
    assert kinds == {onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT}
    assert 'Transpose' not in {node.op_type for node in model.graph.node}  # pixel-unshuffle, fused into convolutions


@pytest.mark.parametrize('file_format', ['onnx', 'pt2'])
def test_no_folder_of_this_machine_is_told(files, file_format):
    content = files[3][file_format].read_bytes()
    for name in (b'pkdn_arch.py', b'site-packages', os.getcwd().encode()):
        assert name not in content


def test_networks_without_size_checks_are_exported_too(tmp_path):
    net = VDSR(scale=2, num_feat=4, num_layers=3).eval()
    done = export(net, Card({'type': 'VDSR', 'scale': 2, 'num_feat': 4, 'num_layers': 3}, 2, 64), 'onnx',
                  tmp_path / 'vdsr.onnx')
    assert done.difference < 1e-4


class _Decides(torch.nn.Module):
    def forward(self, lq):
        return lq.repeat(1, 1, 2, 2) * int(lq.shape[-1])


def test_networks_that_cannot_be_exported_say_so(tmp_path, usage_error):
    with usage_error('_Decides', 'size of its input', '--format safetensors'):
        export(_Decides(), Card({'type': 'x'}, 2, 64), 'pt2', tmp_path / 'a.pt2')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('factor', 'words'), [(1.01, 'differs from the network by'), (float('nan'), 'nan')])
def test_a_file_that_computes_something_else_is_not_written(tmp_path, monkeypatch, factor, words, usage_error):
    write, read = FORMATS['safetensors']
    wrong = {'safetensors': (write, lambda path: lambda lq: read(path)(lq) * factor)}
    monkeypatch.setattr(export_module, 'FORMATS', wrong)
    (tmp_path / 'a.safetensors').write_text('older')
    with usage_error(words, 'nothing was written'):
        export(make_student(), _card(), 'safetensors', tmp_path / 'a.safetensors')
    assert (tmp_path / 'a.safetensors').read_text() == 'older'
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_a_file(tmp_path, usage_error):
    (tmp_path / 'file').touch()
    with usage_error('-o', tmp_path / 'file'):
        export(make_student(), _card(), 'safetensors', tmp_path / 'file' / 'a.safetensors')


@pytest.mark.parametrize('package', ['onnx', 'onnxscript'])
def test_a_missing_package_is_named(tmp_path, monkeypatch, package, usage_error):
    monkeypatch.setitem(__import__('sys').modules, package, None)
    with usage_error(f'needs {package}', 'pkdn_basicsr[onnx]'):
        export(make_student(), _card(), 'onnx', tmp_path / 'a.onnx')
