import pytest
from basicsr.utils.registry import ARCH_REGISTRY, LOSS_REGISTRY
from torch import nn

from pkdn_basicsr.host.option_check.components import check_components


@ARCH_REGISTRY.register()
class TakesAnything(nn.Module):

    def __init__(self, **kwargs):
        super().__init__()


@ARCH_REGISTRY.register()
class TakesPositions(nn.Module):

    def __init__(self, *blocks, width):
        super().__init__()


@LOSS_REGISTRY.register(suffix='basicsr')
class SuffixedLoss(nn.Module):

    def __init__(self, loss_weight=1.0):
        super().__init__()


@pytest.mark.parametrize('opt', [
    {'network_g': {'type': 'PKDNStudent'}},
    {'scale': 4, 'network_g': {'type': 'PKDNStudent', 'scale': 4}},
    {'scale': 4, 'network_g': {'type': 'PKDNStudent', 'scale': 4}, 'network_d': {'type': 'PKDNStudent'}},
    {'network_g': {'type': 'PKDNStudent', 'scale': 4, 'num_enc_blocks': [1]}, 'network_t': {'type': 'PKDNTeacher'}},
    {'scale': 3, 'network_g': {'type': 'EDSR', 'num_in_ch': 3, 'num_out_ch': 3, 'upscale': 3}},
    {'scale': 4, 'network_g': {'type': 'ECBSR', 'num_in_ch': 1, 'num_out_ch': 1, 'num_block': 4, 'num_channel': 16,
                               'with_idt': False, 'act_type': 'prelu', 'scale': 4}},
    {'scale': 4, 'network_g': {'type': 'SwinIR', 'upscale': 4, 'img_size': 48, 'window_size': 8}},
    {'scale': 1, 'network_g': {'type': 'SwinIR', 'upsampler': None}},  # removes noise: upscale is unused
    {'scale': 2, 'network_g': {'type': 'RRDBNet', 'num_in_ch': 3, 'num_out_ch': 3, 'scale': 2}},
    {'scale': 4, 'network_g': {'type': 'MSRResNet'}, 'network_d': {'type': 'UNetDiscriminatorSN', 'num_in_ch': 3}},
    {'scale': 4, 'network_g': {'type': 'EDVR', 'num_feat': 64}},
    {'scale': 1, 'network_g': {'type': 'HiFaceGAN', 'num_feat': 48}},
    {'network_g': {'type': 'StyleGAN2Generator', 'out_size': 256}},
    {'network_g': {'type': 'TakesAnything', 'whatever': 1}},
    {'network_g': {'type': 'TakesPositions', 'width': 1}},
    {'train': {'pixel_opt': {'type': 'L1Loss', 'loss_weight': 1.0, 'reduction': 'mean'}}},
    {'train': {'pixel_opt': {'type': 'SuffixedLoss', 'loss_weight': 1.0}}},
    {'train': {'feature_opt': {'type': 'FeatureL1Loss', 'levels': ['neck'], 'schedule': {'type': 'linear'}}}},
    {'train': {'soft_opt': {'type': 'L1Loss', 'schedule': {'type': 'constant'}}}},
    {'train': {'perceptual_opt': None, 'something_opt': {'no': 'type'}}},
    {'train': None},
    {},
])
def test_accepts_what_can_be_built(opt):
    check_components(opt)


@pytest.mark.parametrize(('opt', 'words'), [
    ({'network_g': {'type': 'PKDNStuden'}}, ['network_g.type', "did you mean 'PKDNStudent'?"]),
    ({'network_g': {'type': 'zzzz'}}, ['network_g.type', "'zzzz' is not registered"]),
    ({'network_g': {'type': 5}}, ['network_g.type', "'5'"]),
    ({'network_g': {'num_feat': 4}}, ['network_g.type: is missing', 'PKDNStudent']),
    ({'network_g': None}, ['network_g', 'None']),
    ({'network_g': 'PKDNStudent'}, ['network_g', "'PKDNStudent'"]),
    ({'network_t': {'type': 'PKDNTeacher', 'num_clases': 19}}, ['network_t', "did you mean 'num_classes'?"]),
    ({'network_g': {'type': 'TakesPositions'}}, ['network_g', 'needs the argument width']),
    ({'scale': 8, 'network_g': {'type': 'PKDNStudent', 'scale': 4}}, ['network_g.scale: is 4, but scale is 8']),
    ({'scale': 4, 'network_g': {'type': 'PKDNStudent'}}, ['network_g.scale: is 8, but scale is 4']),
    ({'scale': 8, 'network_g': {'type': 'EDSR', 'num_in_ch': 3, 'num_out_ch': 3}},
     ['network_g.upscale: is 4, but scale is 8']),
    ({'scale': 8, 'network_g': {'type': 'SwinIR', 'upscale': 2}}, ['network_g.upscale: is 2, but scale is 8']),
    ({'scale': 8, 'network_g': {'type': 'MSRResNet', 'upscale': 8}}, ['network_g.upscale', 'MSRResNet', 'found 8']),
    ({'network_g': {'type': 'RRDBNet', 'num_in_ch': 3, 'num_out_ch': 3, 'scale': 8}}, ['network_g.scale', 'found 8']),
    ({'train': {'pixel_opt': {'type': 'L2Loss'}}}, ['train.pixel_opt.type', 'L2Loss']),
    ({'train': {'pixel_opt': {'type': 'L1Loss', 'los_weight': 1}}}, ['train.pixel_opt', "did you mean 'loss_weight'?"]),
    ({'train': {'pixel_opt': {'type': 'L1Loss', 'schedule': {}}}}, ['train.pixel_opt', "no argument 'schedule'"]),
    ({'train': {'soft_opt': {'type': 'L1Loss', 'levels': []}}}, ['train.soft_opt', "no argument 'levels'"]),
])
def test_names_what_is_wrong_and_what_would_be_right(opt, words, usage_error):
    with usage_error(*words):
        check_components(opt)
