"""Samples of real files that are small enough to be drawn here."""

import random
import re

import numpy as np
import pytest
import torch
from basicsr.data import build_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pkdn_basicsr.data import parsing_map_dataset
from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset, is_parsing_map_dataset
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.sampler import SampleIndex

L_EYE, R_EYE = 4, 5  # in celebamask_hq; the subject's left eye is on the right of the image
NO_SIDES = (10, 11, 12, 13, 14, 15, 16, 17)  # classes that a flip keeps


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_faces(root, count=4, width=32, height=32):
    """`gt` with noise pictures 0.png, 1.png, ... and `parsing` with noise maps of all classes and 255."""
    rng = np.random.default_rng(0)
    for i in range(count):
        save(root / 'gt' / f'{i}.png', rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        labels = rng.integers(0, 20, (height, width), dtype=np.uint8)
        save(root / 'parsing' / f'{i}.png', np.where(labels == 19, 255, labels).astype(np.uint8))
    return root


def write_coordinates(root, side=64):
    """One face whose red is 3 x and green 3 y, with a map of eight vertical stripes."""
    y, x = np.mgrid[:side, :side]
    save(root / 'gt' / '0.png', np.stack([3 * x, 3 * y, 0 * x], 2).astype(np.uint8))
    save(root / 'parsing' / '0.png', np.array(NO_SIDES, dtype=np.uint8)[8 * x // side])
    return root


def options(root, phase='train', maps=True, **more):
    opt = {'name': 'faces', 'type': 'ParsingMapDataset', 'phase': phase, 'scale': 8, 'manual_seed': 0,
           'dataroot_gt': str(root / 'gt')}
    if maps:
        opt['dataroot_parsing'] = str(root / 'parsing')
    if phase == 'train':
        opt['gt_size'] = 32
    opt.update(more)
    return {key: str(value) if hasattr(value, 'joinpath') else value for key, value in opt.items()}


def dataset_of(root, phase='train', **more):
    return ParsingMapDataset(options(root, phase, **more))


def pixels(tensor):
    """A tensor of the sample as uint8 (H, W, 3)."""
    return (tensor * 255).round().byte().numpy().transpose(1, 2, 0)


def stored(path):
    return np.asarray(Image.open(path))


def equal(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(value, other[key]) if torch.is_tensor(value) else value == other[key]
        for key, value in one.items())


def names(dataset):
    return [re.sub(r'.*/', '', path) for path in dataset.gt_paths]


# what a sample is

@pytest.mark.parametrize('phase', ['train', 'val', 'test'])
def test_a_sample_has_the_shapes_types_and_ranges_of_the_contract(tmp_path, phase):
    dataset = build_dataset(options(write_faces(tmp_path), phase))  # the host's way
    assert isinstance(dataset, ParsingMapDataset)
    assert len(dataset) == 4
    sample = dataset[2]
    assert sample.keys() == {'lq', 'gt', 'parsing', 'lq_path', 'gt_path'}
    assert (sample['lq'].shape, sample['lq'].dtype) == ((3, 4, 4), torch.float32)
    assert (sample['gt'].shape, sample['gt'].dtype) == ((3, 32, 32), torch.float32)
    assert (sample['parsing'].shape, sample['parsing'].dtype) == ((32, 32), torch.uint8)
    assert 0 <= sample['lq'].min() < sample['lq'].max() <= 1
    assert 0 == sample['gt'].min() < sample['gt'].max() == 1
    assert sample['lq_path'] == sample['gt_path'] == str(tmp_path / 'gt' / '2.png')
    assert np.array_equal(pixels(sample['gt']), stored(tmp_path / 'gt' / '2.png'))
    assert np.array_equal(sample['parsing'], stored(tmp_path / 'parsing' / '2.png'))


def test_without_maps_a_sample_has_no_parsing(tmp_path):
    assert dataset_of(write_faces(tmp_path), maps=False)[0].keys() == {'lq', 'gt', 'lq_path', 'gt_path'}


def test_an_empty_option_is_an_absent_one(tmp_path):
    write_faces(tmp_path)
    empty = dict.fromkeys(['dataroot_lq', 'parsing_scheme', 'convert_parsing_to', 'meta_info_file', 'split_file',
                           'exclude_file', 'crop_range', 'val_crop', 'io_backend'])
    assert equal(dataset_of(tmp_path, **empty)[0], dataset_of(tmp_path)[0])


def test_the_last_sample_can_be_asked_for_from_the_end_and_a_loop_ends(tmp_path):
    dataset = dataset_of(write_faces(tmp_path), use_hflip=True)
    assert equal(dataset[-1], dataset[3])
    assert len(list(dataset)) == 4


@pytest.mark.parametrize('mode', ['L', 'P'])
def test_maps_may_be_grey_or_of_a_palette(tmp_path, mode):
    write_faces(tmp_path, count=1)
    labels = stored(tmp_path / 'parsing' / '0.png')
    image = Image.fromarray(labels)
    if mode == 'P':
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    assert image.mode == mode
    image.save(tmp_path / 'parsing' / '0.png')
    assert np.array_equal(dataset_of(tmp_path)[0]['parsing'], labels)


@pytest.mark.parametrize('size', [(64, 64), (41, 57), (16, 24), (178, 218)])
@pytest.mark.parametrize('phase', ['train', 'val'])
def test_resizing_invents_no_class(tmp_path, size, phase):
    write_faces(tmp_path, count=1, width=size[0], height=size[1])
    labels = stored(tmp_path / 'parsing' / '0.png')
    sparse = np.where(np.isin(labels, [1, 17, 255]), labels, 1).astype(np.uint8)
    save(tmp_path / 'parsing' / '0.png', sparse)
    parsing = dataset_of(tmp_path, phase, gt_size=32)[0]['parsing']
    assert parsing.shape == (32, 32)
    assert set(parsing.unique().tolist()) == {1, 17, 255}


# low-resolution images

def write_lq(root):
    for path in (root / 'gt').iterdir():
        (root / 'lq').mkdir(exist_ok=True)
        downsample(Image.open(path), 8).save(root / 'lq' / path.name)


@pytest.mark.parametrize('phase', ['train', 'val'])
def test_stored_low_resolution_images_equal_those_made_on_the_fly(tmp_path, phase):
    write_lq(write_faces(tmp_path, count=6))
    with_files = dataset_of(tmp_path, phase, dataroot_lq=tmp_path / 'lq', use_hflip=True)
    made = dataset_of(tmp_path, phase, use_hflip=True)
    for i in range(6):
        one, other = with_files[i], made[i]
        assert torch.equal(one['lq'], other['lq'])
        assert torch.equal(one['gt'], other['gt'])
        assert one['lq_path'] == str(tmp_path / 'lq' / f'{i}.png')


def test_low_resolution_images_are_read_where_they_are_given(tmp_path):
    write_faces(tmp_path, count=1)
    save(tmp_path / 'lq' / '0.png', np.full((4, 4, 3), 51, dtype=np.uint8))
    assert dataset_of(tmp_path, dataroot_lq=tmp_path / 'lq')[0]['lq'].unique().tolist() == pytest.approx([0.2])


def test_low_resolution_images_are_made_of_the_returned_image(tmp_path):
    write_faces(tmp_path, count=1, width=50, height=70)
    sample = dataset_of(tmp_path, 'val', gt_size=32)[0]
    assert np.array_equal(pixels(sample['lq']), np.asarray(downsample(Image.fromarray(pixels(sample['gt'])), 8)))


def test_images_without_gt_size_stay_as_they_are(tmp_path):
    write_faces(tmp_path, count=1, width=40, height=24)
    sample = dataset_of(tmp_path, 'val')[0]
    assert np.array_equal(pixels(sample['gt']), stored(tmp_path / 'gt' / '0.png'))
    assert np.array_equal(sample['parsing'], stored(tmp_path / 'parsing' / '0.png'))
    assert sample['lq'].shape == (3, 3, 5)


# crops

def test_validation_takes_the_centred_square_and_resizes_it(tmp_path):
    write_faces(tmp_path, count=1, width=47, height=64)
    sample = dataset_of(tmp_path, 'val', gt_size=32)[0]
    square = Image.open(tmp_path / 'gt' / '0.png').crop((0, 8, 47, 55))
    assert np.array_equal(pixels(sample['gt']), np.asarray(square.resize((32, 32), Image.BICUBIC)))
    labels = Image.open(tmp_path / 'parsing' / '0.png').crop((0, 8, 47, 55))
    assert np.array_equal(sample['parsing'], np.asarray(labels.resize((32, 32), Image.NEAREST)))


def test_val_crop_takes_as_many_pixels_from_the_centre(tmp_path):
    write_faces(tmp_path, count=1, width=80, height=90)
    square = Image.open(tmp_path / 'gt' / '0.png').crop((16, 21, 64, 69))
    sample = dataset_of(tmp_path, 'val', gt_size=32, val_crop=48)[0]
    # of the cropped picture alone: what lies outside of it has no part in its border
    assert np.array_equal(pixels(sample['gt']), np.asarray(square.resize((32, 32), Image.BICUBIC)))


def test_validation_neither_flips_nor_draws(tmp_path):
    write_faces(tmp_path, count=1, width=64, height=64)
    dataset = dataset_of(tmp_path, 'val', gt_size=32, crop_range=[32, 64], use_hflip=True)
    samples = [dataset[SampleIndex(0, epoch, draw)] for epoch in range(3) for draw in range(3)]
    assert all(equal(sample, samples[0]) for sample in samples)
    assert equal(samples[0], dataset_of(tmp_path, 'val', gt_size=32)[0])


@pytest.mark.parametrize('flip', [False, True])
def test_a_crop_without_resizing_has_the_same_pixels_of_image_and_map(tmp_path, flip):
    write_coordinates(tmp_path)
    labels = stored(tmp_path / 'parsing' / '0.png')
    dataset = dataset_of(tmp_path, gt_size=16, crop_range=[16, 16], use_hflip=flip)
    corners = set()
    for draw in range(30):
        sample = dataset[SampleIndex(0, 0, draw)]
        image = pixels(sample['gt'])
        assert np.all(image % 3 == 0)
        x, y = image[..., 0] // 3, image[..., 1] // 3
        assert np.array_equal(np.sort(x[0]), np.arange(x.min(), x.min() + 16))
        assert np.array_equal(y[:, 0], np.arange(y.min(), y.min() + 16))
        assert np.array_equal(sample['parsing'], labels[y, x])
        corners.add((x.min(), y.min()))
    assert len(corners) > 25


def test_a_resized_crop_shows_the_same_place_in_image_and_map_and_its_side_is_in_the_range(tmp_path):
    write_coordinates(tmp_path)
    dataset = dataset_of(tmp_path, gt_size=16, crop_range=[24, 48], use_hflip=True)
    sides = []
    for draw in range(40):
        sample = dataset[SampleIndex(0, 0, draw)]
        image = pixels(sample['gt']).astype(float) / 3
        x = image[..., 0]
        stripe = np.array(NO_SIDES)[(x // 8).astype(int)]
        inside = np.abs(x % 8 - 4) < 2.5  # away from the edges of a stripe, where rounding decides
        assert inside.mean() > 0.4
        assert np.array_equal(sample['parsing'].numpy()[inside], stripe[inside])
        sides.append(abs(x[8, 12] - x[8, 3]) / 9 * 16)
        assert abs(image[12, 8, 1] - image[3, 8, 1]) / 9 * 16 == pytest.approx(sides[-1], abs=1.3)  # a square
    assert 23 < min(sides) < 28
    assert 44 < max(sides) < 49


def test_training_without_crop_range_takes_the_centred_square(tmp_path):
    write_faces(tmp_path, count=1, width=50, height=40)
    assert equal(dataset_of(tmp_path)[0], dataset_of(tmp_path, 'val', gt_size=32)[0])


# unknown maps

def test_maps_are_dropped_as_a_whole_at_the_given_share_and_nothing_else_changes(tmp_path):
    write_faces(tmp_path, count=1, width=64, height=64)
    more = {'crop_range': [24, 60], 'use_hflip': True}
    whole, dropped = dataset_of(tmp_path, **more), dataset_of(tmp_path, map_dropout=0.3, **more)
    unknown = 0
    for draw in range(300):
        sample, expected = (dataset[SampleIndex(0, 2, draw)] for dataset in (dropped, whole))
        if (sample['parsing'] == 255).all():
            unknown += 1
            expected['parsing'] = torch.full((32, 32), 255, dtype=torch.uint8)
        assert equal(sample, expected)
    assert 60 < unknown < 120  # 90 +- 8
    assert equal(dropped[SampleIndex(0, 2, 7)], dropped[SampleIndex(0, 2, 7)])


@pytest.mark.parametrize(('phase', 'share', 'unknown'), [('val', 1, False), ('train', 0, False), ('train', None, False),
                                                         ('train', 1, True)])
def test_maps_are_dropped_in_training_alone(tmp_path, phase, share, unknown):
    write_faces(tmp_path)
    dataset = dataset_of(tmp_path, phase, map_dropout=share)
    assert all(bool((dataset[index]['parsing'] == 255).all()) == unknown for index in range(4))


# flips

def write_two_eyes(root):
    """A face of 32x32: its left eye (red) on the right of the image, as when it looks at us."""
    image, labels = np.zeros((32, 32, 3), dtype=np.uint8), np.ones((32, 32), dtype=np.uint8)
    image[8:12, 22:26, 0] = 255
    image[8:12, 4:8, 1] = 255
    labels[8:12, 22:26], labels[8:12, 4:8] = L_EYE, R_EYE
    save(root / 'gt' / '0.png', image)
    save(root / 'parsing' / '0.png', labels)
    return root


def test_a_flip_mirrors_image_and_map_and_swaps_left_and_right(tmp_path):
    dataset = dataset_of(write_two_eyes(tmp_path), use_hflip=True)
    image, labels = stored(tmp_path / 'gt' / '0.png'), stored(tmp_path / 'parsing' / '0.png')
    flipped = 0
    for draw in range(60):
        sample = dataset[SampleIndex(0, 0, draw)]
        if np.array_equal(pixels(sample['gt']), image):
            assert np.array_equal(sample['parsing'], labels)
            continue
        flipped += 1
        assert np.array_equal(pixels(sample['gt']), image[:, ::-1])
        parsing = sample['parsing']
        assert (parsing[8:12, 24:28] == L_EYE).all()  # in a mirrored face, too, the left eye is on the right
        assert (parsing[8:12, 6:10] == R_EYE).all()
        assert parsing.flatten().bincount().tolist() == [0, 32 * 32 - 32, 0, 0, 16, 16]
        assert np.array_equal(pixels(sample['lq']), np.asarray(downsample(Image.fromarray(image[:, ::-1]), 8)))
    assert 15 < flipped < 45


def test_the_left_eye_of_real_faces_stays_on_its_side_of_the_image(shared_data):
    folder = shared_data / 'celebamask_hq_1000'
    faces = dataset_of(folder, dataroot_gt=folder / 'images', gt_size=128, use_hflip=True)

    def eyes(labels):
        left, right = ((labels == eye).nonzero()[1] for eye in (L_EYE, R_EYE))
        return np.sign(left.mean() - right.mean()) if len(left) and len(right) else None
    sides = [(eyes(stored(path)), eyes(faces[SampleIndex(i, 0, i)]['parsing'].numpy()))
             for i, path in enumerate(faces.parsing_paths[:40])]
    sides = [pair for pair in sides if None not in pair]
    assert len(sides) > 30
    assert all(before == after for before, after in sides)
    assert sum(before for before, _ in sides) > 20  # on the right, but for some maps that have them the wrong way round


def test_left_and_right_are_those_of_the_scheme(tmp_path):
    write_two_eyes(tmp_path)
    dataset = dataset_of(tmp_path, use_hflip=True, parsing_scheme='helen')  # where 2/3 and 4/5 swap, and 6 has no side
    save(tmp_path / 'parsing' / '0.png', np.tile(np.arange(11, dtype=np.uint8).repeat(3)[:32], (32, 1)))
    rows = {tuple(dataset[SampleIndex(0, 0, draw)]['parsing'][0].tolist()) for draw in range(20)}
    straight = tuple(np.arange(11).repeat(3)[:32])
    swapped = {2: 3, 3: 2, 4: 5, 5: 4}
    assert rows == {straight, tuple(swapped.get(c, c) for c in reversed(straight))}


# celebamask_hq -> helen; a class that Helen lacks is skin (glasses) or background
TO_HELEN = (0, 1, 6, 1, 4, 5, 2, 3, 0, 0, 8, 7, 9, 10, 0, 0, 0, 0, 0)


def test_maps_are_converted_to_the_scheme_asked_for(tmp_path):
    labels = stored(write_faces(tmp_path) / 'parsing' / '2.png')
    assert set(np.unique(labels)) == {*range(19), 255}
    parsing = dataset_of(tmp_path, parsing_scheme='celebamask_hq', convert_parsing_to='helen')[2]['parsing']
    assert parsing.dtype == torch.uint8
    assert np.array_equal(parsing, np.vectorize({**dict(enumerate(TO_HELEN)), 255: 255}.get)(labels))


def test_converted_maps_are_mirrored_as_others_are(tmp_path):
    write_faces(tmp_path, count=1)
    save(tmp_path / 'parsing' / '0.png', np.tile(np.arange(32, dtype=np.uint8) % 19, (32, 1)))
    dataset = dataset_of(tmp_path, use_hflip=True, convert_parsing_to='helen')
    rows = {tuple(dataset[SampleIndex(0, 0, draw)]['parsing'][0].tolist()) for draw in range(20)}
    straight = tuple(TO_HELEN[x % 19] for x in range(32))
    swapped = {2: 3, 3: 2, 4: 5, 5: 4}  # Helen's brows and eyes
    assert rows == {straight, tuple(swapped.get(c, c) for c in reversed(straight))}


def test_an_index_out_of_the_stored_scheme_is_named_however_it_is_converted(tmp_path, usage_error):
    write_faces(tmp_path, count=1)
    save(tmp_path / 'parsing' / '0.png', np.full((32, 32), 11, dtype=np.uint8))
    with usage_error(tmp_path / 'parsing' / '0.png', 'class index 11', 'helen', 'parsing_scheme'):
        dataset_of(tmp_path, parsing_scheme='helen', convert_parsing_to='celebamask_hq')[0]


def test_nothing_is_flipped_unless_asked_for(tmp_path):
    dataset = dataset_of(write_two_eyes(tmp_path))
    assert all(equal(dataset[SampleIndex(0, 0, draw)], dataset[0]) for draw in range(20))


@settings(max_examples=25)
@given(image=hnp.arrays(np.uint8, (16, 16, 3)),
       labels=hnp.arrays(np.uint8, (16, 16), elements=st.sampled_from([*range(19), 255])))
def test_two_flips_give_the_face_back(tmp_path_factory, image, labels):
    root = tmp_path_factory.mktemp('face')
    how = {'gt_size': 16, 'use_hflip': True}
    marker = root / 'marker'
    save(marker / 'gt' / '0.png', np.eye(16, dtype=np.uint8)[..., None].repeat(3, 2))
    faces = dataset_of(marker, maps=False, **how)
    flips = next(index for index in (SampleIndex(0, 0, draw) for draw in range(50)) if faces[index]['gt'][0, 0, 0] == 0)

    save(root / 'once' / 'gt' / '0.png', image)
    save(root / 'once' / 'parsing' / '0.png', labels)
    once = dataset_of(root / 'once', **how)[flips]
    save(root / 'twice' / 'gt' / '0.png', pixels(once['gt']))
    save(root / 'twice' / 'parsing' / '0.png', once['parsing'].numpy())
    twice = dataset_of(root / 'twice', **how)[flips]
    assert np.array_equal(pixels(once['gt']), image[:, ::-1])
    assert np.array_equal(pixels(twice['gt']), image)
    assert np.array_equal(twice['parsing'], labels)


# randomness

@pytest.fixture
def augmented(tmp_path):
    """Options of a set whose samples differ with every draw."""
    return options(write_faces(tmp_path, count=3, width=64, height=64), crop_range=[24, 60], use_hflip=True)


def test_a_sample_is_a_function_of_seed_epoch_and_draw(augmented):
    dataset, again = ParsingMapDataset(augmented), ParsingMapDataset(augmented)
    index = SampleIndex(1, 5, 7)
    first = dataset[index]
    for seed in range(3):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        dataset[SampleIndex(seed, 0, seed)]
        assert equal(dataset[index], first)
        assert equal(again[index], first)


def test_seed_epoch_and_draw_each_change_the_crop(augmented):
    dataset, other = ParsingMapDataset(augmented), ParsingMapDataset({**augmented, 'manual_seed': 1})
    samples = [dataset[SampleIndex(1, epoch, draw)]['gt'] for epoch in range(4) for draw in range(4)]
    samples += [other[SampleIndex(1, epoch, draw)]['gt'] for epoch in range(4) for draw in range(4)]
    assert len({tensor.numpy().tobytes() for tensor in samples}) == 32


def test_reading_a_sample_leaves_global_generators_alone(augmented):
    def states():
        return repr(random.getstate()), repr(np.random.get_state()), torch.get_rng_state().tolist()
    before = states()
    ParsingMapDataset(augmented)[0]
    assert states() == before


# which files

def test_files_are_used_in_the_order_of_their_names(tmp_path):
    assert names(dataset_of(write_faces(tmp_path, count=3), 'val')) == ['0.png', '1.png', '2.png']


@pytest.mark.parametrize('option', ['meta_info_file', 'split_file'])
def test_a_list_says_which_images_in_which_order(tmp_path, option):
    write_faces(tmp_path)
    (tmp_path / 'list.txt').write_text('3.png (32,32,3)\n1.jpg\n3.png\n')
    dataset = dataset_of(tmp_path, 'val', **{option: tmp_path / 'list.txt'})
    assert names(dataset) == ['3.png', '1.png']
    assert np.array_equal(dataset[1]['parsing'], stored(tmp_path / 'parsing' / '1.png'))


def test_excluded_images_are_left_out_of_the_list(tmp_path):
    write_faces(tmp_path)
    (tmp_path / 'list.txt').write_text('3.png\n1.png\n0.png\n')
    (tmp_path / 'out.txt').write_text('1\n77.png\n')
    assert names(dataset_of(tmp_path, 'val', exclude_file=tmp_path / 'out.txt')) == ['0.png', '2.png', '3.png']
    assert names(dataset_of(tmp_path, 'val', split_file=tmp_path / 'list.txt', exclude_file=tmp_path / 'out.txt')) == \
        ['3.png', '0.png']


def test_files_belong_together_by_name_whatever_their_suffix_or_number(tmp_path):
    write_faces(tmp_path, count=3)
    Image.open(tmp_path / 'gt' / '1.png').save(tmp_path / 'gt' / '1.webp', lossless=True)
    (tmp_path / 'gt' / '1.png').unlink()
    (tmp_path / 'gt' / '0.png').unlink()
    dataset = dataset_of(tmp_path, 'val')
    assert names(dataset) == ['1.webp', '2.png']
    assert np.array_equal(dataset[0]['parsing'], stored(tmp_path / 'parsing' / '1.png'))


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    write_lq(write_faces(tmp_path))
    (tmp_path / 'list.txt').write_text('1\n2\n')
    (tmp_path / 'out.txt').write_text('2\n')
    monkeypatch.setenv('HOME', str(tmp_path))
    dataset = dataset_of(tmp_path, 'val', dataroot_gt='~/gt', dataroot_lq='~/lq', dataroot_parsing='~/parsing',
                         split_file='~/list.txt', exclude_file='~/out.txt')
    assert names(dataset) == ['1.png']


# wrong files: found when the set is built

@pytest.mark.parametrize('option', ['dataroot_gt', 'dataroot_lq', 'dataroot_parsing'])
def test_a_missing_folder_is_named(tmp_path, option, usage_error):
    write_faces(tmp_path)
    with usage_error(option, 'no such folder', tmp_path / 'nowhere'):
        dataset_of(tmp_path, **{option: tmp_path / 'nowhere'})


@pytest.mark.parametrize('option', ['dataroot_gt', 'dataroot_lq', 'dataroot_parsing'])
def test_an_empty_folder_is_named(tmp_path, option, usage_error):
    write_faces(tmp_path)
    (tmp_path / 'empty').mkdir()
    with usage_error(option, 'no picture', tmp_path / 'empty'):
        dataset_of(tmp_path, **{option: tmp_path / 'empty'})


@pytest.mark.parametrize('folder', ['gt', 'parsing'])
def test_two_files_of_one_name_are_refused(tmp_path, folder, usage_error):
    write_faces(tmp_path)
    (tmp_path / folder / '1.jpg').touch()
    with usage_error(f'dataroot_{folder}', tmp_path / folder / '1.jpg', tmp_path / folder / '1.png', 'keep one'):
        dataset_of(tmp_path)


def test_a_missing_map_is_named_unless_its_image_is_excluded(tmp_path, usage_error):
    write_faces(tmp_path)
    (tmp_path / 'parsing' / '2.png').unlink()
    with usage_error('dataroot_parsing', '1 of 4', "'2'", tmp_path / 'parsing', 'exclude_file'):
        dataset_of(tmp_path)
    (tmp_path / 'out.txt').write_text('2.png\n')
    assert names(dataset_of(tmp_path, exclude_file=tmp_path / 'out.txt')) == ['0.png', '1.png', '3.png']


def test_a_missing_low_resolution_image_is_named(tmp_path, usage_error):
    write_lq(write_faces(tmp_path))
    (tmp_path / 'lq' / '2.png').unlink()
    with usage_error('dataroot_lq', '1 of 4', "'2'", tmp_path / 'lq'):
        dataset_of(tmp_path, dataroot_lq=tmp_path / 'lq')


@pytest.mark.parametrize('option', ['meta_info_file', 'split_file'])
def test_a_listed_name_without_image_is_named_with_its_option(tmp_path, option, usage_error):
    write_faces(tmp_path)
    (tmp_path / 'list.txt').write_text('1.png\nghost.png\n')
    with usage_error(option, '1 of 2', "'ghost'"):
        dataset_of(tmp_path, **{option: tmp_path / 'list.txt'})


@pytest.mark.parametrize('option', ['meta_info_file', 'split_file', 'exclude_file'])
def test_missing_and_empty_lists_are_named(tmp_path, option, usage_error):
    write_faces(tmp_path)
    with usage_error(option, 'no such file', tmp_path / 'list.txt'):
        dataset_of(tmp_path, **{option: tmp_path / 'list.txt'})
    (tmp_path / 'list.txt').touch()
    with usage_error(option, 'names no file', tmp_path / 'list.txt'):
        dataset_of(tmp_path, **{option: tmp_path / 'list.txt'})


def test_an_exclusion_that_leaves_nothing_is_refused(tmp_path, usage_error):
    write_faces(tmp_path, count=2)
    (tmp_path / 'out.txt').write_text('0\n1\n')
    with usage_error('exclude_file', 'none is left'):
        dataset_of(tmp_path, exclude_file=tmp_path / 'out.txt')


# wrong files: found when the sample is read

def damaged(path, how):
    content = path.read_bytes()
    path.write_bytes({'text': b'no picture\n', 'truncated': content[:len(content) // 2], 'empty': b''}[how])


@pytest.mark.parametrize('how', ['text', 'truncated', 'empty', 'deleted'])
@pytest.mark.parametrize('folder', ['gt', 'lq', 'parsing'])
def test_an_unreadable_file_is_named(tmp_path, folder, how, usage_error):
    write_lq(write_faces(tmp_path))
    dataset = dataset_of(tmp_path, dataroot_lq=tmp_path / 'lq')
    path = tmp_path / folder / '1.png'
    if how == 'deleted':
        path.unlink()
    else:
        damaged(path, how)
    assert dataset[0]['gt_path'].endswith('0.png')
    with usage_error(path, 'no such file' if how == 'deleted' else 'replace the file'):
        dataset[1]


def test_a_truncated_jpeg_is_named(tmp_path, usage_error):
    path = tmp_path / 'gt' / '0.jpg'
    save(path, np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    damaged(path, 'truncated')
    with usage_error(path, 'truncated'):
        dataset_of(tmp_path, maps=False)[0]


@pytest.mark.parametrize('folder', ['gt', 'lq'])
def test_a_16_bit_image_is_named(tmp_path, folder, usage_error):
    write_lq(write_faces(tmp_path, count=1))
    side = 32 if folder == 'gt' else 4
    save(tmp_path / folder / '0.png', np.full((side, side), 40000, dtype=np.uint16))
    with usage_error(tmp_path / folder / '0.png', '8-bit', 'convert'):
        dataset_of(tmp_path, dataroot_lq=tmp_path / 'lq')[0]


def test_a_coloured_map_is_named(tmp_path, usage_error):
    write_faces(tmp_path, count=1)
    save(tmp_path / 'parsing' / '0.png', np.zeros((32, 32, 3), dtype=np.uint8))
    with usage_error(tmp_path / 'parsing' / '0.png', 'RGB', 'save the indices'):
        dataset_of(tmp_path)[0]


@pytest.mark.parametrize('size', [(16, 16), (32, 33), (64, 64)])
def test_a_map_of_another_size_than_its_image_is_named(tmp_path, size, usage_error):
    write_faces(tmp_path, count=1)
    save(tmp_path / 'parsing' / '0.png', np.zeros(size[::-1], dtype=np.uint8))
    words = '32x32', f'found {size[0]}x{size[1]}', tmp_path / 'gt' / '0.png', 'resize'
    with usage_error(tmp_path / 'parsing' / '0.png', *words):
        dataset_of(tmp_path)[0]


def test_an_index_out_of_the_scheme_is_named_and_255_is_not(tmp_path, usage_error):
    write_faces(tmp_path, count=1)
    labels = np.full((32, 32), 255, dtype=np.uint8)
    save(tmp_path / 'parsing' / '0.png', labels)
    assert dataset_of(tmp_path)[0]['parsing'].unique().tolist() == [255]
    labels[0, 0] = 11
    save(tmp_path / 'parsing' / '0.png', labels)
    assert dataset_of(tmp_path)[0]['parsing'].unique().tolist() == [11, 255]
    with usage_error(tmp_path / 'parsing' / '0.png', 'class index 11', 'helen', 'parsing_scheme'):
        dataset_of(tmp_path, parsing_scheme='helen')[0]


@pytest.mark.parametrize('size', [(3, 4), (32, 32), (5, 5)])
def test_a_low_resolution_image_of_the_wrong_size_is_named(tmp_path, size, usage_error):
    write_faces(tmp_path, count=1)
    save(tmp_path / 'lq' / '0.png', np.zeros((*size[::-1], 3), dtype=np.uint8))
    with usage_error(tmp_path / 'lq' / '0.png', 'expected 4x4', '32x32', f'found {size[0]}x{size[1]}', 'dataroot_lq'):
        dataset_of(tmp_path, dataroot_lq=tmp_path / 'lq')[0]


@pytest.mark.parametrize('stored_lq', [False, True])
def test_an_image_whose_side_is_no_multiple_of_the_scale_is_named(tmp_path, stored_lq, usage_error):
    write_faces(tmp_path, count=1, width=34, height=32)
    save(tmp_path / 'lq' / '0.png', np.zeros((4, 4, 3), dtype=np.uint8))
    with usage_error(tmp_path / 'gt' / '0.png', '34x32', 'scale 8', 'gt_size'):
        dataset_of(tmp_path, 'val', **({'dataroot_lq': tmp_path / 'lq'} if stored_lq else {}))[0]


@pytest.mark.parametrize(('phase', 'crop'), [('train', {'crop_range': [40, 50]}), ('val', {'val_crop': 40})])
def test_a_crop_larger_than_the_image_is_named(tmp_path, phase, crop, usage_error):
    write_faces(tmp_path, count=1)
    with usage_error(tmp_path / 'gt' / '0.png', '40', '32x32', *crop):
        dataset_of(tmp_path, phase, gt_size=32, **crop)[0]


# wrong options

@pytest.mark.parametrize(('wrong', 'words'), [
    ({'gt_size': None}, ['gt_size', 'training', 'multiple of scale 8']),
    ({'gt_size': 36}, ['gt_size 36', 'multiple', 'scale 8', '32']),
    ({'gt_size': 0}, ['gt_size', 'found 0']),
    ({'gt_size': '32'}, ['gt_size', "found '32'"]),
    ({'gt_size': None, 'phase': 'val', 'crop_range': [16, 32]}, ['crop_range', 'gt_size']),
    ({'gt_size': None, 'phase': 'val', 'val_crop': 16}, ['val_crop', 'gt_size']),
    ({'crop_range': [16, 32], 'dataroot_lq': 'lq'}, ['crop_range', 'dataroot_lq']),
    ({'phase': 'val', 'val_crop': 16, 'dataroot_lq': 'lq'}, ['val_crop', 'dataroot_lq']),
    ({'phase': 'val', 'val_crop': -1}, ['val_crop', '-1']),
    ({'crop_range': [32, 16]}, ['crop_range', '[32, 16]', 'smallest, largest']),
    ({'crop_range': [0, 16]}, ['crop_range', '[0, 16]']),
    ({'crop_range': [0.5, 1.0]}, ['crop_range', '[0.5, 1.0]', 'pixels']),
    ({'crop_range': [16]}, ['crop_range', '[16]']),
    ({'crop_range': 16}, ['crop_range', '16']),
    ({'parsing_scheme': 'celebamask'}, ['celebamask', "did you mean 'celebamask_hq'"]),
    ({'parsing_scheme': 19}, ['parsing scheme', '19', 'helen']),
    ({'convert_parsing_to': 'hellen'}, ["'hellen'", "did you mean 'helen'"]),
    ({'meta_info_file': 'a.txt', 'split_file': 'b.txt'}, ['meta_info_file', 'split_file', 'not both']),
    ({'io_backend': {'type': 'lmdb'}}, ['io_backend', 'lmdb', 'disk']),
    ({'dataroot_gt': None}, ['dataroot_gt', 'missing']),
    ({'use_hfilp': True}, ['use_hfilp', "did you mean 'use_hflip'"]),
    ({'map_dropout': 1.5}, ['map_dropout', 'from 0 to 1', '1.5']),
    ({'map_dropout': 'half'}, ['map_dropout', "'half'"]),
    ({'map_dropout': True}, ['map_dropout', 'True']),
    ({'map_dropout': 0.5, 'dataroot_parsing': None}, ['map_dropout', 'dataroot_parsing']),
    ({'zzz': True}, ['zzz', 'use_hflip', 'crop_range']),
    ({'batch_size_per_gpu': 5}, ['4 images', 'batch_size_per_gpu 5', 'dataset_enlarge_ratio']),
], ids=str)
def test_a_wrong_option_is_named(tmp_path, wrong, words, usage_error):
    write_faces(tmp_path)
    with usage_error(*words):
        dataset_of(tmp_path, **wrong)


def test_an_error_about_options_names_the_dataset(tmp_path, usage_error):
    write_faces(tmp_path)
    with usage_error('dataset my-faces:'):
        dataset_of(tmp_path, name='my-faces', gt_size=33)


@pytest.mark.parametrize('more', [{'batch_size_per_gpu': 4}, {'batch_size_per_gpu': 8, 'dataset_enlarge_ratio': 2},
                                  {'phase': 'val', 'batch_size_per_gpu': 5}], ids=str)
def test_one_batch_is_enough_and_validation_needs_none(tmp_path, more):
    assert len(dataset_of(write_faces(tmp_path), **more)) == 4


def test_every_process_needs_a_batch(tmp_path, monkeypatch):
    write_faces(tmp_path)
    assert len(dataset_of(tmp_path, batch_size_per_gpu=3)) == 4
    monkeypatch.setattr(parsing_map_dataset, 'get_dist_info', lambda: (0, 2))
    assert len(dataset_of(tmp_path, batch_size_per_gpu=2)) == 4
    with pytest.raises(UsageError, match='2 samples a process'):
        dataset_of(tmp_path, batch_size_per_gpu=3)


@pytest.mark.parametrize(('name', 'ours'), [('ParsingMapDataset', True), ('VariedFaceDataset', True),
                                            ('PairedImageDataset', False), ('Nobody', False), (None, False)])
def test_data_sets_made_from_ours_are_ours(name, ours):
    assert is_parsing_map_dataset({'type': name}) == ours
