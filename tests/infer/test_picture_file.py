import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from pkdn_basicsr.infer.picture import Picture, picture_of_array
from pkdn_basicsr.infer.picture_file import FORMATS, encode, read_picture_file

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (5, 7, 4), dtype=np.uint16)


def _decode(content):
    return np.array(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_pictures_are_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / 'a.png', exif=exif)
    expected = np.array(ImageOps.exif_transpose(Image.open(tmp_path / 'a.png')))
    assert np.array_equal(read_picture_file(tmp_path / 'a.png').rgb, expected)


@pytest.mark.parametrize('suffix', ['png', 'tif'])
@pytest.mark.parametrize('channels', [0, slice(0, 3)], ids=['grey', 'RGB'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_deep_pictures_are_turned_upright_too(tmp_path, orientation, channels, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    array, deep = DEEP[..., channels], tmp_path / f'deep.{suffix}'
    Image.fromarray((array >> 8).astype(np.uint8)).save(tmp_path / 'shallow.png', exif=exif)
    if suffix == 'tif':
        tifffile.imwrite(deep, array, photometric='rgb' if array.ndim == 3 else 'minisblack',
                         extratags=[(0x0112, 'H', 1, orientation, True)])
    else:
        content = encode(picture_of_array(array), 'png')
        deep.write_bytes(_with_chunk(content, b'eXIf', exif.tobytes().removeprefix(b'Exif\0\0')))
    picture = read_picture_file(deep)
    assert picture.rgb.dtype == np.uint16
    assert picture.grey == (array.ndim == 2)
    assert np.array_equal(picture.rgb >> 8, read_picture_file(tmp_path / 'shallow.png').rgb)


def _with_chunk(png, name, data):
    header = 33  # signature and first chunk
    chunk = struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    return png[:header] + chunk + png[header:]


@pytest.mark.parametrize(('channels', 'grey'), [(slice(0, 1), True), (slice(0, 3), False), (slice(0, 4), False)])
def test_16_bits_are_kept_in_png(tmp_path, channels, grey):
    array = DEEP[..., channels]
    order = [2, 1, 0, 3][:array.shape[2]] if not grey else [0]
    cv2.imwrite(str(tmp_path / 'a.png'), array[..., order])
    picture = read_picture_file(tmp_path / 'a.png')
    assert picture.grey == grey
    assert np.array_equal(picture.rgb, np.broadcast_to(array[..., :3], picture.rgb.shape))
    content = encode(picture, 'png')
    assert np.array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED).reshape(array.shape),
                          array[..., order])
    (tmp_path / 'b.png').write_bytes(content)
    if picture.alpha is not None:
        assert np.array_equal(read_picture_file(tmp_path / 'b.png').alpha, DEEP[..., 3])


def test_grey_with_alpha_stays_so_in_16_bits(tmp_path):
    picture = Picture(np.repeat(DEEP[..., :1], 3, axis=2), DEEP[..., 3], grey=True)
    (tmp_path / 'a.png').write_bytes(encode(picture, 'png'))
    assert Image.open(tmp_path / 'a.png').tile[0].args == 'LA;16B'
    back = read_picture_file(tmp_path / 'a.png')
    assert back.grey
    assert np.array_equal(back.rgb, picture.rgb)
    assert np.array_equal(back.alpha, picture.alpha)


@pytest.mark.parametrize('channels', [0, slice(0, 3)], ids=['grey', 'RGB'])
def test_a_transparent_colour_of_16_bits_becomes_alpha(tmp_path, channels):
    array = DEEP[..., channels]
    content = encode(picture_of_array(array), 'png')
    (tmp_path / 'a.png').write_bytes(_with_chunk(content, b'tRNS', array[2:3, 3].astype('>u2').tobytes()))
    picture = read_picture_file(tmp_path / 'a.png')
    assert picture.grey == (array.ndim == 2)
    assert np.argwhere(picture.alpha != 65535).tolist() == [[2, 3]]
    assert picture.alpha[2, 3] == 0


@pytest.mark.parametrize('file_format', FORMATS)
def test_formats_are_what_they_are_called(file_format):
    smooth = np.array(Image.fromarray(RGB).resize((64, 64), Image.Resampling.BICUBIC))
    content = encode(picture_of_array(smooth), file_format)
    assert Image.open(io.BytesIO(content)).format == {'jpg': 'JPEG'}.get(file_format, file_format.upper())
    worst = np.abs(_decode(content).astype(int) - smooth).max()
    assert worst < 25 if file_format == 'jpg' else worst == 0


def test_transparency_is_kept_or_refused(usage_error):
    picture = picture_of_array(np.dstack([RGB, RGB[..., :1]]))
    for file_format in ('png', 'webp'):
        assert np.array_equal(_decode(encode(picture, file_format))[..., 3], RGB[..., 0])
    with usage_error('jpg', 'transparency', '--format png'):
        encode(picture, 'jpg')


def test_16_bits_become_8_where_the_format_has_no_more():
    picture = picture_of_array(DEEP)
    assert np.array_equal(_decode(encode(picture, 'webp')), np.round(DEEP / 257).astype(np.uint8))


@pytest.mark.parametrize('rgb', [RGB, DEEP[..., :3]], ids=['8 bits', '16 bits'])
def test_the_colour_profile_is_kept(rgb):
    picture = Picture(rgb, icc=b'a profile')
    for file_format in FORMATS:
        assert Image.open(io.BytesIO(encode(picture, file_format))).info['icc_profile'] == b'a profile'


def test_too_long_for_a_format(usage_error):
    with usage_error('16384', 'webp', '--format png'):
        encode(picture_of_array(np.zeros((1, 16384), np.uint8)), 'webp')


def test_files_that_cannot_be_read_say_why(tmp_path, usage_error):
    with usage_error('no such file'):
        read_picture_file(tmp_path / 'none.png')
    (tmp_path / 'text.png').write_text('hello')
    with usage_error('not a picture'):
        read_picture_file(tmp_path / 'text.png')
    Image.fromarray(RNG.integers(0, 256, (50, 50, 3), dtype=np.uint8)).save(tmp_path / 'a.png')
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'a.png').read_bytes()[:300])
    with usage_error('cannot be read'):
        read_picture_file(tmp_path / 'cut.png')
    (tmp_path / 'deep.png').write_bytes(encode(picture_of_array(DEEP), 'png')[:60])
    with usage_error('cannot be read'):
        read_picture_file(tmp_path / 'deep.png')
