import pytest
from basicsr.utils.registry import METRIC_REGISTRY

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.metrics import drop_missing_metrics

PSNR = {'type': 'calculate_protocol_psnr', 'protocol': 'dic'}
LPIPS = {'type': 'calculate_lpips', 'weights': 'nowhere.pth'}


def test_a_metric_without_its_file_stops_the_run():
    with pytest.raises(UsageError, match=r'val.metrics.lpips: LPIPS needs .*nowhere.pth.*on_missing: skip'):
        drop_missing_metrics({'psnr': PSNR, 'lpips': LPIPS})


def test_on_missing_skip_goes_on_without_it_and_tells_why():
    metrics = {'lpips': {**LPIPS, 'on_missing': 'skip'}, 'psnr': PSNR}
    missing = drop_missing_metrics(metrics)
    assert list(metrics) == ['psnr']
    assert 'nowhere.pth' in missing['lpips']


def test_a_metric_that_can_be_computed_is_left_alone():
    metrics = {'psnr': PSNR, 'ssim': {'type': 'calculate_ssim', 'crop_border': 8}}
    assert drop_missing_metrics(metrics) == {}
    assert list(metrics) == ['psnr', 'ssim']


def test_a_misspelt_metric_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"val.metrics.psnr.type: .* is not registered; did you mean 'calculate_psnr'"):
        drop_missing_metrics({'psnr': {'type': 'calculate_psnrr'}})


def test_a_metric_without_a_type_lists_all():
    with pytest.raises(UsageError, match=r"val.metrics.psnr.type: 'None' is not registered; known: .*calculate_lpips"):
        drop_missing_metrics({'psnr': {}})


def test_all_that_is_wrong_is_told():
    with pytest.raises(UsageError) as caught:
        drop_missing_metrics({'psnr': {'type': 'calculate_psnr', 'cropp': 1}, 'lpips': LPIPS, 'ssim': 5})
    assert [line.split(': ')[0] for line in str(caught.value).splitlines()] == [
        'val.metrics.psnr.cropp', 'val.metrics.psnr.crop_border', 'val.metrics.lpips', 'val.metrics.ssim']


@pytest.mark.parametrize(('metric', 'better'), [
    ('calculate_lpips', 'lower'), ('calculate_protocol_psnr', 'higher'), ('calculate_niqe', 'lower')])
def test_the_direction_of_a_metric_is_known(metric, better):
    options = {'calculate_protocol_psnr': {'protocol': 'dic'}, 'calculate_niqe': {'crop_border': 0}}.get(metric, {})
    metrics = {'m': {'type': metric, **options, 'on_missing': 'skip'}}
    kept = dict(metrics)
    drop_missing_metrics(metrics)
    assert kept['m']['better'] == better


def test_a_wrong_direction_is_an_error():
    with pytest.raises(UsageError, match='val.metrics.niqe.better: found better: higher, but lower is better'):
        drop_missing_metrics({'niqe': {'type': 'calculate_niqe', 'crop_border': 0, 'better': 'higher'}})


def test_a_metric_that_is_no_section():
    with pytest.raises(UsageError, match="val.metrics.psnr: expected a type and its options, found 'dic'"):
        drop_missing_metrics({'psnr': 'dic'})


@pytest.mark.parametrize(('metric', 'message'), [
    ({**PSNR, 'crop_border': 8}, 'm.crop_border: calculate_protocol_psnr has no such option; known: better'),
    ({'type': 'calculate_lpips', 'nett': 'vgg'}, "m.nett: calculate_lpips has no such option; did you mean 'net'"),
    ({'type': 'calculate_psnr'}, 'm.crop_border: is missing; calculate_psnr needs the option crop_border'),
    ({**PSNR, 'on_missing': 'skp'}, "m.on_missing: expected skip, found 'skp'"),
    ({'type': 'calculate_lpips', 'net': 'alx', 'on_missing': 'skip'}, "no trunk 'alx'"),  # wrong, not missing
    ({'type': 'calculate_protocol_psnr', 'protocol': 'dc', 'on_missing': 'skip'}, "'dc' is unknown"),
])
def test_options_that_would_have_no_effect_or_are_wrong_are_refused(metric, message):
    with pytest.raises(UsageError, match=message):
        drop_missing_metrics({'m': metric})


def test_a_metric_of_somebody_else_may_look_into_its_keywords():
    def calculate_theirs(img, img2, **kwargs):
        return kwargs['window']

    METRIC_REGISTRY._do_register('calculate_theirs', calculate_theirs)
    try:
        assert drop_missing_metrics({'m': {'type': 'calculate_theirs', 'window': 3}}) == {}
    finally:
        del METRIC_REGISTRY._obj_map['calculate_theirs']
