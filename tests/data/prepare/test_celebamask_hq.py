import json
import os
import pickle
import shutil

import numpy as np
import pytest
from data.prepare.raw_trees import CELEBA_CLASSES, part_file, save, write_celebamask_hq_tree
from PIL import Image

from pkdn_basicsr.data.prepare.celebamask_hq import merge_parts, plan_celebamask_hq
from pkdn_basicsr.data.prepare.recipe import Sizes

SIZES = Sizes(64, (4, 8))
MAPPING = 'idx     orig_idx    orig_file\n0           119612          119613.jpg  \n1   164000  164001.jpg\n'
PARTITION = '119613.jpg 0\n164001.jpg 1\n200000.jpg 2\n'
IDENTITY = '119613.jpg 2880\n164001.jpg 17\n200000.jpg 3\n'


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp('raw') / 'CelebAMask-HQ'
    return root, write_celebamask_hq_tree(root, 2)


@pytest.fixture
def raw(original, tmp_path):
    """A copy of two faces that a test may spoil."""
    return shutil.copytree(original[0], tmp_path / 'raw')


def only(root, sizes=SIZES):
    """Make the first face."""
    faces = plan_celebamask_hq(root, sizes).recipes[0].make(root)
    assert len(faces) == 1
    return faces[0]


def nearest(parsing, side):
    return np.asarray(Image.fromarray(parsing).resize((side, side), Image.Resampling.NEAREST))


# faces

@pytest.mark.parametrize('number', [0, 1])
def test_a_face_has_its_picture_and_the_map_that_its_masks_were_cut_from(original, number):
    root, maps = original
    plan = plan_celebamask_hq(root, Sizes(512, (8,)))
    assert plan.root == root
    assert plan.recipes[number].sources[0] == f'CelebA-HQ-img/{number}.jpg'
    [face] = plan.recipes[number].make(root)
    assert face.name == plan.recipes[number].name == str(number)
    assert list(face.pictures) == ['images', 'lq_x8', 'parsing']
    expected = Image.open(root / f'CelebA-HQ-img/{number}.jpg').resize((512, 512), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(face.pictures['images']), np.asarray(expected))
    assert face.pictures['parsing'].mode == 'P'
    assert np.array_equal(np.asarray(face.pictures['parsing']), maps[number])


@pytest.mark.parametrize('side', [64, 1024])
def test_picture_and_map_are_resized_once_each(original, side):
    root, maps = original
    face = only(root, Sizes(side))
    expected = Image.open(root / 'CelebA-HQ-img/0.jpg')
    expected = expected.resize((side, side), Image.Resampling.BICUBIC) if side < 1024 else expected
    assert np.array_equal(np.asarray(face.pictures['images']), np.asarray(expected))
    assert np.array_equal(np.asarray(face.pictures['parsing']), nearest(maps[0], side))


def test_a_plan_can_be_pickled_and_its_settings_written(original):
    plan = plan_celebamask_hq(original[0], SIZES)
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert json.loads(json.dumps(plan.settings)) == plan.settings == {
        'kind': 'celebamask_hq', 'size': 64, 'scales': [4, 8], 'masks': 'CelebAMask-HQ-mask-anno', 'lists': {}}
    assert all((original[0] / source).is_file() for recipe in plan.recipes for source in recipe.sources)


def test_faces_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 2001):
        save(tmp_path / f'CelebA-HQ-img/{number}.jpg', Image.new('RGB', (8, 8)))
        save(tmp_path / part_file(number, 'skin'), Image.new('L', (8, 8)))
    recipes = plan_celebamask_hq(tmp_path, Sizes(8)).recipes
    assert [recipe.name for recipe in recipes] == ['9', '10', '2001']
    assert recipes[2].sources[1] == 'CelebAMask-HQ-mask-anno/1/02001_skin.png'


# merging

def test_a_later_part_hides_an_earlier_one(tmp_path):
    rng = np.random.default_rng(0)
    masks = {part: rng.random((32, 32)) < .2 for part in CELEBA_CLASSES[1:]}
    paths = [save(tmp_path / f'00000_{part}.png', Image.fromarray(np.uint8(255 * mask)))
             for part, mask in masks.items()]
    expected = np.zeros((32, 32), dtype=np.uint8)
    for y in range(32):
        for x in range(32):
            for index, part in enumerate(CELEBA_CLASSES):
                if index and masks[part][y, x]:
                    expected[y, x] = index
    assert len(np.unique(expected)) == 19
    assert np.array_equal(merge_parts(map(str, paths)), expected)
    assert np.array_equal(merge_parts(map(str, reversed(paths))), expected)


@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'RGB'])
def test_masks_may_be_stored_in_any_grey_mode(tmp_path, mode):
    mask = np.zeros((16, 16), dtype=np.uint8)
    mask[4:9, 2:7] = 255
    path = save(tmp_path / '00000_nose.png', Image.fromarray(mask).convert(mode))
    assert np.array_equal(merge_parts([str(path)]), np.where(mask, 2, 0))


def test_a_palette_mask_is_read_by_its_colours(tmp_path):
    indices = np.zeros((16, 16), dtype=np.uint8)
    indices[:, 5:] = 1
    picture = Image.fromarray(indices)
    picture.putpalette([255, 255, 255, 0, 0, 0])
    path = save(tmp_path / '00000_nose.png', picture)
    assert np.array_equal(merge_parts([str(path)]), np.where(indices, 0, 2))


@pytest.mark.parametrize('folder', ['CelebAMaskHQ-mask', 'mask'])
@pytest.mark.parametrize('mode', ['L', 'P'])
def test_merged_maps_are_taken_where_there_are_no_parts(original, raw, folder, mode):
    shutil.rmtree(raw / 'CelebAMask-HQ-mask-anno')
    for number, parsing in enumerate(original[1]):
        picture = Image.fromarray(parsing)
        if mode == 'P':
            picture.putpalette(range(57))
        save(raw / folder / f'{number}.png', picture)
    plan = plan_celebamask_hq(raw, SIZES)
    assert plan.settings['masks'] == folder
    assert plan.recipes[1].sources == ('CelebA-HQ-img/1.jpg', f'{folder}/1.png')
    assert np.array_equal(np.asarray(only(raw).pictures['parsing']), nearest(original[1][0], 64))


def test_parts_are_preferred_to_merged_maps(raw):
    save(raw / 'mask/0.png', Image.new('L', (512, 512)))
    assert plan_celebamask_hq(raw, SIZES).settings['masks'] == 'CelebAMask-HQ-mask-anno'


# split and identity

def write_lists(root, **texts):
    names = {'mapping': 'CelebA-HQ-to-CelebA-mapping.txt', 'partition': 'list_eval_partition.txt',
             'identity': 'identity_CelebA.txt'}
    for name, text in texts.items():
        (root / names[name]).write_text(text)


@pytest.mark.parametrize(('lists', 'splits', 'facts'), [
    ({}, [None, None], [{}, {}]),
    ({'mapping': MAPPING}, [None, None], [{'celeba': '119613'}, {'celeba': '164001'}]),
    ({'mapping': MAPPING, 'partition': PARTITION}, ['train', 'val'],
     [{'celeba': '119613'}, {'celeba': '164001'}]),
    ({'mapping': MAPPING, 'identity': IDENTITY}, [None, None],
     [{'celeba': '119613', 'identity': 2880}, {'celeba': '164001', 'identity': 17}]),
    ({'mapping': MAPPING.replace('164001', '200000'), 'partition': PARTITION, 'identity': IDENTITY}, ['train', 'test'],
     [{'celeba': '119613', 'identity': 2880}, {'celeba': '200000', 'identity': 3}]),
])
def test_split_and_identity_are_those_of_the_original_in_celeba(raw, lists, splits, facts):
    write_lists(raw, **lists)
    plan = plan_celebamask_hq(raw, SIZES)
    assert [recipe.split for recipe in plan.recipes] == splits
    assert [recipe.facts for recipe in plan.recipes] == facts
    assert only(raw).facts == facts[0]
    assert len(plan.settings['lists']) == len(lists)


@pytest.mark.parametrize(('lists', 'words'), [
    ({'partition': PARTITION}, ['list_eval_partition.txt', 'CelebA-HQ-to-CelebA-mapping.txt', 'add']),
    ({'identity': IDENTITY}, ['identity_CelebA.txt', 'CelebA-HQ-to-CelebA-mapping.txt', 'add']),
    ({'mapping': 'idx orig_idx orig_file\n0 119612 119613.jpg\n'}, ['mapping.txt', 'line for 1', 'among 1']),
    ({'mapping': MAPPING, 'partition': '119613.jpg 0\n'}, ['list_eval_partition.txt', '164001', 'among 1']),
    ({'mapping': MAPPING, 'partition': PARTITION.replace('jpg 1', 'jpg 3')}, ['164001', 'found 3']),
    ({'mapping': MAPPING, 'partition': PARTITION.replace('jpg 1', 'jpg,1')}, ['list_eval_partition.txt', 'line 2']),
    ({'mapping': '\x00\x01'}, ['mapping.txt', 'line 1', 'orig_file']),
    ({'mapping': '119613.jpg 0'}, ['mapping.txt', 'line 1', 'orig_file']),
])
def test_lists_that_are_no_use_are_refused(raw, lists, words, usage_error):
    write_lists(raw, **lists)
    with usage_error(raw, *words):
        plan_celebamask_hq(raw, SIZES)


# what can be wrong with the folders

@pytest.mark.parametrize('missing', ['CelebA-HQ-img', 'CelebAMask-HQ-mask-anno'])
def test_a_missing_folder_is_named(raw, missing, usage_error):
    shutil.rmtree(raw / missing)
    with usage_error(raw, missing, 'found CelebA', 'name the folder'):
        plan_celebamask_hq(raw, SIZES)
    (raw / missing).mkdir()
    with usage_error(missing, 'no picture'):
        plan_celebamask_hq(raw, SIZES)


def test_a_folder_that_is_not_there_is_named(tmp_path, usage_error):
    with usage_error(tmp_path / 'nowhere', 'no such folder'):
        plan_celebamask_hq(tmp_path / 'nowhere', SIZES)


@pytest.mark.parametrize('name', ['00000_skin2.png', '00000_background.png', '00000_.png', '00000.png', 'x_skin.png',
                                  '00000_Skin.png', '00000_skin (1).png'])
def test_a_mask_of_an_unknown_name_is_refused(raw, name, usage_error):
    save(raw / 'CelebAMask-HQ-mask-anno/0' / name, Image.new('L', (512, 512)))
    with usage_error(name, '<number>_<part>.png', 'l_brow', 'move'):
        plan_celebamask_hq(raw, SIZES)


def test_other_files_are_no_masks(raw):
    plan = plan_celebamask_hq(raw, SIZES)
    for name in ('CelebA-HQ-img/.0.jpg', 'CelebAMask-HQ-mask-anno/0/.hidden.png', 'CelebAMask-HQ-mask-anno/0/Thumbs.db',
                 'CelebA-HQ-img/Thumbs.db', 'README.txt'):
        (raw / name).write_bytes(b'x')
    assert plan_celebamask_hq(raw, SIZES) == plan


def test_the_same_mask_in_two_folders_is_refused(raw, usage_error):
    save(raw / 'CelebAMask-HQ-mask-anno/1/00000_skin.png', Image.new('L', (512, 512)))
    with usage_error('1/00000_skin.png', '0/00000_skin.png', 'keep one'):
        plan_celebamask_hq(raw, SIZES)


@pytest.mark.parametrize(('name', 'word'), [('face.jpg', 'number'), ('00000.jpg', 'same number'), ('²3.jpg', 'number')])
def test_a_picture_without_a_number_of_its_own_is_refused(raw, name, word, usage_error):
    save(raw / 'CelebA-HQ-img' / name, Image.new('RGB', (8, 8)))
    with usage_error('CelebA-HQ-img', name[:-4], word):
        plan_celebamask_hq(raw, SIZES)


# what can be wrong with a face

def test_a_picture_without_masks_says_so_and_the_others_are_made(raw, usage_error):
    for path in raw.glob('CelebAMask-HQ-mask-anno/0/00000_*'):
        path.unlink()
    with usage_error('CelebA-HQ-img/0.jpg', 'no mask', '00000_<part>.png', 'leave it out'):
        only(raw)
    assert plan_celebamask_hq(raw, SIZES).recipes[1].make(raw)


def test_masks_without_a_picture_say_so(raw, usage_error):
    (raw / 'CelebA-HQ-img/0.jpg').unlink()
    recipe = plan_celebamask_hq(raw, SIZES).recipes[0]
    assert len(recipe.sources) > 10
    with usage_error(raw / 'CelebA-HQ-img/0.jpg', 'no such file'):
        recipe.make(raw)


@pytest.mark.parametrize(('picture', 'words'), [
    (Image.new('L', (1024, 1024)), ['grey']),
    (Image.new('RGB', (1024, 1000)), ['square', '1024x1000']),
    (Image.new('RGB', (32, 32)), ['at least 64', 'found 32', 'smaller size']),
])
def test_a_picture_that_is_no_use_is_refused(raw, picture, words, usage_error):
    path = save(raw / 'CelebA-HQ-img/0.jpg', picture)
    with usage_error(path, *words):
        only(raw)


@pytest.mark.parametrize('name', ['CelebA-HQ-img/0.jpg', part_file(0, 'nose')])
@pytest.mark.parametrize('kept', [0, 1 / 2])
def test_a_damaged_file_is_named(raw, name, kept, usage_error):
    content = (raw / name).read_bytes()
    (raw / name).write_bytes(content[:int(kept * len(content))])
    with usage_error(raw / name, 'replace the file'):
        only(raw)


@pytest.mark.parametrize(('mask', 'words'), [
    (Image.new('L', (256, 256)), ['512x512', '00000_skin.png', 'found 256x256']),
    (Image.new('RGB', (512, 512), (204, 0, 0)), ['colours']),
    (Image.new('RGBA', (512, 512)), ['RGBA']),
    (Image.new('I;16', (512, 512)), ['16 bits']),
])
def test_a_mask_that_is_no_use_is_refused(raw, mask, words, usage_error):
    path = save(raw / part_file(0, 'nose'), mask)
    with usage_error(path, *words):
        only(raw)


def test_masks_that_are_not_square_are_refused(raw, usage_error):
    for path in raw.glob('CelebAMask-HQ-mask-anno/0/00000_*'):
        save(path, Image.new('L', (512, 500)))
    with usage_error('00000_skin.png', 'square', '512x500'):
        only(raw)


@pytest.mark.parametrize(('picture', 'words'), [
    (Image.new('RGB', (512, 512)), ['RGB', 'indices']),
    (Image.new('L', (512, 512), 19), ['class index 19']),
    (Image.new('L', (512, 256)), ['square', '512x256']),
])
def test_a_merged_map_that_is_no_use_is_refused(raw, picture, words, usage_error):
    shutil.rmtree(raw / 'CelebAMask-HQ-mask-anno')
    path = save(raw / 'mask/0.png', picture)
    with usage_error(path, *words):
        only(raw)


def test_every_folder_is_listed_once(tmp_path, monkeypatch):
    for number in range(20):  # with 30,000 faces, a listing for each would take minutes
        save(tmp_path / f'CelebA-HQ-img/{number}.jpg', Image.new('RGB', (8, 8)))
        save(tmp_path / part_file(number, 'skin'), Image.new('L', (8, 8)))
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, 'scandir', lambda folder: listed.append(folder) or scandir(folder))
    assert len(plan_celebamask_hq(tmp_path, SIZES).recipes) == 20
    assert len(listed) == len(set(map(str, listed))) == 3
