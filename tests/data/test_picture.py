import struct

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.picture import picture_to_tensor, read_parsing, read_picture
from pkdn_basicsr.errors import UsageError

CELEBA, HELEN = get_scheme('celebamask_hq'), get_scheme('helen')


def noise(*shape, high=256, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, high, shape, dtype=dtype)


def save(path, array, mode=None, **how):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **how)
    return str(path)


# pictures

def test_a_png_is_read_as_it_is(tmp_path):
    array = noise(5, 7, 3)
    image = read_picture(save(tmp_path / 'a.png', array))
    assert image.mode == 'RGB'
    assert np.array_equal(np.asarray(image), array)


def test_a_jpeg_is_read_as_pil_decodes_it(tmp_path):
    path = save(tmp_path / 'a.jpg', noise(16, 24, 3))
    assert np.array_equal(np.asarray(read_picture(path)), np.asarray(Image.open(path)))


@pytest.mark.parametrize(('name', 'mode'), [('a.png', 'P'), ('a.png', 'RGBA'), ('a.jpg', 'CMYK'), ('a.webp', 'RGB'),
                                            ('a.bmp', 'RGB'), ('a.tif', 'RGB')])
def test_every_8_bit_mode_and_format_becomes_rgb(tmp_path, name, mode):
    path = save(tmp_path / name, noise(16, 24, 3), mode)
    image = read_picture(path)
    assert image.mode == 'RGB'
    assert image.size == (24, 16)
    assert np.array_equal(np.asarray(image), np.asarray(Image.open(path).convert('RGB')))


@pytest.mark.parametrize(('name', 'mode'), [('a.png', 'L'), ('a.png', 'LA'), ('a.jpg', 'L')])
def test_a_grey_picture_is_no_colour_face(tmp_path, name, mode, usage_error):
    path = save(tmp_path / name, noise(16, 24, 3), mode)
    with usage_error(path, 'grey', mode):
        read_picture(path)


@pytest.mark.parametrize('name', ['a.jpg', 'a.png'])
def test_a_picture_taken_sideways_is_turned_upright(tmp_path, name):
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: the camera was turned by 90 degrees
    array = np.zeros((16, 32, 3), dtype=np.uint8)
    array[:, :16] = 255  # bright on the left as stored, so bright above when upright
    image = read_picture(save(tmp_path / name, array, exif=exif))
    assert image.size == (16, 32)
    assert np.asarray(image)[:14].min() > 240
    assert np.asarray(image)[18:].max() < 15


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_a_16_bit_png_is_refused(tmp_path, channels, usage_error):
    path = str(tmp_path / 'deep.png')
    shape = (8, 8) if channels == 1 else (8, 8, channels)
    assert cv2.imwrite(path, noise(*shape, high=65536, dtype=np.uint16))
    with usage_error(path, '8-bit', '16 bits', 'convert'):
        read_picture(path)


def test_a_16_bit_tiff_is_refused(tmp_path, usage_error):
    path = str(tmp_path / 'deep.tif')
    assert cv2.imwrite(path, noise(8, 8, 3, high=65536, dtype=np.uint16))
    with usage_error(path, '8-bit', '16 bits', 'convert'):
        read_picture(path)


@pytest.mark.parametrize('mode', ['1', 'F'])
def test_a_picture_of_another_depth_is_refused(tmp_path, mode, usage_error):
    with usage_error('a.tif', '8-bit', f'mode {mode}', 'convert'):
        read_picture(save(tmp_path / 'a.tif', noise(8, 8), mode))


# damaged files, of pictures and maps alike

def read_map(path):
    return read_parsing(path, CELEBA)


either = pytest.mark.parametrize('read', [read_picture, read_map])


@either
def test_a_missing_file_is_named(tmp_path, read, usage_error):
    with usage_error(tmp_path / 'a.png', 'no such file'):
        read(str(tmp_path / 'a.png'))


@either
@pytest.mark.parametrize('content', [b'', b'not a picture\n', b'<html>', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'])
def test_a_file_that_is_no_picture_is_named(tmp_path, read, content, usage_error):
    (tmp_path / 'a.png').write_bytes(content)
    with usage_error(tmp_path / 'a.png', 'read', 'replace the file'):
        read(str(tmp_path / 'a.png'))


@either
@pytest.mark.parametrize('name', ['a.png', 'a.jpg'])
def test_a_truncated_file_is_named(tmp_path, read, name, usage_error):
    path = tmp_path / name
    save(path, noise(64, 64))
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    with usage_error(path, 'cannot be read', 'replace the file'):
        read(str(path))


@pytest.mark.filterwarnings('ignore::UserWarning:PIL')
@pytest.mark.parametrize('name', ['a.png', 'a.jpg', 'a.bmp', 'a.tif', 'a.webp'])
def test_cut_off_anywhere_a_file_is_read_or_named(tmp_path, name):
    path = tmp_path / name
    save(path, noise(12, 12, 3))
    content = path.read_bytes()
    messages = []
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        try:
            read_picture(str(path))
        except UsageError as error:
            messages.append(str(error))
    assert len(messages) > 0.2 * len(content)
    assert all(message.startswith(str(path)) and '\n' not in message for message in messages)


def test_a_picture_of_absurd_size_is_named(tmp_path, usage_error):
    path = tmp_path / 'a.bmp'
    save(path, noise(4, 4, 3))
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack('<ii', 30_000, 30_000)  # width and height
    path.write_bytes(content)
    with usage_error(path, 'cannot be read', 'decompression bomb'):
        read_picture(str(path))


def test_a_folder_for_a_file_is_named(tmp_path, usage_error):
    (tmp_path / 'a.png').mkdir()
    with usage_error(tmp_path / 'a.png', 'cannot be read'):
        read_picture(str(tmp_path / 'a.png'))


# parsing maps

def test_a_grey_map_gives_its_values(tmp_path):
    array = noise(9, 7, high=19)
    image = read_parsing(save(tmp_path / 'a.png', array), CELEBA)
    assert image.mode == 'L'
    assert np.array_equal(np.asarray(image), array)


@pytest.mark.parametrize('classes', [2, 4, 16, 19])
def test_a_palette_map_gives_its_indices_whatever_the_colours(tmp_path, classes):
    array = noise(9, 7, high=classes)
    image = Image.fromarray(array)
    image.putpalette(noise(classes, 3).ravel().tolist())
    assert image.mode == 'P'
    image.save(tmp_path / 'a.png', bits={2: 1, 4: 2, 16: 4, 19: 8}[classes])
    image = read_parsing(str(tmp_path / 'a.png'), CELEBA)
    assert image.mode == 'L'
    assert np.array_equal(np.asarray(image), array)


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'LA'])
def test_a_map_of_several_channels_is_refused(tmp_path, mode, usage_error):
    path = save(tmp_path / 'a.png', noise(9, 7, high=19), mode)
    with usage_error(path, 'single-channel', mode, 'not their colours'):
        read_parsing(path, CELEBA)


def test_a_16_bit_map_is_refused(tmp_path, usage_error):
    path = str(tmp_path / 'a.png')
    assert cv2.imwrite(path, noise(9, 7, high=19, dtype=np.uint16))
    with usage_error(path, '8-bit'):
        read_parsing(path, CELEBA)


@pytest.mark.parametrize(('scheme', 'index'), [(CELEBA, 19), (CELEBA, 254), (HELEN, 11)])
def test_an_index_out_of_the_scheme_is_named(tmp_path, scheme, index, usage_error):
    array = np.zeros((9, 7), dtype=np.uint8)
    array[3, 4] = index
    path = save(tmp_path / 'a.png', array)
    with usage_error(path, f'class index {index}', scheme.name, 'parsing_scheme'):
        read_parsing(path, scheme)


@pytest.mark.parametrize('scheme', [CELEBA, HELEN])
def test_the_last_class_and_255_are_allowed(tmp_path, scheme):
    array = np.full((9, 7), 255, dtype=np.uint8)
    array[0] = scheme.num_classes - 1
    assert np.array_equal(np.asarray(read_parsing(save(tmp_path / 'a.png', array), scheme)), array)


# tensors

def test_every_value_of_a_picture_survives_the_tensor():
    array = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    array[..., 1] = array[..., 1].T
    tensor = picture_to_tensor(Image.fromarray(array))
    assert tensor.dtype == torch.float32
    assert tensor.shape == (3, 16, 16)
    assert tensor.is_contiguous()
    assert (tensor.min(), tensor.max()) == (0, 1)
    assert np.array_equal((tensor * 255).round().byte().numpy().transpose(1, 2, 0), array)
    assert torch.equal(tensor, torch.from_numpy(array.transpose(2, 0, 1).astype(np.float32) / np.float32(255)))


def test_the_channels_are_red_green_blue():
    tensor = picture_to_tensor(Image.new('RGB', (2, 3), (255, 51, 0)))
    assert tensor.shape == (3, 3, 2)
    assert tensor[:, 0, 0].tolist() == pytest.approx([1, 0.2, 0])
