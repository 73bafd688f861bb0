from importlib.util import find_spec

import pytest
import tiny
import torch
from safetensors.torch import save_file

from pkdn_basicsr import PKDNStudent, PKDNTeacher
from pkdn_basicsr.archs.baselines import SRCNN

spandrel = pytest.importorskip('spandrel')

from pkdn_basicsr.integrations.spandrel_registry import install  # noqa: E402

ARGUMENTS = {'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1, 0, 1], 'num_neck_blocks': 1, 'num_dec_blocks': [1, 2, 0]}
# ComfyUI imports a file of custom_nodes by its path, then its loader asks spandrel
COMFYUI = """
import importlib.util, sys, torch
spec = importlib.util.spec_from_file_location('custom_nodes.students', sys.argv[1])
node = importlib.util.module_from_spec(spec)
spec.loader.exec_module(node)
assert node.NODE_CLASS_MAPPINGS == {}
from spandrel import ImageModelDescriptor, ModelLoader
found = ModelLoader().load_from_state_dict(torch.load(sys.argv[2], weights_only=True)).eval()
print(found.architecture.id, found.scale, isinstance(found, ImageModelDescriptor))
"""


@pytest.fixture
def registry():
    copy = spandrel.MAIN_REGISTRY.copy()
    install(copy)
    return copy


@pytest.fixture
def net():
    torch.manual_seed(0)
    return PKDNStudent(**ARGUMENTS).eval()


def _save(net, path):
    weights = net.state_dict()
    if path.suffix == '.safetensors':
        save_file(weights, path)
    else:
        torch.save({'params': PKDNStudent(**ARGUMENTS).state_dict(), 'params_ema': weights}, path)
    return path


@pytest.mark.parametrize('name', ['net_g_latest.pth', 'net_g.safetensors'])
def test_identical_output(registry, net, tmp_path, name):
    found = spandrel.ModelLoader(registry=registry).load_from_file(_save(net, tmp_path / name))
    assert type(found.model) is PKDNStudent
    lq = torch.rand(1, 3, 4, 6)
    with torch.no_grad():
        assert torch.equal(found(lq), net(lq).clamp(0, 1))


@pytest.mark.parametrize('fusion', ['attention', 'channel_attention', 'spatial_attention', 'no_attention', 'concat'])
@pytest.mark.parametrize('feature_fusion', [True, False])
def test_no_other_network_of_spandrel_claims_a_student(registry, fusion, feature_fusion):
    net = PKDNStudent(**ARGUMENTS, fusion=fusion, feature_fusion=feature_fusion)
    assert registry.load(net.state_dict()).architecture.id == 'PKDN'


@pytest.mark.parametrize('other', [PKDNTeacher(3, **ARGUMENTS), SRCNN(scale=4)], ids=['teacher', 'SRCNN'])
def test_other_networks_are_not_claimed(registry, other):
    with pytest.raises(spandrel.UnsupportedModelError):
        registry.load(other.state_dict())


def test_a_network_of_spandrel_is_still_its_own(registry):
    from spandrel.architectures.Compact import Compact
    assert registry.load(Compact(num_feat=4, num_conv=1).state_dict()).architecture.id == 'Compact'


@pytest.mark.parametrize(('scale', 'levels', 'multiple'), [(8, 3, 1), (4, 3, 2), (16, 3, 1), (4, 1, 1), (3, 2, 4)])
def test_any_size_is_padded_to_one_that_the_network_takes(registry, scale, levels, multiple):
    blocks = [0] * levels
    net = PKDNStudent(**{**ARGUMENTS, 'scale': scale, 'num_enc_blocks': blocks, 'num_dec_blocks': blocks})
    found = registry.load(net.state_dict())
    assert (found.scale, found.size_requirements.multiple_of) == (scale, multiple)
    assert found(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5 * scale, 7 * scale)


def test_description(registry, net):
    found = registry.load(net.state_dict())
    assert (found.purpose, found.tags, found.input_channels, found.output_channels) == ('FaceSR', ['4nf'], 3, 3)
    with pytest.raises(spandrel.UnsupportedDtypeError):
        found.half()


def test_installing_twice_changes_nothing(registry):
    before = len(registry)
    install(registry)
    assert len(registry) == before
    assert 'PKDN' not in spandrel.MAIN_REGISTRY


def test_the_file_for_comfyui(net, tmp_path):
    node = find_spec('pkdn_basicsr.integrations.comfyui_node').origin
    done = tiny.run_python('-c', COMFYUI, node, _save(net, tmp_path / 'student.pth'), cwd=tmp_path)
    assert done.stdout == 'PKDN 4 True\n', done.stderr
