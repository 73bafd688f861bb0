import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pkdn_basicsr.data.degradation import downsample


def picture(width, height, seed=0, mode='RGB'):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def cubic(x, a=-0.5):
    """Keys' kernel."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def weights(length, scale, a=-0.5):
    """(length / scale, length): the kernel widened by `scale`, cut off at the borders and normalised."""
    centres = (np.arange(length // scale) + 0.5) * scale
    table = cubic((np.arange(length)[None] + 0.5 - centres[:, None]) / scale, a)
    return table / table.sum(1, keepdims=True)


@given(st.sampled_from([1, 2, 3, 4, 8, 16]), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99),
       st.sampled_from(['RGB', 'L']))
def test_is_pil_bicubic_of_the_8_bit_picture_bit_for_bit(scale, columns, rows, seed, mode):
    image = picture(columns * scale, rows * scale, seed, mode)
    low = downsample(image, scale)
    assert low.mode == mode
    assert low.size == (columns, rows)
    assert low.tobytes() == image.resize((columns, rows), Image.BICUBIC).tobytes()


@pytest.mark.parametrize('scale', [2, 4, 8])
def test_is_the_antialiased_cubic_of_a_half(scale):
    coarse = np.random.default_rng(scale).integers(0, 2, (64 // scale, 96 // scale, 3), dtype=np.uint8) * 255
    fine = np.roll(coarse.repeat(scale, 0).repeat(scale, 1), scale // 2, (0, 1))  # edges amid the new pixels
    ours = np.asarray(downsample(Image.fromarray(fine), scale), dtype=float)

    def difference(a):
        rows = np.einsum('hwc,xw->hxc', fine.astype(float), weights(96, scale, a)).clip(0, 255).round()
        return np.abs(ours - np.einsum('yh,hxc->yxc', weights(64, scale, a), rows).clip(0, 255)).max()
    assert difference(-0.5) <= 1
    assert difference(-0.75) > 3  # the kernel of cv2 and torch


@given(st.sampled_from([2, 3, 4, 8]), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_a_mirrored_picture_gives_the_mirrored_low_resolution_picture(scale, columns, rows, seed):
    mirror = Image.Transpose.FLIP_LEFT_RIGHT
    image = picture(columns * scale, rows * scale, seed)
    assert downsample(image.transpose(mirror), scale).tobytes() == downsample(image, scale).transpose(mirror).tobytes()


def test_png_changes_nothing():
    low = downsample(picture(64, 64), 8)
    file = io.BytesIO()
    low.save(file, 'png')
    assert Image.open(file).tobytes() == low.tobytes()


@pytest.mark.parametrize('size', [(63, 64), (64, 63), (4, 8)])
def test_a_side_that_is_no_multiple_of_the_scale_is_refused(size, usage_error):
    with usage_error(f'{size[0]}x{size[1]}', 'multiples', '8'):
        downsample(picture(*size), 8)


def test_every_stored_face_of_the_dic_test_set_is_made_exactly_so(shared_data):
    folder = shared_data / 'celeba_test_dic_1000'
    stored = {path.name: path for path in (folder / 'LR').glob('*.png')}
    originals = sorted((folder / 'HR').glob('*.png'))
    assert len(originals) == len(stored) == 1000
    different = [path.name for path in originals
                 if downsample(Image.open(path), 8).tobytes() != Image.open(stored[path.name]).tobytes()]
    assert different == []
