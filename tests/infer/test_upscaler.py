import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from students import make_student, save_student

from pkdn_basicsr.infer.upscaler import FaceUpscaler

RNG = np.random.default_rng(0)
FACE = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)
NEEDS_EVEN = {'scale': 4, 'num_enc_blocks': [0, 0, 0], 'num_dec_blocks': [0, 0, 0]}


@pytest.fixture
def upscaler(tmp_path):
    return FaceUpscaler(save_student(tmp_path / 'a.pth'))


def _by_network(net, array):
    lq = torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255
    return (255 * net(lq)[0].clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()


def test_an_array_gets_what_the_network_makes_of_it(upscaler):
    result = upscaler.upscale(FACE)
    assert result.shape == (160, 192, 3)
    assert result.dtype == np.uint8
    assert np.array_equal(result, _by_network(make_student(), FACE))


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L', 'LA', 'P', 'CMYK'])
def test_an_image_gives_an_image(upscaler, mode):
    image = Image.fromarray(FACE).convert(mode)
    result = upscaler.upscale(image)
    assert isinstance(result, Image.Image)
    assert result.size == (192, 160)
    assert result.mode == {'P': 'RGB', 'CMYK': 'RGB'}.get(mode, mode)
    if mode == 'RGB':
        assert np.array_equal(np.array(result), upscaler.upscale(FACE))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_an_image_is_turned_upright(upscaler, orientation):
    image = Image.fromarray(FACE)
    image.getexif()[0x0112] = orientation
    result = upscaler.upscale(image)
    assert np.array_equal(np.array(result), upscaler.upscale(np.array(ImageOps.exif_transpose(image))))
    assert result.getexif().get(0x0112, 1) == 1  # nobody turns it again


def test_alpha_is_enlarged_by_bicubic(upscaler):
    alpha = FACE[..., 0]
    result = upscaler.upscale(np.dstack([FACE, alpha]))
    assert np.array_equal(result[..., :3], upscaler.upscale(FACE))
    expected = Image.fromarray(alpha).resize((192, 160), Image.Resampling.BICUBIC)
    assert np.array_equal(result[..., 3], np.array(expected))


def test_16_bits_are_finer_and_else_alike(upscaler):
    result = upscaler.upscale(FACE.astype(np.uint16) * 257)
    assert result.dtype == np.uint16
    assert np.abs(result / 257 - upscaler.upscale(FACE)).max() <= 0.501
    assert (result % 257).any()


def test_sizes_that_the_network_does_not_take_are_padded_by_reflection(tmp_path):
    upscaler = FaceUpscaler(save_student(tmp_path / 'a.pth', **NEEDS_EVEN))
    odd = FACE[:7, :9]
    with pytest.raises(ValueError, match='multiples'):
        _by_network(upscaler.net, odd)
    padded = np.pad(odd, ((0, 1), (0, 1), (0, 0)), mode='symmetric')
    assert np.array_equal(upscaler.upscale(odd), _by_network(upscaler.net, padded)[:28, :36])
    assert upscaler.upscale(FACE[:1, :1]).shape == (4, 4, 3)


def test_self_ensemble_averages_the_two_mirrorings(tmp_path):
    upscaler = FaceUpscaler(save_student(tmp_path / 'a.pth'), self_ensemble=True)
    faces = FACE[None].astype(np.float32) / 255
    lq = torch.from_numpy(faces).permute(0, 3, 1, 2)
    both = [make_student()(lq), make_student()(lq.flip(3)).flip(3)]
    assert not torch.allclose(*both)
    expected = torch.stack(both).mean(0).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    assert np.allclose(upscaler.super_resolve(faces), expected, atol=1e-6)
    assert np.allclose(upscaler.super_resolve(faces[:, :, ::-1].copy()), expected[:, :, ::-1], atol=1e-6)


def test_net_card_and_scale_are_there(upscaler):
    assert isinstance(upscaler.net, torch.nn.Module)
    assert upscaler.scale == upscaler.card.scale == 8


def test_what_cannot_be_done_is_said(upscaler, tmp_path, usage_error):
    with usage_error('128x128', '200x200', '--shrink 32', '--photo --detector FILE'):
        upscaler.upscale(np.zeros((200, 200, 3), np.uint8))
    assert upscaler.upscale(np.zeros((256, 8), np.uint8)).shape == (2048, 64)
    with usage_error('uint8'):
        upscaler.upscale(FACE / 255)
    for device in ('gpu', 'cuda:99'):
        with usage_error('--device', device):
            FaceUpscaler(save_student(tmp_path / 'b.pth'), device)


def test_too_little_memory_is_said_in_a_line(upscaler, monkeypatch, usage_error):
    def run(*_):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory.\nlong story')

    monkeypatch.setattr(upscaler.net, 'forward', run)
    with usage_error('24x20', '--batch'):
        upscaler.upscale(FACE)
