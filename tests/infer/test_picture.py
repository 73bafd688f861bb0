import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.infer.picture import array_of_picture, image_of_picture, picture_of_array, picture_of_image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 3), (5, 7, 4)], ids=str)
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_arrays_come_back_as_they_were(shape, dtype):
    array = RNG.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    picture = picture_of_array(array)
    assert picture.size == (5, 7)
    back = array_of_picture(picture)
    assert back.dtype == dtype
    assert np.array_equal(back, array)


@pytest.mark.parametrize('array', [
    np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros(4, np.uint8)],
    ids=lambda array: f'{array.dtype}{array.shape}')
def test_other_arrays_are_refused(array, usage_error):
    with usage_error('uint8 or uint16', array.shape):
        picture_of_array(array)


@pytest.mark.parametrize(('mode', 'kept'), [
    ('RGB', 'RGB'), ('RGBA', 'RGBA'), ('L', 'L'), ('LA', 'LA'), ('1', 'L'), ('P', 'RGB'), ('CMYK', 'RGB'),
    ('YCbCr', 'RGB')])
def test_images_keep_their_kind_as_far_as_there_is_one(mode, kept):
    image = Image.fromarray(RGB).convert(mode)
    back = image_of_picture(picture_of_image(image))
    assert back.mode == kept
    assert np.array_equal(np.array(back), np.array(image.convert(kept)))


def test_16_bit_grey_comes_back_and_16_bit_colours_are_refused(usage_error):
    values = RNG.integers(0, 65536, (5, 7), dtype=np.uint16)
    back = image_of_picture(picture_of_image(Image.fromarray(values)))
    assert back.mode == 'I;16'
    assert np.array_equal(np.array(back), values)
    with usage_error('16-bit'):
        image_of_picture(picture_of_array(np.zeros((5, 7, 3), np.uint16)))
    with usage_error('PIL mode F'):
        picture_of_image(Image.new('F', (4, 4)))


def test_a_transparent_palette_colour_becomes_alpha():
    image = Image.fromarray(RGB).quantize(4)
    image.info['transparency'] = 2
    assert np.array_equal(picture_of_image(image).alpha == 0, np.array(image) == 2)


def test_colours_are_rounded_and_cut_off_and_grey_gets_their_luma():
    unit = np.full((5, 7, 3), (1.2, 0.5, -0.1), np.float32)
    coloured = picture_of_array(RGB).with_colours(unit)
    assert coloured.rgb[0, 0].tolist() == [255, 128, 0]
    grey = picture_of_array(RGB[..., 0]).with_colours(np.full((5, 7, 3), (1, 0.5, 0), np.float32))
    assert np.unique(grey.rgb).tolist() == [round(255 * (0.299 + 0.587 / 2))]


def test_bicubic_is_pil_s_also_for_16_bits():
    soft = RGB // 4 + 96  # PIL clips 8 bits between its two passes
    deep = picture_of_array(soft.astype(np.uint16) * 257).resized(20, 14)
    shallow = picture_of_array(np.dstack([soft, soft[..., 0]])).resized(20, 14)
    expected = np.array(Image.fromarray(soft).resize((14, 20), Image.Resampling.BICUBIC))
    assert np.array_equal(shallow.rgb, expected)
    assert np.array_equal(shallow.alpha, expected[..., 0])
    assert np.abs(deep.rgb / 257 - expected).max() < 1.1
    assert deep.rgb.dtype == np.uint16
