import numpy as np
import pytest
import torch
from basicsr.utils.registry import DATASET_REGISTRY

from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.data.varied_face_dataset import VariedFaceDataset, vary_face
from pkdn_basicsr.host.sampler import SampleIndex


@pytest.fixture
def options(tiny_faces):
    return {'name': 'tiny', 'phase': 'train', 'scale': 1, 'dataroot_gt': str(tiny_faces / 'gt'), 'gt_size': 16,
            'dataroot_parsing': str(tiny_faces / 'parsing'), 'crop_range': [20, 32], 'use_hflip': True}


def faces_at(seed, count=40):
    """One face with a sharp edge at half its width, varied `count` times."""
    face = torch.full((3, 24, 32), 0.3)
    face[:, :, 16:] = 0.7
    return face, [vary_face(face, np.random.default_rng([seed, i])) for i in range(count)]


def test_registered():
    assert DATASET_REGISTRY.get('VariedFaceDataset') is VariedFaceDataset


def test_the_picture_varies_and_the_map_is_that_of_the_plain_data_set(options):
    plain, varied = ParsingMapDataset(options), VariedFaceDataset(options)
    for draw in range(4):
        index = SampleIndex(draw, epoch=1, draw=draw)
        expected, found = plain[index], varied[index]
        assert torch.equal(found['parsing'], expected['parsing'])
        assert found['gt'].shape == expected['gt'].shape
        assert not torch.allclose(found['gt'], expected['gt'], atol=1e-3)


def test_validation_does_not_vary(options):
    del options['crop_range']
    options.update(phase='val')
    assert torch.equal(VariedFaceDataset(options)[0]['gt'], ParsingMapDataset(options)[0]['gt'])


def test_a_sample_depends_on_seed_epoch_and_draw_alone(options):
    def sample(seed, epoch, draw):
        return VariedFaceDataset({**options, 'crop_range': [32, 32], 'use_hflip': False, 'manual_seed': seed})[
            SampleIndex(0, epoch, draw)]['gt']

    first = sample(0, 0, 0)
    torch.rand(3)
    np.random.rand(3)
    assert torch.equal(sample(0, 0, 0), first)
    for other in (sample(1, 0, 0), sample(0, 1, 0), sample(0, 0, 1)):
        assert not torch.equal(other, first)


def test_range_and_type_are_kept_and_the_face_itself_is_left_alone():
    face, varied = faces_at(0)
    assert torch.equal(face, faces_at(1, 0)[0])
    for picture in varied:
        assert picture.shape == face.shape
        assert picture.dtype == torch.float32
        assert 0 <= picture.min() <= picture.max() <= 1


def test_outlines_stay_where_they_are():
    for picture in faces_at(0)[1]:
        steps = picture.mean((0, 1)).diff()
        assert abs(int(steps.argmax()) - 15) <= 1  # between columns 15 and 16, blurred or not


def test_some_are_sharp_some_blurred_and_some_noisy():
    _, varied = faces_at(0, 100)
    noisy = [picture[0, :, :8].std() > 1e-3 for picture in varied]
    blurred = [(picture[0, :, 14] - picture[0, :, 12]).mean().abs() > 2e-3
               for picture, noise in zip(varied, noisy, strict=True) if not noise]
    assert 0.2 < np.mean(noisy) < 0.5
    assert 0.25 < np.mean(blurred) < 0.6  # half, less those shrunk by a hair


class Extreme:
    """Draws the lower or the upper end of every range."""

    def __init__(self, upper, chance):
        self.upper, self.chance = upper, chance

    def uniform(self, low, high, size=None):
        value = high if self.upper else low
        return value if size is None else np.full(size, value)

    def random(self):
        return self.chance

    def standard_normal(self, shape, dtype):
        return np.ones(shape, dtype)


@pytest.mark.parametrize('upper', [False, True])
def test_light_goes_to_the_ends_of_its_ranges(upper):
    saturation, contrast, gain, brightness, gamma = ((1.3, 1.3, 1.15, 1.2, 2 ** 0.6) if upper else
                                                     (0.2, 0.7, 0.85, 0.8, 2 ** -0.6))
    colours = [(0.5, 0.4, 0.3), (0.2, 0.35, 0.6)]  # two pixels
    saturated = [[grey + saturation * (channel - grey) for channel in colour] for colour in colours
                 for grey in [0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]]]
    mean = sum(map(sum, saturated)) / 6
    expected = [[min(gain * brightness * (mean + contrast * (channel - mean)), 1) ** gamma for channel in colour]
                for colour in saturated]
    found = vary_face(torch.tensor(colours).T[:, None], Extreme(upper, chance=0.99))
    torch.testing.assert_close(found, torch.tensor(expected).T[:, None], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize('upper', [False, True])
def test_light_noise_and_range(upper):
    face = torch.full((3, 8, 8), 0.5)
    lit = vary_face(face, Extreme(upper, chance=0.99))
    torch.testing.assert_close(vary_face(face, Extreme(upper, chance=0.)), lit + (0.06 if upper else 0.))
    assert vary_face(torch.ones(3, 8, 8), Extreme(True, chance=0.)).max() == 1
    assert vary_face(torch.zeros(3, 8, 8), Extreme(True, chance=0.99)).min() == 0


@pytest.mark.parametrize(('chance', 'is_blurred', 'is_noisy'), [
    (0.33, True, True), (0.34, True, False), (0.49, True, False), (0.5, False, False)])
def test_every_second_is_blurred_and_every_third_noisy(chance, is_blurred, is_noisy):
    edge = torch.full((3, 16, 16), 0.4)
    edge[..., 8:] = 0.5
    lit, varied = vary_face(edge, Extreme(True, chance=0.99)), vary_face(edge, Extreme(True, chance))
    flat, across = varied[..., 4:6] - lit[..., 0:2], varied.diff(dim=2)[0, 0]
    assert (flat.mean().item() > 0.03) == is_noisy
    assert (across[7] < 0.6 * lit.diff(dim=2)[0, 0, 7]).item() == is_blurred  # shrunk four times and enlarged again
