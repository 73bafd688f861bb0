import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.data.prepare.aligned import plan_aligned
from pkdn_basicsr.data.prepare.job import prepare
from pkdn_basicsr.data.prepare.recipe import Sizes


@pytest.fixture
def folders(tmp_path):
    """`images` and `parsing` with the pictures a.png, b.v2.jpg and sub/c.png of 40x36 pixels."""
    rng = np.random.default_rng(0)
    for name in ('a.png', 'b.v2.jpg', 'sub/c.png'):
        for folder, shape in (('images', (36, 40, 3)), ('parsing', (36, 40))):
            path = tmp_path / folder / (name if folder == 'images' else name.replace('.jpg', '.png'))
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 19, shape, np.uint8)).save(path)
    return tmp_path


def test_the_centred_square_is_resized_with_its_map(folders):
    prepare(plan_aligned(folders / 'images', Sizes(32, (8,)), folders / 'parsing'), folders / 'set', 1)
    for source, name in (('a.png', 'a'), ('b.v2.jpg', 'b_v2'), ('sub/c.png', 'sub/c')):
        square = Image.open(folders / 'images' / source).crop((2, 0, 38, 36))
        hr = square.resize((32, 32), Image.Resampling.BICUBIC)
        assert np.array_equal(Image.open(folders / 'set' / 'images' / f'{name}.png'), hr)
        assert np.array_equal(Image.open(folders / 'set' / 'lq_x8' / f'{name}.png'),
                              hr.resize((4, 4), Image.Resampling.BICUBIC))
        parsing = Image.open((folders / 'parsing' / source).with_suffix('.png')).crop((2, 0, 38, 36))
        assert np.array_equal(Image.open(folders / 'set' / 'parsing' / f'{name}.png'),
                              parsing.resize((32, 32), Image.Resampling.NEAREST))


def test_maps_beside_a_link_are_those_of_the_named_folder(folders):
    (folders / 'deep').mkdir()
    (folders / 'images').rename(folders / 'deep' / 'images')
    (folders / 'deep' / 'parsing').mkdir()
    for name in ('a.png', 'b.v2.png', 'sub/c.png'):  # where '..' behind the link leads
        (folders / 'deep' / 'parsing' / name).parent.mkdir(exist_ok=True)
        Image.new('L', (40, 36), 13).save(folders / 'deep' / 'parsing' / name)
    (folders / 'images').symlink_to(folders / 'deep' / 'images')
    prepare(plan_aligned(folders / 'images', Sizes(36), folders / 'parsing'), folders / 'set', 1)
    for name, source in (('a', 'a'), ('b_v2', 'b.v2'), ('sub/c', 'sub/c')):
        assert np.array_equal(Image.open(folders / 'set' / 'parsing' / f'{name}.png'),
                              Image.open(folders / 'parsing' / f'{source}.png').crop((2, 0, 38, 36)))


def test_pictures_of_the_wanted_size_stay_as_they_are(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    (tmp_path / 'faces').mkdir()
    Image.fromarray(picture).save(tmp_path / 'faces' / 'a.png')
    prepare(plan_aligned(tmp_path / 'faces', Sizes(32)), tmp_path / 'set', 1)
    assert np.array_equal(Image.open(tmp_path / 'set' / 'images' / 'a.png'), picture)


def test_lists_make_the_parts_and_leave_the_rest_out(folders):
    (folders / 'train.txt').write_text('sub/c.png\n')
    (folders / 'val.txt').write_text('a\n')
    lists = {'train': folders / 'train.txt', 'val': folders / 'val.txt'}
    assert prepare(plan_aligned(folders / 'images', Sizes(32), lists=lists), folders / 'set', 1).faces == 2
    assert (folders / 'set' / 'split_train.txt').read_text() == 'sub/c.png\n'
    assert (folders / 'set' / 'split_val.txt').read_text() == 'a.png\n'


def test_small_pictures_and_maps_of_another_size_are_skipped_with_the_reason(folders):
    Image.new('RGB', (31, 40)).save(folders / 'images' / 'a.png')
    Image.new('L', (40, 35)).save(folders / 'parsing' / 'sub' / 'c.png')
    result = prepare(plan_aligned(folders / 'images', Sizes(32), folders / 'parsing'), folders / 'set', 1)
    assert (result.faces, result.skipped) == (1, 2)
    small, other = (folders / 'set' / 'skipped.csv').read_text().splitlines()[1:]
    assert small.startswith('a.png,')
    assert '31x40' in small
    assert other.startswith('sub/c.png,')
    assert '40x36' in other
    assert '40x35' in other


def test_a_picture_without_a_map_is_refused_before_anything_is_made(folders, usage_error):
    (folders / 'parsing' / 'a.png').unlink()
    with usage_error('parsing', "'a'"):
        plan_aligned(folders / 'images', Sizes(32), folders / 'parsing')


def test_low_resolution_faces_are_those_of_the_dic_test_set(shared_data, tmp_path):
    dic = shared_data / 'celeba_test_dic_1000'
    prepare(plan_aligned(dic / 'HR', Sizes(128, (8,))), tmp_path / 'set', 1)
    stored = sorted(path.name for path in (dic / 'LR').iterdir())
    same = [np.array_equal(Image.open(tmp_path / 'set' / 'lq_x8' / name), Image.open(dic / 'LR' / name).convert('RGB'))
            for name in stored]
    assert len(same) == 1000
    assert all(same)


def test_settings_tell_what_the_pictures_depend_on(folders):
    with_maps = plan_aligned(folders / 'images', Sizes(32, (8,)), folders / 'parsing')
    without = plan_aligned(folders / 'images', Sizes(32, (8,)))
    assert with_maps.settings == {'kind': 'aligned', **Sizes(32, (8,)).settings(), 'parsing': 'celebamask_hq'}
    assert without.settings == {**with_maps.settings, 'parsing': None}
