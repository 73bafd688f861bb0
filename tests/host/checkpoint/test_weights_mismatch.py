import pytest
import torch
from basicsr.models.base_model import BaseModel
from basicsr.utils import get_root_logger
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

from pkdn_basicsr.archs import FaceParser, PKDNStudent, PKDNTeacher

TINY = {'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}


def student(**changes):
    return PKDNStudent(**{**TINY, **changes})


def teacher(**changes):
    return PKDNTeacher(**{'num_classes': 3, **TINY, **changes})


@pytest.fixture
def load(tmp_path):
    """Save the weights of one network and load them into another."""
    def run(source, target, strict=True):
        torch.save({'params': source.state_dict()}, tmp_path / 'net.pth')
        BaseModel({'num_gpu': 0, 'is_train': False}).load_network(target, str(tmp_path / 'net.pth'), strict)
    return run


@pytest.mark.parametrize(('source', 'target', 'words'), [
    (student(scale=8), student(), ['trained for scale 8, this network has scale 4', "delete its key 'scale'"]),
    (student(num_feat=6), student(), [
        'size mismatch in 42 of 51 keys', 'head.weight: expected 4x3x3x3, found 6x3x3x3; head.bias', '; ...',
        'likely cause: another num_feat (head.weight makes 6 features, here 4)']),
    (student(num_neck_blocks=3), student(), [
        'unexpected 16 of 67 keys: neck.1.conv1.weight, neck.1.conv1.bias, ',
        'likely cause: another number of blocks in neck;']),
    (student(), student(num_neck_blocks=3), ['missing 16 of 67 keys', 'another number of blocks in neck;']),
    (student(num_enc_blocks=[1, 1], num_dec_blocks=[1, 1]), student(), ['another number of blocks in downs, enc_']),
    (student(num_feat=6, scale=8, num_neck_blocks=2), student(), [
        'trained for scale 8', 'another num_feat', 'and another number of blocks in neck']),
    (teacher(), student(), ['unexpected 6 of 57 keys: enc_fusions.0.', 'these are the weights of a PKDNTeacher']),
    (student(), teacher(), ['missing 6 of 57 keys: enc_fusions.0.', 'these are the weights of a PKDNStudent']),
    (teacher(num_feat=6, num_neck_blocks=2), student(), ['these are the weights of a PKDNTeacher']),
    (teacher(num_classes=5), teacher(), ['size mismatch in 1 of 57 keys', 'expected 4x3x3x3, found 4x5x3x3; write']),
    (student(feature_fusion=False), student(), ['another variant of PKDNStudent', 'in dec_fusions)']),
    (student(fusion='concat'), student(), ['another variant of PKDNStudent', 'in enc_fusions)']),
    (ARCH_REGISTRY.get('SRCNN')(), student(), ['missing 51 of 51 keys', 'these are the weights of a SRCNN']),
    (nn.Conv2d(1, 1, 1), student(), ['unexpected 2 of 2 keys: weight, bias', 'another kind of network']),
    (nn.Identity(), student(), ['there are no weights in the file']),
    (student(), nn.Conv2d(1, 1, 1), ['these are the weights of a PKDNStudent']),
])
def test_what_does_not_fit_is_listed_with_its_likely_cause(load, tmp_path, usage_error, source, target, words):
    with usage_error(f'{tmp_path / "net.pth"} does not fit {type(target).__name__}: ', *words,
                     'write the network as in the option file of the run that trained it'):
        load(source, target)


def test_the_few_classes_of_another_parser_are_no_other_width(load, usage_error):
    with usage_error('size mismatch in 2 of', '; write the network'):
        load(FaceParser(num_classes=3), FaceParser(num_classes=5))


def test_parameters_of_other_people_s_networks_may_have_any_shape(load, usage_error):
    source, target = nn.Module(), nn.Module()
    source.register_buffer('scale', torch.ones(2))
    target.register_buffer('scale', torch.tensor(1))
    with usage_error('size mismatch in 1 of 1 key: scale: expected one number, found 2'):
        load(source, target)


def test_a_layer_may_have_lost_its_dimensions(load, usage_error):
    source, target = nn.Module(), nn.Linear(2, 2, bias=False)
    source.register_buffer('weight', torch.tensor(1))
    with usage_error('weight: expected 2x2, found one number; write'):
        load(source, target)


def test_without_strict_load_other_sizes_are_left_out_as_before(load, caplog):
    logger = get_root_logger()
    logger.addHandler(caplog.handler)
    source, target = student(num_feat=6), student()
    before = target.head.weight.clone()
    load(source, target, strict=False)
    logger.removeHandler(caplog.handler)
    assert 'Size different, ignore [head.weight]' in caplog.text
    assert torch.equal(target.head.weight, before)
    assert torch.equal(target.tail.bias, source.tail.bias)


def test_without_strict_load_another_scale_is_still_refused(load, usage_error):
    with usage_error('trained for scale 8, this network has scale 4'):
        load(student(scale=8), student(), strict=False)
