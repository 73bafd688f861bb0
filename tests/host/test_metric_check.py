import pytest

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.metric_check import drop_missing_metrics

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


@pytest.mark.parametrize('name', ['calculate_psnrr', None])
def test_a_misspelt_metric_suggests_the_nearest(name):
    with pytest.raises(UsageError, match=r"val.metrics.psnr.type: .* is no metric; did you mean '"):
        drop_missing_metrics({'psnr': {'type': name}})


@pytest.mark.parametrize(('metric', 'better'), [
    ('calculate_lpips', 'lower'), ('calculate_protocol_psnr', 'higher'), ('calculate_niqe', 'lower')])
def test_the_direction_of_a_metric_is_known(metric, better):
    metrics = {'m': {'type': metric, 'protocol': 'dic', 'on_missing': 'skip'}}
    kept = dict(metrics)
    drop_missing_metrics(metrics)
    assert kept['m']['better'] == better


def test_a_wrong_direction_is_an_error():
    with pytest.raises(UsageError, match='val.metrics.niqe: found better: higher, but lower is better'):
        drop_missing_metrics({'niqe': {'type': 'calculate_niqe', 'better': 'higher'}})


def test_a_metric_that_is_no_section():
    with pytest.raises(UsageError, match="val.metrics.psnr: expected a type and its options, found 'dic'"):
        drop_missing_metrics({'psnr': 'dic'})
