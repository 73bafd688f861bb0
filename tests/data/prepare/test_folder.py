import json
import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from pkdn_basicsr.data import face_detection
from pkdn_basicsr.data.celeba_hq_crop import face_square, side_of
from pkdn_basicsr.data.face_detection import FaceDetector
from pkdn_basicsr.data.prepare.folder import plan_folder
from pkdn_basicsr.data.prepare.photo_detection import find_faces
from pkdn_basicsr.data.prepare.recipe import Sizes
from pkdn_basicsr.data.toy_faces import draw_toy_face
from pkdn_basicsr.files import sha256_of_file

SMALL = Sizes(64, (8,))
ASTRONAUT = skimage.data.astronaut()


@pytest.fixture(scope='module')
def detector(shared_weights):
    return FaceDetector(str(shared_weights / 'yunet_n_640_640.onnx'))


class SpotNetwork:
    """In YuNet's place: each white square is a face, whose eyes are a quarter of its side apart, as is the mouth."""

    def setInputSize(self, size):  # noqa: N802
        pass

    def detect(self, canvas):
        count, _, stats, centres = cv2.connectedComponentsWithStats((canvas[..., 0] > 127).astype(np.uint8))
        rows = []
        for spot in range(1, count):
            x, y = centres[spot] + .5
            d = stats[spot][2] / 8
            rows.append([*stats[spot][:4], x - d, y - d, x + d, y - d, x, y, x - d, y + d, x + d, y + d, .9])
        return 1, np.array(rows, np.float32) if rows else None


@pytest.fixture
def spots(monkeypatch, tmp_path):
    monkeypatch.setattr(face_detection, '_load', lambda *_: SpotNetwork())
    (tmp_path / 'spots.onnx').write_bytes(b'spots')
    return FaceDetector(str(tmp_path / 'spots.onnx'))


def spotted(width, height, *squares):
    """A dark picture with white squares of (left, upper, side)."""
    picture = np.full((height, width, 3), 20, np.uint8)
    for left, upper, side in squares:
        picture[upper:upper + side, left:left + side] = 255
    return Image.fromarray(picture)


@pytest.fixture
def photographs(tmp_path):
    root = tmp_path / 'photographs'
    (root / 'holiday').mkdir(parents=True)
    return root


def made(plan):
    return [face for recipe in plan.recipes for face in recipe.make(plan.root)]


# with a stand-in for the network

def test_the_largest_face_has_the_photographs_name(photographs, spots):
    spotted(620, 400, (40, 100, 70), (380, 120, 120), (200, 150, 90)).save(photographs / 'holiday/img.1.png')
    faces = made(plan_folder(photographs, SMALL, spots, max_outside=1))
    assert [face.name for face in faces] == ['holiday/img_1', 'holiday/img_1_face2', 'holiday/img_1_face3']
    for face, (left, upper, side) in zip(faces, [(380, 120, 120), (200, 150, 90), (40, 100, 70)], strict=True):
        assert np.mean(face.facts['landmarks_in_photograph'], axis=0) == pytest.approx(
            [left + side / 2, upper + side / 2], abs=3)
        assert face.facts['faces_found'] == 3
        assert face.pictures['images'].size == (64, 64)
        assert face.pictures['lq_x8'].size == (8, 8)


def test_a_crop_is_shrunk_from_the_photographs_own_pixels(photographs, spots):
    clouds = np.random.default_rng(0).integers(0, 100, (40, 40, 3), np.uint8)
    picture = Image.fromarray(clouds).resize((320, 320), Image.BICUBIC)
    picture.paste((255, 255, 255), (100, 100, 212, 212))
    picture.save(photographs / 'one.png')
    face, = made(plan_folder(photographs, SMALL, spots))
    (left, upper), right_upper, (right, lower), left_lower = face.facts['crop_corners']
    assert (right_upper, left_lower) == ([right, upper], [left, lower])
    expected = picture.resize((64, 64), Image.BICUBIC, (left, upper, right, lower))
    difference = np.abs(np.asarray(expected, float) - np.asarray(face.pictures['images']))
    assert difference.mean() < .5
    assert json.loads(json.dumps(face.facts)) == face.facts


def test_faces_of_no_use_are_left_out(photographs, spots, usage_error):
    spotted(620, 400, (300, 100, 120), (100, 100, 40)).save(photographs / 'two.png')
    face, = made(plan_folder(photographs, Sizes(100), spots))
    assert face.name == 'two'
    assert face.facts['faces_found'] == 2
    assert len(face.facts['left_out']) == 1
    assert 'face too small: its crop is' in face.facts['left_out'][0]
    with usage_error('two.png', 'face too small', 'less than the 300 wanted', '1 more'):
        made(plan_folder(photographs, Sizes(300), spots))
    assert len(made(plan_folder(photographs, Sizes(300), spots, min_side=1))) == 2


def test_a_face_over_the_edge_is_left_out(photographs, spots, usage_error):
    spotted(400, 400, (0, 0, 160)).save(photographs / 'corner.png')
    with usage_error('corner.png', 'over the edge', 'more than the 2%'):
        made(plan_folder(photographs, SMALL, spots, max_outside=.02))
    face, = made(plan_folder(photographs, SMALL, spots, max_outside=1))
    assert .02 < face.facts['share_outside'] < .5


def test_the_tighter_crop_has_larger_faces(photographs, spots):
    spotted(400, 400, (120, 120, 160)).save(photographs / 'one.png')
    wide, tight = (made(plan_folder(photographs, SMALL, spots, crop))[0] for crop in ('celeba-hq', 'dic'))
    eyes = [np.subtract(*face.facts['landmarks'][1::-1])[0] for face in (wide, tight)]
    assert eyes[1] / eyes[0] == pytest.approx(1 / .857, rel=.01)


def test_a_large_photograph_is_searched_in_detail(spots):
    small, large = (304, 1309, 8), (1000, 500, 600)
    picture = np.asarray(spotted(2400, 1600, small, large))
    assert len(spots.detect(picture)) == 1
    faces = find_faces(spots, picture)
    assert len(faces) == 2
    for face, (left, upper, side) in zip(faces, (large, small), strict=True):
        assert face.centre == pytest.approx([left + side / 2, upper + side / 2], abs=side / 40)  # seen from near by
        assert face.landmarks.mean(axis=0) == pytest.approx([left + side / 2, upper + side / 2], abs=side / 40)
        assert not face.landmarks.flags.writeable


def test_settings_tell_models_apart_and_recipes_travel(photographs, spots):
    spotted(400, 400, (120, 120, 160)).save(photographs / 'one.png')
    plan = plan_folder(photographs, SMALL, spots)
    assert json.loads(json.dumps(plan.settings)) == plan.settings == {
        'kind': 'folder', **SMALL.settings(), 'crop': 'celeba-hq', 'min_side': SMALL.hr, 'max_outside': .3,
        'detector_sha256': sha256_of_file(spots.model), 'score_threshold': spots.score_threshold}
    assert (plan.recipes[0].sources, plan.recipes[0].name, plan.recipes[0].split) == (('one.png',), 'one', None)
    copy = pickle.loads(pickle.dumps(plan.recipes[0]))
    assert copy == plan.recipes[0]
    assert copy.make(photographs)[0].facts == made(plan)[0].facts
    with open(spots.model, 'ab') as file:
        file.write(b'other')
    assert plan_folder(photographs, SMALL, spots).settings != plan.settings


@pytest.mark.parametrize('side', [320, 1280])
def test_the_detectors_side_is_what_the_network_sees(spots, monkeypatch, side):
    seen = []
    monkeypatch.setattr(SpotNetwork, 'detect', lambda _, canvas: seen.append(canvas.shape) or (1, None))
    replace(spots, side=side).detect(np.zeros((200, 400, 3), np.uint8))
    assert seen == [(side // 2 + 80, side + 80, 3)]


# wrong input

def test_a_photograph_without_a_face_is_skipped(photographs, spots, usage_error):
    spotted(100, 100).save(photographs / 'holiday/empty.png')
    with usage_error('holiday/empty.png', 'no face found'):
        made(plan_folder(photographs, SMALL, spots))


@pytest.mark.parametrize(('name', 'content', 'word'), [
    ('empty.jpg', b'', 'not a picture'), ('text.jpg', b'no picture at all', 'not a picture')])
def test_other_files_are_skipped(photographs, spots, usage_error, name, content, word):
    (photographs / name).write_bytes(content)
    with usage_error(name, word):
        made(plan_folder(photographs, SMALL, spots))


def test_damaged_grey_and_deep_pictures_are_skipped(photographs, spots, usage_error):
    path = photographs / 'photo.jpg'
    spotted(400, 400, (120, 120, 160)).save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with usage_error('photo.jpg', 'cannot be read'):
        made(plan_folder(photographs, SMALL, spots))
    Image.new('L', (100, 100)).save(path)
    with usage_error('photo.jpg', 'grey'):
        made(plan_folder(photographs, SMALL, spots))
    path.unlink()
    cv2.imwrite(str(photographs / 'deep.png'), np.zeros((40, 40, 3), np.uint16))
    with usage_error('deep.png', '16 bits'):
        made(plan_folder(photographs, SMALL, spots))


def test_cmyk_and_turned_photographs_are_read(photographs, spots):
    picture = spotted(400, 300, (200, 60, 120))
    picture.convert('CMYK').save(photographs / 'cmyk.jpg')
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.rotate(90, expand=True).save(photographs / 'turned.jpg', exif=exif, quality=95)
    first, second = made(plan_folder(photographs, SMALL, spots))
    assert np.array(first.facts['crop_corners']) == pytest.approx(np.array(second.facts['crop_corners']), abs=3)


@pytest.mark.parametrize(('options', 'words'), [
    ({'crop': 'square'}, ['celeba-hq, dic', 'found square']), ({'min_side': 0}, ['min-side', 'found 0']),
    ({'max_outside': 30}, ['max-outside', 'from 0 to 1', 'found 30'])])
def test_values_out_of_range_are_named(photographs, spots, usage_error, options, words):
    with usage_error(*words):
        plan_folder(photographs, SMALL, spots, **options)


def test_names_that_collide_are_named(photographs, spots, usage_error):
    for name in ('a.png', 'a_face2.png'):
        spotted(40, 40).save(photographs / name)
    with usage_error('a_face2.png', 'a.png', 'rename'):
        plan_folder(photographs, SMALL, spots)
    (photographs / 'a.png').unlink()
    assert len(plan_folder(photographs, SMALL, spots).recipes) == 1


def test_a_folder_without_pictures_is_named(photographs, spots, usage_error):
    with usage_error(photographs, 'no picture'):
        plan_folder(photographs, SMALL, spots)
    with usage_error('no such folder'):
        plan_folder(photographs / 'none', SMALL, spots)


# the real network

def test_drawn_faces_come_out_upright(photographs, detector):
    face = Image.fromarray(draw_toy_face(3, 256)[0])
    canvas = Image.new('RGB', (600, 500), (90, 120, 150))
    canvas.paste(face, (172, 122))
    canvas.rotate(20, Image.BICUBIC, center=(300, 250)).save(photographs / 'turned.png')
    crop, = made(plan_folder(photographs, SMALL, detector))
    left_eye, right_eye = np.array(crop.facts['landmarks'])[:2]
    assert abs(left_eye[1] - right_eye[1]) < 3
    across = np.diff(crop.facts['crop_corners'][:2], axis=0)[0]
    assert np.degrees(np.arctan2(-across[1], across[0])) == pytest.approx(20, abs=5)


def test_a_group_is_found_face_by_face(detector):
    """Twelve small astronauts and a large one in 2,400 pixels, of whom one look at 320 pixels finds the large one."""
    head = Image.fromarray(ASTRONAUT[40:240, 110:310])
    group = Image.new('RGB', (2400, 1600), (100, 110, 120))
    places = [(x, y) for y in (60, 1300) for x in range(100, 2300, 380)]
    for place in places:
        group.paste(head.resize((120, 120), Image.BICUBIC), place)
    group.paste(head.resize((900, 900), Image.BICUBIC), (700, 320))
    picture = np.ascontiguousarray(np.asarray(group)[..., ::-1])
    faces = find_faces(detector, picture)
    assert len(faces) == 1 + len(places) > len(detector.detect(picture))
    portrait = detector.main_face(np.ascontiguousarray(np.asarray(head)[..., ::-1])).landmarks
    for (x, y), factor in [((700, 320), 4.5), *[(place, .6) for place in places]]:
        nearest = min(faces, key=lambda face, x=x, y=y: np.abs(face.landmarks - portrait * factor - (x, y)).max())
        distance = np.linalg.norm(nearest.landmarks - portrait * factor - (x, y), axis=1).mean()
        assert distance < .12 * 44 * factor  # of the distance between the eyes
    assert faces[0].box[2] > 2 * faces[1].box[2]


def test_a_real_portrait_is_cut_out_as_pil_does(photographs, detector):
    photograph = Image.fromarray(ASTRONAUT)
    photograph.save(photographs / 'astronaut.png')
    plan = plan_folder(photographs, Sizes(128), detector)
    face, = made(plan)
    corners = np.array(face.facts['crop_corners'])
    side = side_of(corners)
    assert corners == pytest.approx(face_square(np.array(face.facts['landmarks_in_photograph'])), abs=.05)
    quad = corners[[0, 3, 2, 1]].ravel().tolist()
    expected = photograph.transform((side, side), Image.QUAD, quad, Image.BICUBIC).resize((128, 128), Image.BICUBIC)
    difference = np.abs(np.asarray(expected, float) - np.asarray(face.pictures['images']))
    assert difference.mean() < 1.5
    assert np.array_equal(made(plan)[0].pictures['images'], face.pictures['images'])


def test_every_real_portrait_has_its_face(photographs, detector, shared_data):
    folder = shared_data / 'us_officials_512'
    recorded = json.loads((folder / 'landmarks_yunet.json').read_text())
    for name in sorted(recorded)[::60]:
        (photographs / name).symlink_to(folder / 'images' / name)
    for recipe in plan_folder(photographs, Sizes(256), detector).recipes:
        face = recipe.make(photographs)[0]
        assert np.array(face.facts['landmarks_in_photograph']) == pytest.approx(
            np.array(recorded[recipe.sources[0]]), abs=4)
        eyes = np.subtract(*face.facts['landmarks'][1::-1])
        assert abs(eyes[1]) < 12
        assert 40 < eyes[0] < 65
