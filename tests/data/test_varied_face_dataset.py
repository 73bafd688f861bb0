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
