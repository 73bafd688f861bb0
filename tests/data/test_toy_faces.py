import json

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.toy_faces import draw_toy_face, person, write_toy_faces
from pkdn_basicsr.data.toy_faces import face as face_module
from pkdn_basicsr.data.toy_faces import folder as folder_module
from pkdn_basicsr.data.toy_faces.drawing import Canvas
from pkdn_basicsr.data.toy_faces.face import VERSION

CLASSES = get_scheme('celebamask_hq').classes
INDEX = {name: index for index, name in enumerate(CLASSES)}


@pytest.fixture(scope='module')
def faces():
    """Pictures (200, 64, 64, 3) and maps (200, 64, 64)."""
    pictures, maps = zip(*(draw_toy_face(seed, 64) for seed in range(200)), strict=True)
    return np.stack(pictures), np.stack(maps)


def mean_position(parsing, name):
    """Mean (x, y) of a class in 0..1, or nothing where it does not occur."""
    y, x = np.nonzero(parsing == INDEX[name])
    return np.array([x.mean() + .5, y.mean() + .5]) / len(parsing) if len(x) else None


def read_all(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


# --- one face -----------------------------------------------------------------------------------------------------

def test_same_arguments_same_face_and_other_seed_other_face():
    (picture, parsing), (again, parsing_again) = draw_toy_face(7, 64), draw_toy_face(7, 64)
    other, other_parsing = draw_toy_face(8, 64)
    assert picture.dtype == parsing.dtype == np.uint8
    assert (picture.shape, parsing.shape) == ((64, 64, 3), (64, 64))
    assert np.array_equal(picture, again)
    assert np.array_equal(parsing, parsing_again)
    assert (parsing != other_parsing).mean() > .05
    assert np.abs(picture.astype(int) - other).mean() > 10


def test_global_random_state_is_neither_used_nor_touched():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first = draw_toy_face(3, 64)[0]
    assert np.array_equal(before, np.random.get_state()[1])
    np.random.seed(1)
    assert np.array_equal(first, draw_toy_face(3, 64)[0])


@pytest.mark.parametrize('seed', range(4))
def test_a_larger_picture_shows_the_same_face_and_map(seed):
    picture, parsing = draw_toy_face(seed, 128)
    large, large_parsing = draw_toy_face(seed, 256)
    blocks = large_parsing.reshape(128, 2, 128, 2).transpose(0, 2, 1, 3).reshape(128, 128, 4)
    whole = (blocks == blocks[..., :1]).all(-1)  # away from class borders there is one right answer
    assert whole.mean() > .93
    assert (blocks[..., 0] == parsing)[whole].mean() > .997
    shrunk = large.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(shrunk - picture).mean() < 3


def test_map_lies_exactly_on_the_picture():
    """Colours change most along the borders of the map where it is, not where it would be one pixel aside."""
    shifts = [(x, y) for x in (-2, -1, 0, 1, 2) for y in (-2, -1, 0, 1, 2)]
    strength = dict.fromkeys(shifts, 0.0)
    for seed in range(12):
        picture, parsing = draw_toy_face(seed, 128)
        colours = picture.astype(float)
        for x, y in shifts:
            moved = np.roll(parsing, (y, x), (0, 1))
            for axis in (0, 1):
                step = np.abs(np.diff(colours, axis=axis)).sum(-1)[4:-4, 4:-4]
                strength[x, y] += step[np.diff(moved.astype(int), axis=axis)[4:-4, 4:-4] != 0].mean()
    assert max(strength, key=strength.get) == (0, 0)


def test_pixels_get_the_class_that_covers_most_of_them():
    canvas = Canvas(64)
    canvas.paint(canvas.stencil(np.array([[.25, .25], [.75, .25], [.75, .75], [.25, .75]])), np.ones(3), label=5)
    picture, parsing = canvas.finish()
    expected = np.zeros((64, 64), bool)
    expected[16:48, 16:48] = True
    assert np.array_equal(parsing == 5, expected)
    assert picture[17:47, 17:47].min() == 255
    assert picture[:15].max() == 0


@pytest.mark.parametrize('x', [-2, 0, 2])
@pytest.mark.parametrize('y', [-2, -.5, .5, 2])
def test_parts_may_lie_outside_the_picture(monkeypatch, x, y):
    monkeypatch.setattr(face_module, '_WEARS', (1, 1, 1, 1))
    pose = person.Pose(yaw=.4, pitch=.2, roll=.2, zoom=1.2, shift=np.array([x, y]))
    monkeypatch.setattr(person, '_sample_pose', lambda rng: pose)
    for seed in range(4):
        assert draw_toy_face(seed, 64)[1].max() <= 18


# --- many faces ---------------------------------------------------------------------------------------------------

def test_every_class_occurs_and_rare_ones_about_as_often_as_meant(faces):
    occurs = {name: (faces[1] == index).any((1, 2)).mean() for index, name in enumerate(CLASSES)}
    assert set(np.unique(faces[1])) == set(range(19))
    # 200 draws: three standard deviations are .09 or less; hair hides some earrings, the picture's edge some necklaces
    for name, low, high in (('eye_g', .11, .29), ('hat', .07, .23), ('ear_r', .13, .34), ('neck_l', .08, .29),
                            ('mouth', .35, .7), ('hair', .85, 1), ('l_eye', .8, 1), ('cloth', .5, 1)):
        assert low <= occurs[name] <= high, name
    for name in ('background', 'skin', 'nose', 'u_lip', 'l_lip', 'neck'):
        assert occurs[name] > .95, name


def test_left_and_right_are_the_subjects(faces):
    for part in ('eye', 'brow', 'ear'):
        pairs = [(mean_position(parsing, f'l_{part}'), mean_position(parsing, f'r_{part}')) for parsing in faces[1]]
        pairs = [(left, right) for left, right in pairs if left is not None and right is not None]
        assert len(pairs) > 100
        assert all(left[0] > right[0] for left, right in pairs), part


def test_framing_is_that_of_celeba_hq(faces):
    """Against the means over CelebAMask-HQ: eyes at (.60, .48) and (.40, .48), nose at (.50, .57), lips at y = .74."""
    for name, x, y in (('l_eye', .60, .48), ('r_eye', .40, .48), ('nose', .50, .57), ('u_lip', .50, .72),
                       ('l_lip', .50, .76), ('l_brow', .61, .41)):
        found = [mean_position(parsing, name) for parsing in faces[1]]
        assert np.allclose(np.mean([at for at in found if at is not None], 0), (x, y), atol=.03), name
    skin = (faces[1] == INDEX['skin']).mean()
    assert .2 < skin < .3


def test_outlines_move_more_than_a_16_pixel_picture_tells(faces):
    """The average map must be a poor guess of a map: else knowing the true one would tell nothing."""
    for name in ('l_eye', 'r_brow', 'u_lip', 'nose'):
        mine = faces[1] == INDEX[name]
        usual = mine.mean(0) > .5
        overlap = (mine & usual).sum((1, 2)) / np.maximum((mine | usual).sum((1, 2)), 1)
        assert overlap.mean() < .75, name


def test_map_cannot_be_read_off_the_colours(faces):
    """The nearest class mean, fitted on half of the faces, tells little about the other half."""
    pictures, maps = faces[0].astype(np.float32), faces[1]
    means = np.stack([pictures[:100][maps[:100] == index].mean(0) for index in range(19)])
    guess = ((pictures[100:, ..., None, :] - means) ** 2).sum(-1).argmin(-1)
    overlap = [((guess == k) & (maps[100:] == k)).sum() / ((guess == k) | (maps[100:] == k)).sum() for k in range(19)]
    assert np.mean(overlap) < .15
    lips = pictures[maps == INDEX['u_lip']].mean(0)
    assert np.abs(lips - pictures[maps == INDEX['nose']].mean(0)).mean() < 60


# --- a folder of faces --------------------------------------------------------------------------------------------

def test_folder_has_what_the_datasets_read(tmp_path):
    write_toy_faces(tmp_path / 'a' / 'faces', 9, seed=1, size=64)
    folder = tmp_path / 'a' / 'faces'
    names = [f'{i:05d}.png' for i in range(9)]
    assert sorted(read_all(folder)) == sorted([*(f'{d}/{n}' for d in ('images', 'parsing') for n in names),
                                               'split_train.txt', 'split_val.txt', 'toy_faces.json'])
    assert (folder / 'split_train.txt').read_text().split() == names[:8]
    assert (folder / 'split_val.txt').read_text().split() == names[8:]
    settings = json.loads((folder / 'toy_faces.json').read_text())
    assert settings == {'version': VERSION, 'num': 9, 'seed': 1, 'size': 64, 'num_val': 1}
    picture, parsing = (Image.open(folder / kind / names[0]) for kind in ('images', 'parsing'))
    assert (picture.mode, parsing.mode, picture.size, parsing.size) == ('RGB', 'P', (64, 64), (64, 64))
    indices = np.array(parsing)
    assert {INDEX['skin'], INDEX['nose'], INDEX['neck']} <= set(np.unique(indices)) <= set(range(19))
    assert len({tuple(parsing.getpalette()[3 * k:3 * k + 3]) for k in range(19)}) == 19


def test_split_and_single_validation_face(tmp_path):
    write_toy_faces(tmp_path, 5, seed=0, size=64, num_val=3)
    assert (tmp_path / 'split_train.txt').read_text() == '00000.png\n00001.png\n'
    assert (tmp_path / 'split_val.txt').read_text() == '00002.png\n00003.png\n00004.png\n'


def test_longer_set_begins_with_the_shorter_one_and_worker_processes_draw_the_same(tmp_path, monkeypatch):
    write_toy_faces(tmp_path / 'short', 2, seed=5, size=64)
    monkeypatch.setattr(folder_module, '_FACES_WORTH_A_WORKER', 2)
    write_toy_faces(tmp_path / 'long', 4, seed=5, size=64, workers=2)
    write_toy_faces(tmp_path / 'other', 2, seed=6, size=64)
    short, long, other = (read_all(tmp_path / name) for name in ('short', 'long', 'other'))
    for name in ('images/00000.png', 'images/00001.png', 'parsing/00000.png', 'parsing/00001.png'):
        assert short[name] == long[name]
        assert short[name] != other[name]
    assert long['images/00000.png'] != long['images/00001.png']
    assert len(long) == 4 * 2 + 3


def test_interrupted_set_is_finished_and_finished_files_are_left_alone(tmp_path):
    write_toy_faces(tmp_path, 4, seed=2, size=64)
    whole = read_all(tmp_path)
    for name in ('images/00001.png', 'images/00002.png', 'parsing/00002.png', 'split_val.txt'):
        (tmp_path / name).unlink()
    (tmp_path / 'images' / '.00002.png.tmp').write_bytes(b'half a pict')
    kept = {name: (tmp_path / name).stat().st_mtime_ns for name in read_all(tmp_path) if not name.endswith('.tmp')}
    write_toy_faces(tmp_path, 4, seed=2, size=64)
    assert read_all(tmp_path) == whole
    assert all((tmp_path / name).stat().st_mtime_ns == time for name, time in kept.items())


def test_finished_set_draws_nothing(tmp_path, monkeypatch):
    write_toy_faces(tmp_path, 3, seed=2, size=64)
    monkeypatch.setattr(folder_module, 'draw_toy_face', None)
    write_toy_faces(tmp_path, 3, seed=2, size=64)


def test_a_failed_write_leaves_no_half_file_under_its_name(tmp_path, monkeypatch):
    def save_half(image, path, **_):
        path.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(Image.Image, 'save', save_half)
    with pytest.raises(OSError, match='disk full'):
        write_toy_faces(tmp_path, 2, seed=0, size=64)
    assert not list(tmp_path.glob('images/[!.]*'))
    monkeypatch.undo()
    write_toy_faces(tmp_path, 2, seed=0, size=64)
    assert not list(tmp_path.rglob('*.tmp'))


@pytest.mark.parametrize(('changed', 'words'), [
    ({'seed': 3}, ('seed 3', 'seed 2')), ({'size': 72}, ('size 72', 'size 64')), ({'num': 3}, ('num 3', 'num 2')),
    ({'num': 4, 'num_val': 2}, ('num_val 2', 'num_val 1'))])
def test_folder_of_other_settings_is_refused_and_left_alone(tmp_path, usage_error, changed, words):
    settings = {'num': 2, 'seed': 2, 'size': 64}
    write_toy_faces(tmp_path, **settings)
    before = read_all(tmp_path)
    with usage_error(tmp_path, *words, 'name another folder'):
        write_toy_faces(tmp_path, **(settings | changed))
    assert read_all(tmp_path) == before


def test_folder_of_another_version_is_refused(tmp_path, usage_error):
    write_toy_faces(tmp_path, 2, seed=2, size=64)
    kept = tmp_path / 'toy_faces.json'
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {'version': VERSION + 1}))
    with usage_error(tmp_path, f'version {VERSION}', f'version {VERSION + 1}'):
        write_toy_faces(tmp_path, 2, seed=2, size=64)


@pytest.mark.parametrize('name', ['holiday.jpg', 'images/00000.png', 'sub/folder/notes.txt'])
def test_folder_with_other_files_is_refused_and_left_alone(tmp_path, usage_error, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text('mine')
    with usage_error(tmp_path, name.split('/')[-1], 'name another folder'):
        write_toy_faces(tmp_path, 2, seed=2, size=64)
    assert read_all(tmp_path) == {name: b'mine'}


def test_foreign_file_in_our_own_folder_is_refused(tmp_path, usage_error):
    write_toy_faces(tmp_path, 2, seed=2, size=64)
    (tmp_path / 'images' / '00002.png').write_text('not of this set')
    with usage_error(tmp_path, '00002.png'):
        write_toy_faces(tmp_path, 2, seed=2, size=64)


@pytest.mark.parametrize('text', ['{"num": 2', '[1, 2]', ''])
def test_broken_settings_file_is_refused(tmp_path, usage_error, text):
    (tmp_path / 'toy_faces.json').write_text(text)
    with usage_error('toy_faces.json', 'settings'):
        write_toy_faces(tmp_path, 2, seed=2, size=64)


def test_a_file_in_the_folders_place_is_refused(tmp_path, usage_error):
    (tmp_path / 'faces').write_text('mine')
    with usage_error(tmp_path / 'faces', 'found a file'):
        write_toy_faces(tmp_path / 'faces', 2, seed=2, size=64)


@pytest.mark.parametrize(('name', 'value'), [('num', 1), ('num', 100_001), ('size', 63), ('seed', -1), ('num_val', 0),
                                             ('num_val', 4), ('workers', 0)])
def test_values_out_of_range_are_refused_before_anything_is_written(tmp_path, usage_error, name, value):
    settings = {'num': 4, 'seed': 0, 'size': 64, name: value}
    with usage_error(name, value):
        write_toy_faces(tmp_path / 'faces', **settings)
    assert not (tmp_path / 'faces').exists()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, usage_error):
    (tmp_path / 'file').write_text('')
    with usage_error(tmp_path / 'file' / 'faces', 'cannot be written to', 'name another folder'):
        write_toy_faces(tmp_path / 'file' / 'faces', 2, seed=0)
