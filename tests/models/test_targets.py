import numpy as np
import pytest
import torch

from pkdn_basicsr.archs.baselines.kdfsrnet_arch import voc_palette
from pkdn_basicsr.data.parsing_labels import SCHEMES, convert_parsing, get_scheme, parsing_to_one_hot
from pkdn_basicsr.models.targets import MAP_TARGETS, mix_classes, target_matrix

CELEBA = get_scheme('celebamask_hq')
SCHEME_NAMES = list(SCHEMES)


@pytest.fixture
def parsing():
    """Two maps of 8x12 with every class of CelebAMask-HQ and unknown pixels, some blocks of them unknown altogether."""
    maps = np.random.default_rng(0).integers(0, 20, (2, 8, 12), dtype=np.uint8)
    maps[maps == 19] = 255
    maps[0, :4, :4] = 255
    return maps


def _mean_of_blocks(pictures, size):
    """Average `(B, H, W, C)` over blocks to `(B, C, h, w)`, in plain loops."""
    batch, height, width, channels = pictures.shape
    result = np.zeros((batch, channels, *size))
    block = (height // size[0], width // size[1])
    for y in range(height):
        for x in range(width):
            result[:, :, y // block[0], x // block[1]] += pictures[:, y, x] / (block[0] * block[1])
    return result


def _target(name, parsing, size, source=CELEBA, scheme=None):
    one_hot = parsing_to_one_hot(torch.from_numpy(parsing), source.num_classes)
    return mix_classes(one_hot, target_matrix(name, source, scheme or source), size).numpy()


@pytest.mark.parametrize('size', [(8, 12), (4, 6), (2, 3), (8, 3)])
def test_parsing_is_the_share_of_each_class(parsing, size):
    pictures = np.stack([parsing == index for index in range(19)], axis=-1)
    found = _target('parsing', parsing, size)
    np.testing.assert_allclose(found, _mean_of_blocks(pictures, size), atol=1e-6)
    unknown = _mean_of_blocks((parsing == 255)[..., None], size)
    np.testing.assert_allclose(found.sum(1, keepdims=True), 1 - unknown, atol=1e-6)


@pytest.mark.parametrize('size', [(8, 12), (2, 3)])
def test_colours_are_the_shrunk_picture_of_the_map_black_where_unknown(parsing, size):
    pictures = np.zeros((*parsing.shape, 3))
    for place, index in np.ndenumerate(parsing):
        if index != 255:
            pictures[place] = voc_palette(19)[:, index].numpy()
    np.testing.assert_allclose(_target('colours', parsing, size), _mean_of_blocks(pictures, size), atol=1e-6)


@pytest.mark.parametrize('size', [(8, 12), (4, 4)])
@pytest.mark.parametrize('scheme', SCHEME_NAMES)
def test_components_are_heatmaps_of_eyes_nose_mouth_and_skin(parsing, size, scheme):
    scheme = get_scheme(scheme)
    parsing = parsing % (scheme.num_classes + 1)
    parsing[parsing == scheme.num_classes] = 255
    parts = [{'l_eye'}, {'r_eye'}, {'nose'}, {'mouth', 'u_lip', 'l_lip'}, {'skin'}]
    pictures = np.zeros((*parsing.shape, 5))
    for place, index in np.ndenumerate(parsing):
        if index != 255:
            pictures[place] = [scheme.classes[index] in part for part in parts]
    found = _target('components', parsing, size, source=scheme)
    np.testing.assert_allclose(found, _mean_of_blocks(pictures, size), atol=1e-6)
    assert 0 <= found.min() < found.max() <= 1 + 1e-6


@pytest.mark.parametrize('name', list(MAP_TARGETS))
@pytest.mark.parametrize('scheme', ['fsrnet', 'helen', 'face_parsing'])
def test_a_target_in_another_scheme_is_that_of_the_converted_map(parsing, name, scheme):
    converted = convert_parsing(parsing, CELEBA, scheme)
    expected = _target(name, converted, (4, 6), source=get_scheme(scheme))
    np.testing.assert_allclose(_target(name, parsing, (4, 6), scheme=get_scheme(scheme)), expected, atol=1e-6)


@pytest.mark.parametrize(('name', 'channels'), [('parsing', 11), ('colours', 3), ('components', 5)])
def test_shape(parsing, name, channels):
    assert _target(name, parsing, (2, 6), scheme=get_scheme('fsrnet')).shape == (2, channels, 2, 6)


@pytest.mark.parametrize('size', [(3, 12), (8, 5), (16, 24)])
def test_a_size_that_does_not_divide_is_refused(parsing, size, usage_error):
    with usage_error(f'{size[0]}x{size[1]}', 'map of 8x12'):
        _target('parsing', parsing, size)
