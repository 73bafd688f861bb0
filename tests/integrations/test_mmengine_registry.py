import pytest
import tiny
import torch

from pkdn_basicsr import PKDNStudent
from pkdn_basicsr.archs import baselines

pytest.importorskip('mmengine')

ARGUMENTS = {'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}
BUILD = f"""
import sys
from mmengine.registry import MODELS
assert 'pkdn_basicsr' not in sys.modules
net = MODELS.build(dict(type='pkdn_basicsr.PKDNStudent', **{ARGUMENTS}))
print(type(net).__module__, type(net).__name__, net.upscale)
"""


@pytest.fixture
def root():
    from mmengine.registry import MODELS
    return MODELS


def test_mmengine_alone_finds_the_student(tmp_path):
    done = tiny.run_python('-c', BUILD, cwd=tmp_path)
    assert done.stdout.split() == ['pkdn_basicsr.archs.pkdn_arch', 'PKDNStudent', '4'], done.stderr


def test_identical_output(root):
    net = PKDNStudent(**ARGUMENTS).eval()
    built = root.build({'type': 'pkdn_basicsr.PKDNStudent', **ARGUMENTS}).eval()
    built.load_state_dict(net.state_dict())
    lq = torch.rand(2, 3, 4, 6)
    with torch.no_grad():
        assert torch.equal(built(lq), net(lq))


@pytest.mark.parametrize('name', ['PKDNTeacher', 'FaceParser', *baselines.__all__])
def test_every_network_is_found_under_its_name(root, name):
    cls = root.get(f'pkdn_basicsr.{name}')
    assert cls.__name__ == name
    assert cls.__module__.startswith('pkdn_basicsr.archs.')


def test_networks_of_the_host_are_not_ours(root):
    assert 'pkdn_basicsr.EDSR' not in root


def test_another_toolbox_finds_it_too(root):
    from mmengine.registry import Registry
    theirs = Registry('model', parent=root, scope='tests_of_pkdn_basicsr')
    try:
        assert theirs.get('pkdn_basicsr.VDSR') is baselines.VDSR
    finally:
        del root.children['tests_of_pkdn_basicsr']


def test_unknown_argument_is_refused(root):
    with pytest.raises(TypeError, match='num_feats'):
        root.build({'type': 'pkdn_basicsr.PKDNStudent', 'num_feats': 4})
