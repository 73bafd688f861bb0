import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.infer.deep_png import encode_deep_png

DEEP = np.random.default_rng(0).integers(0, 65536, (5, 7, 4), dtype=np.uint16)


@pytest.mark.parametrize('kept', [[0], [0, 3], [0, 1, 2], [0, 1, 2, 3]], ids=str)
@pytest.mark.parametrize('width', [1, 7])
def test_other_libraries_read_the_same_pixels(kept, width):
    array = DEEP[:, :width, kept]
    decoded = cv2.imdecode(np.frombuffer(encode_deep_png(array), np.uint8), cv2.IMREAD_UNCHANGED)
    order = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[len(kept)]  # OpenCV has no grey with alpha
    assert decoded.dtype == np.uint16
    assert np.array_equal(decoded.reshape(5, width, -1), array[..., order])


def test_the_profile_is_where_readers_look():
    assert Image.open(io.BytesIO(encode_deep_png(DEEP, b'a profile'))).info['icc_profile'] == b'a profile'
    assert 'icc_profile' not in Image.open(io.BytesIO(encode_deep_png(DEEP))).info


def test_a_smooth_picture_takes_less_room():
    ramp = np.linspace(0, 65535, 4096, dtype=np.uint16).reshape(64, 64, 1)
    assert len(encode_deep_png(ramp)) < ramp.nbytes / 4
