import numpy as np
import pytest

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.data.toy_faces import draw_toy_face, person
from pkdn_basicsr.data.toy_faces import face as face_module
from pkdn_basicsr.data.toy_faces.drawing import Canvas

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
