import json
import pickle
import shutil

import numpy as np
import pytest
from data.prepare.raw_trees import helen_names, save, write_helen_tree
from PIL import Image

from pkdn_basicsr.data.prepare.helen import face_square, index_map, plan_helen
from pkdn_basicsr.data.prepare.recipe import Sizes

SIZES = Sizes(64, (4, 8))
FIRST, SECOND = helen_names(2)


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp('raw') / 'SmithCVPR2013_dataset_original'
    return root, write_helen_tree(root, 2)


@pytest.fixture
def raw(original, tmp_path):
    """A copy of two faces that a test may spoil."""
    return shutil.copytree(original[0], tmp_path / 'raw')


def label(root, index, name=FIRST):
    return root / f'labels/{name}/{name}_lbl{index:02}.png'


def only(root, sizes=SIZES):
    """Make the first face."""
    [face] = plan_helen(root, sizes).recipes[0].make(root)
    return face


def soft_maps(parsing):
    return [np.where(parsing == index, 255, 0).astype(np.uint8) for index in range(11)]


def rectangle(left, upper, right, lower, size, part=1):
    parsing = np.zeros(size[::-1], dtype=np.uint8)
    parsing[upper:lower, left:right] = part
    return soft_maps(parsing)


# faces

def test_a_face_is_a_square_of_its_picture_and_the_map_of_the_same_square(original):
    root, exact = original
    for number, recipe in enumerate(plan_helen(root, SIZES).recipes):
        [face] = recipe.make(root)
        box = face.facts['crop_box']
        assert face.name == recipe.name == helen_names(2)[number]
        assert list(face.pictures) == ['images', 'lq_x4', 'lq_x8', 'parsing']
        picture = Image.open(root / f'images/{face.name}.jpg').crop(box).resize((64, 64), Image.Resampling.BICUBIC)
        assert np.array_equal(np.asarray(face.pictures['images']), np.asarray(picture))
        cropped = Image.fromarray(exact[number]).crop(box).resize((64, 64), Image.Resampling.NEAREST)
        parsing = np.asarray(face.pictures['parsing'])
        assert face.pictures['parsing'].mode == 'P'
        assert np.mean(parsing == np.asarray(cropped)) > .95  # they differ along outlines
        assert set(np.unique(parsing)) >= {0, 1, 2, 3, 4, 5, 6, 7, 9, 10}


def test_the_square_lies_around_the_face(original):
    left, upper, right, lower = only(original[0]).facts['crop_box']
    rows, columns = np.nonzero((original[1][0] > 0) & (original[1][0] < 10))
    assert right - left == lower - upper
    assert left < columns.min() < columns.max() < right
    assert upper < rows.min() < rows.max() < lower


def test_a_plan_can_be_pickled_and_its_settings_written(original):
    plan = plan_helen(original[0], SIZES)
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert json.loads(json.dumps(plan.settings)) == plan.settings == {
        'kind': 'helen', 'size': 64, 'scales': [4, 8], 'expand': .3}
    assert json.dumps(dict(only(original[0]).facts))
    assert [len(recipe.sources) for recipe in plan.recipes] == [12, 12]
    assert all((original[0] / source).is_file() for recipe in plan.recipes for source in recipe.sources)


# the square

@pytest.mark.parametrize(('part', 'expected'), [
    ((100, 80, 140, 120), (94, 74, 146, 126)),  # 40 pixels, 1.3 times as long, about the same middle
    ((100, 80, 140, 100), (94, 64, 146, 116)),  # the longer side
    ((100, 80, 120, 120), (84, 74, 136, 126)),
    ((0, 0, 40, 40), (0, 0, 52, 52)),  # shifted into the picture
    ((260, 160, 300, 200), (248, 148, 300, 200)),
    ((50, 5, 240, 195), (45, 0, 245, 200)),  # 247 pixels do not fit into the height of 200
    ((7, 9, 8, 10), (7, 9, 8, 10)),
])
def test_square_around_a_rectangle(part, expected):
    assert face_square(rectangle(*part, (300, 200))) == expected


@pytest.mark.parametrize('part', range(1, 10))
def test_every_part_of_the_face_counts(part):
    assert face_square(rectangle(100, 80, 140, 120, (300, 200), part)) == (94, 74, 146, 126)


@pytest.mark.parametrize('part', [0, 10])
def test_hair_and_background_are_no_face(part):
    assert face_square(rectangle(100, 80, 140, 120, (300, 200), part)) is None


def test_face_parts_that_share_a_pixel_count_together():
    maps = [np.zeros((200, 300), dtype=np.uint8) for _ in range(11)]
    maps[1][80:120, 100:140] = 64
    assert face_square(maps) is None
    maps[4][80:120, 100:140] = 64  # 128 together: half
    assert face_square(maps) == (94, 74, 146, 126)


# the map

def test_without_a_change_of_size_the_largest_value_wins():
    maps = np.random.default_rng(0).integers(0, 256, (11, 20, 30), dtype=np.uint8)
    expected = np.zeros((12, 12), dtype=np.uint8)
    for y in range(12):
        for x in range(12):
            expected[y, x] = max(range(11), key=lambda index, y=y, x=x: maps[index, 5 + y, 10 + x])
    assert np.array_equal(index_map(list(maps), (10, 5, 22, 17), 12), expected)


def test_shrinking_takes_the_class_with_the_largest_mean():
    maps = np.random.default_rng(1).integers(0, 256, (11, 40, 40), dtype=np.uint8)
    means = maps[:, 4:36, 8:40].reshape(11, 8, 4, 8, 4).mean(axis=(2, 4))
    first, second = np.sort(means, axis=0)[::-1][:2]
    clear = first - second > 1  # the means are rounded
    assert clear.mean() > .7
    assert np.array_equal(index_map(list(maps), (8, 4, 40, 36), 8)[clear], means.argmax(axis=0)[clear])


def test_thin_parts_stay_where_they_have_most_of_a_pixel():
    maps = [np.zeros((40, 40), dtype=np.uint8) for _ in range(11)]
    maps[0][:] = 255
    for index, rows in ((7, [4, 5]), (9, [6])):  # in the second row of 4 output pixels
        maps[0][rows], maps[index][rows] = 0, 255
    assert np.array_equal(np.unique(index_map(maps, (0, 0, 40, 40), 10)[1]), [7])


# splits

@pytest.mark.parametrize(('lists', 'splits'), [
    ({}, [None, None]),
    ({'exemplars.txt': f'1 , {FIRST}\n'}, ['train', None]),
    ({'tuning.txt': f'1 , {SECOND}\r\n\r\n', 'testing.txt': f'1,{FIRST}'}, ['test', 'val']),
])
def test_the_lists_are_the_splits(raw, lists, splits):
    for name, text in lists.items():
        (raw / name).write_text(text, newline='')
    assert [recipe.split for recipe in plan_helen(raw, SIZES).recipes] == splits


def test_a_listed_face_that_is_not_there_is_reported(raw, usage_error):
    (raw / 'testing.txt').write_text('1 , 0_1\n')
    plan = plan_helen(raw, SIZES)
    assert len(plan.recipes) == 3
    assert plan.recipes[0].split == 'test'
    with usage_error(raw / 'images/0_1.jpg', 'no such file'):
        plan.recipes[0].make(raw)


@pytest.mark.parametrize(('lists', 'words'), [
    ({'testing.txt': f'1 , {FIRST}\n{SECOND}\n'}, ['testing.txt', 'line 2', 'number , name', SECOND]),
    ({'exemplars.txt': f'1 , {FIRST}\n', 'testing.txt': f'1 , {FIRST}\n'}, ['testing.txt', 'exemplars.txt', FIRST]),
])
def test_a_list_that_is_no_use_is_refused(raw, lists, words, usage_error):
    for name, text in lists.items():
        (raw / name).write_text(text)
    with usage_error(raw, *words):
        plan_helen(raw, SIZES)


# what can be wrong

@pytest.mark.parametrize('missing', ['images', 'labels'])
def test_a_missing_folder_is_named(raw, missing, usage_error):
    shutil.rmtree(raw / missing)
    with usage_error(raw, 'images and labels', 'found', 'SmithCVPR2013'):
        plan_helen(raw, SIZES)
    (raw / missing).mkdir()
    with usage_error(missing, 'no picture'):
        plan_helen(raw, SIZES)


def test_a_folder_that_is_not_there_is_named(tmp_path, usage_error):
    with usage_error(tmp_path / 'nowhere', 'no such folder'):
        plan_helen(tmp_path / 'nowhere', SIZES)


def test_a_picture_without_maps_says_so_and_the_others_are_made(raw, usage_error):
    shutil.rmtree(raw / 'labels' / FIRST)
    with usage_error(label(raw, 0), 'no such file'):
        only(raw)
    assert plan_helen(raw, SIZES).recipes[1].make(raw)


def test_a_missing_map_is_named(raw, usage_error):
    label(raw, 7).unlink()
    with usage_error(label(raw, 7), 'no such file'):
        only(raw)


def test_maps_without_a_picture_say_so(raw, usage_error):
    (raw / f'images/{FIRST}.jpg').unlink()
    with usage_error(raw / f'images/{FIRST}.jpg', 'no such file'):
        only(raw)


@pytest.mark.parametrize('name', [f'images/{FIRST}.jpg', f'labels/{FIRST}/{FIRST}_lbl04.png'])
@pytest.mark.parametrize('kept', [0, 1 / 2])
def test_a_damaged_file_is_named(raw, name, kept, usage_error):
    content = (raw / name).read_bytes()
    (raw / name).write_bytes(content[:int(kept * len(content))])
    with usage_error(raw / name, 'replace the file'):
        only(raw)


def test_a_grey_picture_is_refused(raw, usage_error):
    path = save(raw / f'images/{FIRST}.jpg', Image.new('L', (320, 240)))
    with usage_error(path, 'grey'):
        only(raw)


@pytest.mark.parametrize(('picture', 'words'), [
    (Image.new('L', (240, 320)), ['320x240', f'images/{FIRST}.jpg', 'found 240x320']),
    (Image.new('RGB', (320, 240), (204, 0, 0)), ['colours']),
    (Image.new('RGBA', (320, 240)), ['RGBA']),
])
def test_a_map_that_is_no_use_is_refused(raw, picture, words, usage_error):
    path = save(label(raw, 3), picture)
    with usage_error(path, *words):
        only(raw)


def test_maps_without_a_face_are_refused(raw, usage_error):
    for index in range(1, 10):
        save(label(raw, index), Image.new('L', (320, 240)))
    with usage_error(f'images/{FIRST}.jpg', 'face', f'labels/{FIRST}', 'found none'):
        only(raw)


def test_a_face_that_would_be_enlarged_is_refused(raw, usage_error):
    left, _, right, _ = only(raw).facts['crop_box']
    assert only(raw, Sizes(right - left)).pictures['images'].size == (right - left, right - left)
    with usage_error(f'images/{FIRST}.jpg', f'at least {right - left + 1}', f'found {right - left}', 'smaller size'):
        only(raw, Sizes(right - left + 1))
