import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.demo.upload import FORMATS, read_upload


def _png_that_claims(width, height):
    """Return a PNG of a few bytes whose header promises a large picture."""
    def chunk(kind, content):
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))

    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(b'\0' * 100)) + chunk(b'IEND', b''))


@pytest.mark.parametrize('file_format', FORMATS)
def test_pictures_of_every_format_whatever_their_name(tmp_path, file_format):
    array = np.full((10, 12, 3), 200, np.uint8)
    Image.fromarray(array).save(tmp_path / 'face.txt', file_format)
    assert np.abs(read_upload(tmp_path / 'face.txt').rgb.astype(int) - array).max() <= 2


@pytest.mark.parametrize(('content', 'said'), [
    (b'hello\n' * 100, 'not a picture'),
    (b'', 'not a picture'),
    (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n', 'not a picture'),
    (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 'not a picture'),
    (_png_that_claims(40, 40), 'cannot be read'),
    (_png_that_claims(8000, 8000), '8000×8000'),
    (_png_that_claims(100_000, 100_000), '50 million pixels'),
], ids=['text', 'empty', 'eps', 'svg', 'cut off', 'large', 'bomb'])
def test_everything_else_is_a_sentence(tmp_path, content, said, usage_error):
    path = tmp_path / 'face.png'
    path.write_bytes(content)
    with usage_error(said):
        read_upload(path)


def test_a_large_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch, usage_error):
    (tmp_path / 'face.png').write_bytes(_png_that_claims(8000, 8000))
    monkeypatch.setattr(Image.Image, 'load', lambda *_: pytest.fail('decoded'))
    with usage_error('million'):
        read_upload(tmp_path / 'face.png')
