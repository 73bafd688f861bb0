import pytest
import torch
from basicsr.models.base_model import BaseModel

from pkdn_basicsr.archs import PKDNStudent

TINY = {'scale': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}


@pytest.fixture
def model():
    return BaseModel({'num_gpu': 0, 'is_train': False})


def test_weights_that_fit_are_loaded(model, tmp_path):
    source, target = PKDNStudent(num_feat=4, **TINY), PKDNStudent(num_feat=4, **TINY)
    torch.save({'params': source.state_dict()}, tmp_path / 'net.pth')
    model.load_network(target, str(tmp_path / 'net.pth'))
    assert torch.equal(source.head.weight, target.head.weight)


@pytest.mark.parametrize(('content', 'word'), [
    ({'params': PKDNStudent(num_feat=6, **TINY).state_dict()}, 'size mismatch'),
    ({'weights': {}}, "KeyError: 'params'"),
    (b'', 'EOFError'),
    (b'not a checkpoint', 'UnpicklingError'),
])
def test_weights_that_do_not_fit_are_named_in_one_line(model, tmp_path, usage_error, content, word):
    path = tmp_path / 'net.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with usage_error(path, 'does not fit PKDNStudent', word):
        model.load_network(PKDNStudent(num_feat=4, **TINY), str(path))
