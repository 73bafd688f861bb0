import io

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.report.check.low_resolution import RIGHT_ONE, WAYS, compare_with_bicubic


@pytest.fixture
def face():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    return coarse.resize((96, 64), Image.Resampling.BICUBIC)


def as_picture(shrunk):
    return shrunk if isinstance(shrunk, Image.Image) else Image.fromarray(shrunk)


def test_pil_bicubic_is_confirmed_to_the_last_bit(face):
    assert compare_with_bicubic(downsample(face, 8), face, 8) is None


@pytest.mark.parametrize('way', [way for way in WAYS if way != RIGHT_ONE])
def test_other_ways_are_recognised(face, way):
    stored = as_picture(WAYS[way](face, 8))
    found = compare_with_bicubic(stored, face, 8)
    assert (found.nearest, found.nearest_mean) == (way, 0)
    difference = np.abs(np.asarray(stored).astype(int) - np.asarray(downsample(face, 8)))
    assert (found.largest, found.mean) == (difference.max(), difference.mean())
    assert str(found).endswith(f'it equals {way}')


def test_one_wrong_value_counts_and_bicubic_stays_the_nearest(face):
    stored = np.array(downsample(face, 8))
    stored[3, 4, 1] ^= 1
    found = compare_with_bicubic(Image.fromarray(stored), face, 8)
    assert (found.largest, found.nearest) == (1, RIGHT_ONE)
    assert found.mean == pytest.approx(1 / stored.size)
    assert 'PIL bicubic comes nearest' in str(found)


def test_a_lossy_copy_is_nearest_to_what_it_was_made_from(face):
    file = io.BytesIO()
    as_picture(WAYS['cv2 area'](face, 4)).save(file, 'JPEG', quality=95, subsampling=0)
    found = compare_with_bicubic(Image.open(file), face, 4)
    assert found.nearest in ('cv2 area', 'PIL box')  # the same but for rounding
    assert found.nearest_mean > 0


def test_the_published_test_set_is_pil_bicubic(shared_data):
    folder = shared_data / 'celeba_test_dic_1000'
    paths = sorted((folder / 'HR').iterdir())[::20]
    assert len(paths) == 50
    for path in paths:
        assert compare_with_bicubic(Image.open(folder / 'LR' / path.name), Image.open(path), 8) is None, path.name
