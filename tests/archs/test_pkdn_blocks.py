import pytest
import torch
from torch.nn import functional as F

from pkdn_basicsr.archs.pkdn_blocks import (
    ConcatFusionBlock,
    FeatureFusionBlock,
    FusionBlock,
    NoFeatureFusion,
    ParsingMapFusionBlock,
    SpatialAttention,
    make_fusion_block,
)

NUM_CLASSES = 5


# the encoder's blocks

def test_student_fusion_block_is_the_teachers_without_the_prior_branch():
    teacher_block, student_block = ParsingMapFusionBlock(4, NUM_CLASSES), FusionBlock(4)
    shared = {name: value for name, value in teacher_block.state_dict().items()
              if not name.startswith(('embed.', 'mix.'))}
    student_block.load_state_dict(shared)  # strict: nothing lacks, nothing is left over
    with torch.no_grad():  # mix = the feature alone
        teacher_block.mix.bias.zero_()
        teacher_block.mix.weight.copy_(torch.eye(4, 8)[:, :, None, None])
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(teacher_block(x, torch.rand(2, NUM_CLASSES, 6, 6)), student_block(x))


def test_parsing_map_fusion_block_against_the_long_way():
    torch.manual_seed(0)
    block = ParsingMapFusionBlock(4, NUM_CLASSES)
    x, prior = torch.randn(2, 4, 6, 8), torch.rand(2, NUM_CLASSES, 6, 8)
    first, _, second = block.embed
    embedded = F.conv2d(F.conv2d(prior, first.weight, first.bias, padding=1).relu(), second.weight, second.bias,
                        padding=1)
    mixed = F.conv2d(torch.cat([x, embedded], 1), block.mix.weight, block.mix.bias)
    first, _, second = block.refine
    refined = F.conv2d(F.conv2d(mixed, first.weight, first.bias, padding=1).relu(), second.weight, second.bias,
                       padding=1)
    squeeze, _, expand = block.attention[0].bottleneck
    logits = 0
    for pooled in (refined.mean((2, 3)), refined.flatten(2).max(2).values):
        hidden = (pooled @ squeeze.weight[:, :, 0, 0].T + squeeze.bias).relu()
        logits = logits + hidden @ expand.weight[:, :, 0, 0].T + expand.bias
    by_channel = refined * logits.sigmoid()[:, :, None, None]
    summary = torch.stack([by_channel.mean(1), by_channel.max(1).values], 1)
    by_pixel = by_channel * F.conv2d(summary, block.attention[1].conv.weight, block.attention[1].conv.bias,
                                     padding=3).sigmoid()
    torch.testing.assert_close(block(x, prior), x + by_pixel)


@pytest.mark.parametrize(('fusion', 'kept'), [('channel_attention', 0), ('spatial_attention', 1)])
@pytest.mark.parametrize('num_classes', [0, NUM_CLASSES])
def test_a_block_with_one_attention_is_the_whole_one_whose_other_is_idle(fusion, kept, num_classes):
    whole, one = (make_fusion_block(name, 4, num_classes) for name in ('attention', fusion))
    whole.attention[1 - kept] = torch.nn.Identity()
    one.load_state_dict({name.replace(f'attention.{kept}.', 'attention.0.'): value
                         for name, value in whole.state_dict().items()})
    inputs = torch.randn(2, 4, 6, 6), *([torch.rand(2, NUM_CLASSES, 6, 6)] if num_classes else [])
    assert torch.equal(one(*inputs), whole(*inputs))


def test_a_block_without_attention_is_a_residual_block():
    block, x = FusionBlock(4, 'no_attention'), torch.randn(2, 4, 6, 6)
    assert torch.equal(block(x), x + block.refine(x))


def test_concat_fusion_block_convolves_feature_and_prior_together():
    torch.manual_seed(0)
    block, x, prior = ConcatFusionBlock(4, NUM_CLASSES), torch.randn(2, 4, 6, 8), torch.rand(2, NUM_CLASSES, 6, 8)
    of_x, of_prior = block.conv.weight.split([4, NUM_CLASSES], 1)
    expected = F.conv2d(x, of_x, block.conv.bias, padding=1) + F.conv2d(prior, of_prior, padding=1)
    torch.testing.assert_close(block(x, prior), expected)


def test_concat_fusion_block_without_prior_convolves_the_feature():
    block, x = ConcatFusionBlock(4), torch.randn(2, 4, 6, 8)
    assert torch.equal(block(x), block.conv(x))


def test_spatial_attention_has_one_gate_a_pixel_whatever_the_channel():
    torch.manual_seed(0)
    x = torch.rand(2, 4, 9, 5) + 0.1
    gate = SpatialAttention()(x) / x
    torch.testing.assert_close(gate, gate[:, :1].expand_as(gate))
    assert 0 < gate.min() < gate.max() < 1


# the decoder's

def _resized(source: torch.Tensor, size: torch.Size) -> torch.Tensor:
    while source.shape[-1] < size[1]:
        source = F.interpolate(source, scale_factor=2, mode='bilinear', align_corners=False)
    side = source.shape[-1] // size[1]
    return source.reshape(*source.shape[:2], size[0], side, size[1], side).mean((3, 5))


@pytest.mark.parametrize('level', [0, 1, 2, 3])
def test_feature_fusion_block_is_resize_all_concatenate_and_one_convolution(level):
    torch.manual_seed(level)
    block = FeatureFusionBlock(4, 4)
    sources = [torch.randn(2, 4, 16 // 2**k, 24 // 2**k) for k in range(4)]
    x = torch.randn(2, 4, 16 // 2**level, 24 // 2**level)
    stacked = torch.cat([x, *(_resized(source, x.shape[-2:]) for source in sources)], 1)
    weight = torch.cat([block.merge_x.weight, *(merge.weight for merge in block.merge_sources)], 1)
    merged = F.conv2d(stacked, weight, block.merge_x.bias)
    torch.testing.assert_close(block(x, sources), x + block.attention(merged), atol=1e-5, rtol=1e-5)


def test_no_feature_fusion_hands_the_feature_on():
    x = torch.randn(2, 4, 8, 8)
    assert NoFeatureFusion()(x, [torch.randn(2, 4, 16, 16)]) is x
