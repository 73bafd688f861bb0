import json
import math
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from data.prepare.raw_celeba_tree import (
    BOXES,
    IDENTITIES,
    LANDMARKS,
    NAMES,
    PARTITION,
    SIZES,
    replace_lines,
    write_celeba_tree,
    write_list,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pkdn_basicsr.data.prepare.celeba import plan_celeba
from pkdn_basicsr.data.prepare.celeba_crops import DicCrop
from pkdn_basicsr.data.prepare.recipe import Sizes
from pkdn_basicsr.errors import UsageError

SMALL = Sizes(64, (8,))


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    return write_celeba_tree(tmp_path_factory.mktemp('raw') / 'CelebA')


@pytest.fixture
def raw(original, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(original, tmp_path / 'CelebA')


def only_face(plan, index):
    face, = plan.recipes[index].make(plan.root)
    return face


def box_of_dic(x, y, w, h, full_w, full_h):
    """The published steps, one after the other: shorter side, about the middle, 15 % more, kept inside."""
    if w > h:
        x, w = x + (w - h) / 2, h
    else:
        y, h = y + (h - w) / 2, w
    e = int(w * 0.3 / 2)
    x0 = 0 if x - e < 0 else x - e
    y0 = 0 if y - e < 0 else y - e
    x1 = full_w if x0 + w + 2 * e > full_w else x0 + w + 2 * e
    y1 = full_h if y0 + h + 2 * e > full_h else y0 + h + 2 * e
    return x0, y0, x1, y1


# crops

@pytest.mark.parametrize('index', range(5))
def test_dic_crops_are_the_published_ones(original, index):
    face = only_face(plan_celeba(original, SMALL), index)
    picture = Image.open(original / 'Img/img_celeba' / NAMES[index])
    expected = picture.crop(box_of_dic(*BOXES[index], *SIZES[index])).resize((64, 64), Image.BICUBIC)
    assert np.array_equal(face.pictures['images'], expected)
    assert np.array_equal(face.pictures['lq_x8'], expected.resize((8, 8), Image.BICUBIC))
    assert face.name == NAMES[index][:6]


@given(st.tuples(*[st.integers(-200, 600)] * 2, *[st.integers(0, 500)] * 2), st.integers(1, 500), st.integers(1, 500))
def test_dic_boxes_are_the_published_ones_or_none(box, width, height):
    expected = box_of_dic(*box, width, height)
    try:
        found = DicCrop(box, 'a list').box(width, height)
    except UsageError:
        x, y, w, h = box  # there is no pixel of the picture in the box's square part
        side = min(w, h)
        x, y = x + (w - side) / 2, y + (h - side) / 2
        assert min(x + side, width) - max(x, 0) < 1 or min(y + side, height) - max(y, 0) < 1
    else:
        assert found == tuple(round(edge) for edge in expected)
        crop = Image.new('1', (width, height)).crop(expected)
        assert crop.size == (found[2] - found[0], found[3] - found[1])


def test_a_box_may_come_from_another_list_and_picture_folder(original, tmp_path):
    write_list(tmp_path / 'boxes.txt', [(30, 50, 110, 110)] * 5)
    plan = plan_celeba(original, SMALL, pictures='Img/img_align_celeba', boxes=tmp_path / 'boxes.txt')
    face = only_face(plan, 3)
    assert face.facts['crop_box'] == [14, 34, 156, 176]
    assert plan.recipes[3].sources == ('Img/img_align_celeba/000004.jpg',)


@pytest.mark.parametrize('write', [Path.absolute, lambda path: Path('deep/..') / path])
def test_the_picture_folder_may_be_named_in_any_way(original, monkeypatch, write):
    monkeypatch.chdir(original)
    pictures = write(Path('Img/img_celeba'))
    assert plan_celeba(Path(), SMALL, pictures=str(pictures)).settings == plan_celeba(original, SMALL).settings


@pytest.fixture
def first_19100(raw):
    """19,100 names, of which five are pictures: a plan reads none."""
    for number in range(6, 19101):
        (raw / f'Img/img_align_celeba/{number:06d}.jpg').touch()
    return raw


def test_the_first_18000_are_the_centres_of_aligned_pictures(first_19100):
    plan = plan_celeba(first_19100, Sizes(128, (8,)), 'first18000')
    splits = [recipe.split for recipe in plan.recipes]
    assert splits == ['train'] * 18000 + ['test'] * 1000 + ['val'] * 100
    assert plan.recipes[18000].name == '018001'
    face = only_face(plan, 2)
    picture = Image.open(first_19100 / 'Img/img_align_celeba/000003.jpg')
    assert np.array_equal(face.pictures['images'], picture.crop((0, 20, 178, 198)).resize((128, 128), Image.BICUBIC))
    assert face.facts['crop_box'] == [0, 20, 178, 198]


# facts and parts

def test_facts_and_official_parts(original):
    plan = plan_celeba(original, Sizes(64))
    assert [recipe.split for recipe in plan.recipes] == [('train', 'val', 'test')[part] for part in PARTITION]
    for index in range(5):
        facts = only_face(plan, index).facts
        left, upper, right, lower = facts['crop_box']
        for (x, y), (found_x, found_y) in zip(np.reshape(LANDMARKS[index], (5, 2)), facts['landmarks'], strict=True):
            assert math.isclose(left + found_x / 64 * (right - left), x, abs_tol=.02)
            assert math.isclose(upper + found_y / 64 * (lower - upper), y, abs_tol=.02)
        assert facts['identity'] == IDENTITIES[index]
        assert json.loads(json.dumps(facts)) == facts


def test_facts_need_their_lists(raw):
    for name in ('list_landmarks_celeba.txt', 'identity_CelebA.txt'):
        (raw / 'Anno' / name).unlink()
    assert only_face(plan_celeba(raw, SMALL), 0).facts.keys() == {'crop_box'}


def test_lists_may_lie_beside_the_pictures(raw):
    for path in [*raw.glob('Anno/*'), *raw.glob('Eval/*'), *raw.glob('Img/*')]:
        path.rename(raw / path.name)
    plan = plan_celeba(raw, SMALL)
    assert plan.recipes[0].sources == ('img_celeba/000001.jpg',)
    assert only_face(plan, 0).facts['identity'] == IDENTITIES[0]


def test_a_users_lists_take_the_place_of_the_official_parts(raw, tmp_path):
    (raw / 'Eval/list_eval_partition.txt').unlink()
    (tmp_path / 'train.txt').write_text('000004.jpg\n000001.jpg\n')
    (tmp_path / 'test.txt').write_text('000002.png\r\n')
    plan = plan_celeba(raw, SMALL, lists={'train': tmp_path / 'train.txt', 'test': tmp_path / 'test.txt'})
    assert [(recipe.name, recipe.split) for recipe in plan.recipes] == [
        ('000001', 'train'), ('000002', 'test'), ('000004', 'train')]


def test_recipes_travel_and_settings_tell_lists_apart(raw):
    plan = plan_celeba(raw, SMALL)
    copy = pickle.loads(pickle.dumps(plan.recipes[1]))
    assert copy == plan.recipes[1]
    assert copy.make(raw)[0].facts == only_face(plan, 1).facts
    assert json.loads(json.dumps(plan.settings)) == plan.settings
    assert plan_celeba(raw, SMALL).settings == plan.settings
    replace_lines(raw / 'Anno/list_bbox_celeba.txt', {3: '000001.jpg 1 1 90 90'})
    assert plan_celeba(raw, SMALL).settings != plan.settings


# wrong input

@pytest.mark.parametrize('line', ['000002.jpg 1 2 3', '000002.jpg 1 2 3 4 5', '000002.jpg 1 2 3 4.5', '000002.jpg',
                                  '000002.jpg a b c d', '000002.jpg 1 2 3 99999999999'])
def test_bad_lines_are_named(raw, usage_error, line):
    path = raw / 'Anno/list_bbox_celeba.txt'
    replace_lines(path, {4: line})
    with usage_error(path, 'line 4', '4 whole numbers', line):
        plan_celeba(raw, SMALL)


def test_a_name_on_two_lines_is_named(raw, usage_error):
    replace_lines(raw / 'Anno/list_bbox_celeba.txt', {6: '000001.jpg 1 2 3 4'})
    with usage_error('line 6', '000001.jpg', 'line 3'):
        plan_celeba(raw, SMALL)


def test_a_list_that_was_cut_is_known(raw, usage_error):
    path = raw / 'Anno/list_bbox_celeba.txt'
    path.write_text(''.join(path.read_text().splitlines(keepends=True)[:5]))
    with usage_error(path, 'expected 5 pictures', 'found 3'):
        plan_celeba(raw, SMALL)


def test_other_files_as_lists_are_named(raw, usage_error):
    path = raw / 'Anno/list_bbox_celeba.txt'
    path.write_bytes((raw / 'Img/img_celeba/000001.jpg').read_bytes())
    with usage_error(path, 'UTF-8'):
        plan_celeba(raw, SMALL)
    with usage_error(raw / 'none.txt', 'cannot be read'):
        plan_celeba(raw, SMALL, boxes=raw / 'none.txt')


@pytest.mark.parametrize(('path', 'words'), [
    ('Img/img_celeba', ['img_celeba', '--pictures']),
    ('Anno/list_bbox_celeba.txt', ['list_bbox_celeba.txt', '--boxes']),
    ('Eval/list_eval_partition.txt', ['list_eval_partition.txt', '--train-list'])])
def test_missing_parts_of_the_download_are_named(raw, usage_error, path, words):
    (raw / path).rename(raw / 'elsewhere')
    with usage_error(*words):
        plan_celeba(raw, SMALL)


def test_wrong_parts_are_named(raw, usage_error):
    replace_lines(raw / 'Eval/list_eval_partition.txt', {2: '000002.jpg 3'})
    with usage_error('list_eval_partition.txt', 'line 2', 'found 3'):
        plan_celeba(raw, SMALL)


def test_an_unfinished_download_is_known(raw, usage_error):
    (raw / 'Img/img_celeba/000002.jpg').unlink()
    (raw / 'Img/img_celeba/000005.jpg').unlink()
    with usage_error('list_eval_partition.txt', '2 of 5', 'the first is 000002', '--train-list'):
        plan_celeba(raw, SMALL)
    with usage_error('19095 of 19100', 'the first is 000006'):
        plan_celeba(raw, SMALL, 'first18000')


def test_a_picture_of_no_part_is_named(raw, usage_error):
    shutil.copy(raw / 'Img/img_celeba/000002.jpg', raw / 'Img/img_celeba/holiday.jpg')
    with usage_error('1 pictures are on no line', 'holiday'):
        plan_celeba(raw, SMALL)


def test_a_users_lists_must_fit(raw, tmp_path, usage_error):
    train, test = tmp_path / 'train.txt', tmp_path / 'test.txt'
    train.write_text('000001.jpg\n000002.jpg\n')
    test.write_text('000002.jpg\n')
    with usage_error('--test-list', '000002', '--train-list'):
        plan_celeba(raw, SMALL, lists={'train': train, 'test': test})
    test.write_text('000003.jpg\n000077.jpg\n')
    with usage_error('--test-list', test, '1 of 2', '000077'):
        plan_celeba(raw, SMALL, lists={'train': train, 'test': test})


def test_options_that_do_not_go_together_are_named(raw, usage_error):
    with usage_error('dic, first18000', 'found square'):
        plan_celeba(raw, SMALL, 'square')
    with usage_error('first18000', '--boxes'):
        plan_celeba(raw, SMALL, 'first18000', boxes=raw / 'Anno/list_bbox_celeba.txt')
    with usage_error('img_align_celeba', 'img_celeba', '--boxes'):
        plan_celeba(raw, SMALL, pictures='Img/img_align_celeba')


@pytest.mark.parametrize('outside', ['../other', '{}/other'])
def test_pictures_outside_the_source_are_refused(raw, tmp_path, usage_error, outside):
    (raw / 'Img/img_align_celeba').rename(tmp_path / 'other')
    pictures = outside.format(tmp_path)
    with usage_error('--pictures', f'below {raw}', f'found {pictures}'):
        plan_celeba(raw, SMALL, 'first18000', pictures)


@pytest.mark.parametrize('box', ['300 40 90 90', '10 240 9 9', '-90 40 90 90', '100 40 0 90', '0 0 0 0'])
def test_a_box_outside_the_picture_is_a_reason_to_skip_it(raw, usage_error, box):
    replace_lines(raw / 'Anno/list_bbox_celeba.txt', {3: f'000001.jpg {box}'})
    with usage_error('000001.jpg', 'list_bbox_celeba.txt line 3', box, '300x240'):
        only_face(plan_celeba(raw, SMALL), 0)


def test_a_picture_without_a_box_is_skipped(raw, tmp_path, usage_error):
    write_list(tmp_path / 'boxes.txt', BOXES[:2])
    plan = plan_celeba(raw, SMALL, boxes=tmp_path / 'boxes.txt')
    assert only_face(plan, 1)
    with usage_error('000003.jpg', 'no box in boxes.txt'):
        only_face(plan, 2)


@pytest.mark.parametrize('content', [b'', b'no picture'])
def test_a_damaged_picture_is_skipped(raw, usage_error, content):
    path = raw / 'Img/img_celeba/000001.jpg'
    path.write_bytes(content)
    with usage_error(path, 'not a picture'):
        only_face(plan_celeba(raw, SMALL), 0)


def test_a_picture_that_was_cut_or_is_grey_is_skipped(raw, usage_error):
    path = raw / 'Img/img_celeba/000001.jpg'
    path.write_bytes(path.read_bytes()[:3000])
    with usage_error(path, 'cannot be read'):
        only_face(plan_celeba(raw, SMALL), 0)
    Image.new('L', (300, 240)).save(path)
    with usage_error(path, 'grey'):
        only_face(plan_celeba(raw, SMALL), 0)
