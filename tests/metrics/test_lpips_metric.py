import hashlib

import lpips
import numpy as np
import pytest
import torch
import torchvision
from basicsr.metrics import calculate_metric

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics import lpips_metric
from pkdn_basicsr.metrics.lpips_metric import TRUNKS, calculate_lpips, check_lpips

BUILD = {'alex': torchvision.models.alexnet, 'squeeze': torchvision.models.squeezenet1_1}


@pytest.fixture(scope='module', params=['squeeze', 'alex'])
def trunk(request, tmp_path_factory):
    """A trunk with fixed random weights, saved under the name that torch.hub gives the published ones."""
    torch.manual_seed(0)
    net = BUILD[request.param](weights=None)
    folder = tmp_path_factory.mktemp('hub') / 'checkpoints'
    folder.mkdir()
    torch.save(net.state_dict(), folder / TRUNKS[request.param].file_name)
    return request.param, folder / TRUNKS[request.param].file_name


def options(trunk):
    net, path = trunk
    return {'net': net, 'weights': str(path), 'weights_sha256': hashlib.sha256(path.read_bytes()).hexdigest()}


def pictures(size=40):
    rng = np.random.default_rng(0)
    return tuple(rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(2))


@pytest.mark.filterwarnings('ignore')
def test_distance_is_that_of_the_package_with_the_same_trunk(trunk, monkeypatch):
    net, path = trunk
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(path.parents[1]))  # where torchvision looks before it loads
    oracle = lpips.LPIPS(net=net, verbose=False)
    result, truth = pictures()
    rgb = [torch.tensor(picture[:, :, ::-1].copy()).permute(2, 0, 1)[None] / 255. for picture in (result, truth)]
    expected = oracle(*rgb, normalize=True).item()
    assert expected > 1e-3
    assert calculate_lpips(result, truth, **options(trunk)) == pytest.approx(expected, rel=1e-5)


def test_colour_order_matters_and_equal_pictures_have_no_distance(trunk):
    result, truth = pictures()
    opt = options(trunk)
    assert calculate_lpips(truth, truth, **opt) == 0
    assert calculate_lpips(result[..., ::-1], truth[..., ::-1], **opt) != calculate_lpips(result, truth, **opt)


def test_option_files_call_it(trunk):
    result, truth = pictures()
    opt = {'type': 'calculate_lpips', 'better': 'lower', 'on_missing': 'skip', **options(trunk)}
    assert calculate_metric({'img': result, 'img2': truth}, opt) == calculate_lpips(result, truth, **options(trunk))


def test_a_missing_trunk_says_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    with pytest.raises(UsageError) as error:
        check_lpips('alex', on_missing='skip')
    assert 'https://download.pytorch.org/models/alexnet-owt-7be5be79.pth' in str(error.value)
    assert str(tmp_path / 'checkpoints' / 'alexnet-owt-7be5be79.pth') in str(error.value)


def test_other_weights_are_refused_by_their_hash(trunk):
    net, path = trunk
    with pytest.raises(UsageError, match=f'expected SHA-256 {TRUNKS[net].file_name[-12:-4]}'):
        calculate_lpips(*pictures(), net=net, weights=str(path))


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('net', TRUNKS)
def test_the_smallest_side_is_the_trunks(net, monkeypatch):
    monkeypatch.setattr(lpips_metric, '_model', lambda *_: lpips.LPIPS(net=net, pnet_rand=True, verbose=False))
    side = TRUNKS[net].min_side
    assert calculate_lpips(*pictures(side), net=net) >= 0
    with pytest.raises(UsageError, match=f'at least {side}x{side}'):
        calculate_lpips(*pictures(side - 1), net=net)


def test_wrong_input_is_named(trunk):
    result, truth = pictures()
    with pytest.raises(UsageError, match="no trunk 'alexnet'; expected one of alex, vgg, squeeze"):
        calculate_lpips(result, truth, net='alexnet')
    with pytest.raises(UsageError, match='of one size'):
        calculate_lpips(result[:-1], truth, **options(trunk))
    with pytest.raises(UsageError, match='colour pictures'):
        calculate_lpips(result[..., 0], truth[..., 0], **options(trunk))
