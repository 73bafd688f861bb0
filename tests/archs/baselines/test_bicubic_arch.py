import numpy as np
import pytest
import torch
from basicsr.archs import build_network
from basicsr.metrics import calculate_psnr
from PIL import Image

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.data.degradation import downsample


def _enlarge(net: Bicubic, picture: Image.Image) -> np.ndarray:
    sr = net(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255)
    return (sr[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


@pytest.mark.parametrize('scale', [2, 4, 8, 16])
def test_network_is_pils_bicubic_within_one_grey_level(scale):
    # mid greys: PIL clips between its horizontal and its vertical pass, which in noise from 0 to 255 shows
    picture = Image.fromarray(np.random.default_rng(0).integers(48, 208, (12, 20, 3), dtype=np.uint8))
    expected = np.asarray(picture.resize((20 * scale, 12 * scale), Image.Resampling.BICUBIC))
    assert np.abs(_enlarge(Bicubic(scale), picture).astype(int) - expected).max() <= 1


def test_network_is_registered_takes_its_scale_and_has_nothing_to_train():
    net = build_network({'type': 'Bicubic', 'scale': 3})
    sr = net(torch.zeros(1, 3, 5, 7))
    assert sr.shape == (1, 3, 15, 21)
    assert sr.is_contiguous()
    assert list(net.parameters()) == []
    assert Bicubic()(torch.zeros(1, 3, 2, 2)).shape == (1, 3, 16, 16)


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match='upscale'):
        Bicubic(upscale=4)


def test_celeba_dic_reads_23_58_db_on_y_without_its_border(shared_data):
    """The published figure of the whole set; torch's default kernel would read 23.71."""
    net, psnrs = Bicubic(8), []
    for path in sorted((shared_data / 'celeba_test_dic_1000' / 'HR').glob('*.png')):
        with Image.open(path) as file:
            gt = file.convert('RGB')
        sr = _enlarge(net, downsample(gt, 8))
        psnrs.append(calculate_psnr(sr[..., ::-1], np.asarray(gt)[..., ::-1], crop_border=8, test_y_channel=True))
    assert len(psnrs) == 1000
    assert np.mean(psnrs) == pytest.approx(23.58, abs=0.005)
