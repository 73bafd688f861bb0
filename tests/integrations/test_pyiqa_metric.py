import sys
from urllib.error import URLError

import numpy as np
import pytest
from basicsr.metrics import calculate_metric
from basicsr.utils.registry import METRIC_REGISTRY
from skimage.measure import shannon_entropy
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pkdn_basicsr.integrations import pyiqa_metric
from pkdn_basicsr.integrations.pyiqa_metric import offer_pyiqa_metric
from pkdn_basicsr.metrics.measure import measure

pyiqa = pytest.importorskip('pyiqa')


@pytest.fixture(autouse=True)
def _forget():
    known = dict(METRIC_REGISTRY._obj_map)
    pyiqa_metric._make.cache_clear()
    yield
    METRIC_REGISTRY._obj_map = known


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (48, 40, 3), dtype=np.uint8)
    noise = rng.integers(-20, 21, truth.shape)
    return {'img': np.clip(truth + noise, 0, 255).astype(np.uint8), 'img2': truth}


def value(name, pictures, **options):
    offer_pyiqa_metric(f'pyiqa_{name}')
    return calculate_metric(pictures, {'type': f'pyiqa_{name}', **options})


def rgb(picture):
    return picture[..., ::-1] / 255.


def luma(picture):
    return picture[..., ::-1] @ [0.299, 0.587, 0.114]  # of 0..255, unlike the 16..235 of BasicSR


@pytest.mark.parametrize('crop_border', [0, 4])
def test_psnr_is_that_of_skimage(pictures, crop_border):
    border = slice(crop_border, -crop_border or None)
    truth, result = (rgb(pictures[key])[border, border] for key in ('img2', 'img'))
    assert value('psnr', pictures, crop_border=crop_border) == pytest.approx(
        peak_signal_noise_ratio(truth, result, data_range=1), abs=1e-3)


def test_colours_are_not_swapped(pictures):
    truth, result = (luma(pictures[key]) for key in ('img2', 'img'))
    assert value('psnry', pictures) == pytest.approx(peak_signal_noise_ratio(truth, result, data_range=255), abs=1e-2)


def test_ssim_is_that_of_skimage(pictures):
    truth, result = (luma(pictures[key]).round() for key in ('img2', 'img'))
    _, values = structural_similarity(truth, result, data_range=255, gaussian_weights=True, sigma=1.5, full=True,
                                      use_sample_covariance=False)
    assert value('ssim', pictures) == pytest.approx(values[5:-5, 5:-5].mean(), abs=1e-3)


def test_without_truth(pictures):
    grey = luma(pictures['img']).round().astype(np.uint8)
    assert value('entropy', {'img': pictures['img']}) == pytest.approx(shannon_entropy(grey), abs=0.01)


@pytest.mark.parametrize(('name', 'better', 'needs_truth'), [
    ('psnr', 'higher', True), ('gmsd', 'lower', True), ('entropy', 'higher', False), ('piqe', 'lower', False)])
def test_direction_and_need_of_the_truth(pictures, usage_error, name, better, needs_truth):
    offer_pyiqa_metric(f'pyiqa_{name}')
    assert METRIC_REGISTRY.get(f'pyiqa_{name}').better == better
    metrics = {'mine': {'type': f'pyiqa_{name}'}}
    if needs_truth:
        with usage_error('val.metrics.mine', 'dataroot_gt'):
            measure(metrics, pictures['img'], None, 'a.png')
    else:
        assert measure(metrics, pictures['img'], None, 'a.png') == measure(metrics, **_named(pictures))


def _named(pictures):
    return {'result': pictures['img'], 'truth': pictures['img2'], 'image': 'a.png'}


def test_offering_twice_changes_nothing():
    offer_pyiqa_metric('pyiqa_psnr')
    first = METRIC_REGISTRY.get('pyiqa_psnr')
    offer_pyiqa_metric('pyiqa_psnr')
    assert METRIC_REGISTRY.get('pyiqa_psnr') is first


def test_the_metric_is_made_once(pictures, monkeypatch):
    made = []
    create = pyiqa.create_metric
    monkeypatch.setattr(pyiqa, 'create_metric', lambda *args, **kwargs: made.append(args) or create(*args, **kwargs))
    offer_pyiqa_metric('pyiqa_psnr')
    METRIC_REGISTRY.get('pyiqa_psnr').check()
    value('psnr', pictures)
    value('psnr', pictures)
    assert len(made) == 1


@pytest.mark.parametrize(('name', 'words'), [('musik', ["'musik'", 'pyiqa_musiq']), ('fid', ['folders'])])
def test_no_such_metric(name, words, usage_error):
    with usage_error(f'pyiqa_{name}', *words):
        offer_pyiqa_metric(f'pyiqa_{name}')
    assert f'pyiqa_{name}' not in METRIC_REGISTRY


def test_weights_that_cannot_be_fetched(monkeypatch, usage_error):
    def offline(*_, **__):
        raise URLError('Name or\nservice not known')
    monkeypatch.setattr('torch.hub.download_url_to_file', offline)
    monkeypatch.setattr('pyiqa.utils.download_util.download_url_to_file', offline)
    monkeypatch.setattr('pyiqa.utils.download_util.os.path.exists', lambda _: False)
    offer_pyiqa_metric('pyiqa_niqe')
    with usage_error('pyiqa cannot make niqe', 'URLError', "create_metric('niqe')"):
        METRIC_REGISTRY.get('pyiqa_niqe').check(better='lower')


def test_without_pyiqa(monkeypatch, usage_error):
    for module in ('pyiqa', 'pyiqa.default_model_configs'):
        monkeypatch.setitem(sys.modules, module, None)
    offer_pyiqa_metric('pyiqa_musiq')
    with usage_error('pyiqa_musiq needs a package', "pip install 'pkdn_basicsr[pyiqa]'"):
        METRIC_REGISTRY.get('pyiqa_musiq').check()


def test_without_a_package_of_pyiqa(monkeypatch, usage_error):
    def fail(*_, **__):
        raise KeyError("No object named 'CFANet' found in 'arch' registry!")
    monkeypatch.setattr(pyiqa, 'create_metric', fail)
    offer_pyiqa_metric('pyiqa_topiq_nr')
    with usage_error('pyiqa_topiq_nr needs a package', 'CFANet', "pip install 'pkdn_basicsr[pyiqa]'"):
        METRIC_REGISTRY.get('pyiqa_topiq_nr').check()


def test_pictures_that_it_cannot_take(pictures, usage_error):
    with usage_error('pyiqa_ms_ssim', '(48, 40, 3)'):
        value('ms_ssim', pictures)
