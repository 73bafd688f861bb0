"""BasicSR's networks themselves tell what they can do."""

import pytest
import torch
from basicsr.archs import build_network

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.network_limits import check_factor, check_windows

RRDB = {'type': 'RRDBNet', 'num_in_ch': 3, 'num_out_ch': 3, 'num_feat': 4, 'num_block': 1, 'num_grow_ch': 2}
MSR = {'type': 'MSRResNet', 'num_feat': 4, 'num_block': 1}
SWIN = {'type': 'SwinIR', 'upscale': 2, 'embed_dim': 4, 'depths': [2], 'num_heads': [1],
        'upsampler': 'pixelshuffledirect'}


def enlarges(network_opt, factor, side=8):
    """Whether the network can be built, run, and enlarges by that factor."""
    try:
        return build_network(network_opt)(torch.rand(1, 3, side, side)).shape == (1, 3, factor * side, factor * side)
    except (AttributeError, RuntimeError):
        return False


def refused(check, *arguments):
    try:
        check(*arguments)
    except UsageError:
        return True
    return False


@pytest.mark.parametrize('factor', [1, 2, 3, 4, 5, 8, 16])
@pytest.mark.parametrize(('network_opt', 'argument'), [(RRDB, 'scale'), (MSR, 'upscale')])
def test_factors_are_refused_that_the_network_does_not_have(network_opt, argument, factor):
    wished = {**network_opt, argument: factor}
    assert refused(check_factor, 'network_g', wished) is not enlarges(wished, factor)


@pytest.mark.parametrize('network_opt', [RRDB, MSR])
def test_the_default_factor_works(network_opt):
    assert not refused(check_factor, 'network_g', network_opt)
    assert enlarges(network_opt, 4)


def run(network_opt, side, model_type='FaceSRModel', phase='train'):
    """Options of a run on faces of 2 * side pixels."""
    return {'model_type': model_type, 'scale': 2, 'network_g': network_opt, 'datasets': {phase: {'gt_size': 2 * side}}}


@pytest.mark.parametrize('side', [8, 12, 16, 14])
@pytest.mark.parametrize('sizes', [
    {'img_size': 16, 'window_size': 8},
    {'img_size': 8, 'window_size': 8},
    {'img_size': 4, 'window_size': 8},
    {'img_size': 12, 'window_size': 8},
    {'img_size': [4, 16], 'window_size': 8},
    {'window_size': 8},
    {'img_size': 14},
    {},
])
def test_sides_are_refused_that_windows_do_not_fill(sizes, side):
    wished = {**SWIN, **sizes}
    assert refused(check_windows, run(wished, side), 'network_g') is not enlarges(wished, 2, side)


def test_what_does_not_fit_is_named(usage_error):
    with usage_error('network_g', '8x8', 'datasets.val.gt_size / scale must be a multiple of 8, found 12'):
        check_windows(run({**SWIN, 'window_size': 8}, 12, phase='val'), 'network_g')
    with usage_error('network_g.img_size must be a multiple of 7, found 64'):
        check_windows(run(SWIN, 14), 'network_g')


def test_the_model_that_pads_may_validate_on_any_size():
    wished = {**SWIN, 'window_size': 8}
    assert not refused(check_windows, run(wished, 12, 'SwinIRModel', 'val'), 'network_g')
    assert refused(check_windows, run(wished, 12, 'SwinIRModel', 'train'), 'network_g')


def test_unknown_sizes_and_other_networks_pass():
    assert check_windows({**run({**SWIN, 'window_size': 8}, 12), 'datasets': {'val': {}}}, 'network_g') is None
    assert check_windows(run({**RRDB, 'window_size': 5}, 12), 'network_g') is None
    assert check_factor('network_g', {'type': 'EDSR', 'upscale': 8}) is None
