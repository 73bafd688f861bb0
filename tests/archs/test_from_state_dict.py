import inspect
from typing import get_args

import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY

from pkdn_basicsr.archs import PKDNStudent, PKDNTeacher
from pkdn_basicsr.archs.from_state_dict import is_student, student_arguments
from pkdn_basicsr.archs.pkdn_blocks import Fusion

TINY = {'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1, 2], 'num_neck_blocks': 1, 'num_dec_blocks': [2, 1],
        'fusion': 'attention', 'feature_fusion': True}
CHANGES = [
    *({'scale': scale} for scale in (2, 8)),
    *({'num_feat': width} for width in (1, 16, 48)),
    {'num_enc_blocks': [0, 0]}, {'num_enc_blocks': [3], 'num_dec_blocks': [0]},
    {'num_enc_blocks': [1, 1, 11], 'num_dec_blocks': [1, 2, 3]},
    *({'num_neck_blocks': count} for count in (0, 12)),
    *({'fusion': fusion} for fusion in get_args(Fusion)),
    {'feature_fusion': False},
]


@pytest.mark.parametrize('change', CHANGES, ids=str)
def test_every_argument_comes_back(change):
    arguments = {**TINY, **change}
    net = PKDNStudent(**arguments)
    found = student_arguments(net.state_dict())
    assert found == arguments
    assert found.keys() == inspect.signature(PKDNStudent).parameters.keys()
    copy = PKDNStudent(**found)
    copy.load_state_dict(net.state_dict())
    lq = torch.rand(1, 3, 8, 16)
    assert torch.equal(copy(lq), net(lq))


def test_the_defaults_come_back():
    with torch.device('meta'):
        weights = PKDNStudent().state_dict()
    found = student_arguments({**weights, 'scale': torch.tensor(8)})
    for name, parameter in inspect.signature(PKDNStudent).parameters.items():
        assert found[name] == (list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default)


@pytest.mark.parametrize('fusion', get_args(Fusion))
def test_a_teacher_is_no_student(fusion):
    weights = PKDNTeacher(3, **{**TINY, 'fusion': fusion}).state_dict()
    assert not is_student(weights)
    with pytest.raises(ValueError, match='another network'):
        student_arguments(weights)


def test_no_other_network_of_ours_is_taken_for_a_student():
    seen = []
    for name, cls in ARCH_REGISTRY:
        if cls.__module__.startswith('pkdn_basicsr.'):
            try:
                with torch.device('meta'):
                    weights = cls().state_dict()
            except (RuntimeError, TypeError, ValueError):  # no defaults
                continue
            seen.append(name)
            assert is_student(weights) == (name == 'PKDNStudent'), name
    assert len(seen) > 10
    assert not is_student({})
