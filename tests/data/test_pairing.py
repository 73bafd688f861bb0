import pytest
from PIL import Image

from pkdn_basicsr.data.pairing import (
    count_unread,
    exclude,
    index_folder,
    key_of,
    match,
    name_of_sample,
    read_name_list,
    select,
)


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return str(folder)


class CountedName(str):
    """A name that counts how often it is compared or hashed, and stops the test before a quadratic run ends it."""

    operations = 0
    limit = 0

    @classmethod
    def allow(cls, limit):
        cls.operations, cls.limit = 0, limit

    @classmethod
    def _count(cls):
        cls.operations += 1
        assert cls.operations <= cls.limit, 'the number of operations grows faster than the number of names'

    def __eq__(self, other):
        self._count()
        return str.__eq__(self, other)

    def __hash__(self):
        self._count()
        return str.__hash__(self)


# folders

def test_pictures_that_are_passed_over_are_counted(tmp_path):
    write(tmp_path, 'a.png', 'b.HEIC', 'c/d.heic', 'e.gif', 'f.txt', '.g.gif')
    assert list(index_folder(str(tmp_path), 'src')) == ['a']
    assert count_unread(str(tmp_path)) == {'.heic': 2, '.gif': 1}


def test_keys_are_paths_below_the_folder_without_suffix_in_sorted_order(tmp_path):
    root = write(tmp_path, 'b.png', 'a.jpg', 'people/02.png', 'people/01.png', 'people/old/01.webp')
    assert index_folder(root, 'dataroot_gt') == {
        'a': f'{root}/a.jpg', 'b': f'{root}/b.png', 'people/01': f'{root}/people/01.png',
        'people/02': f'{root}/people/02.png', 'people/old/01': f'{root}/people/old/01.webp'}
    assert list(index_folder(root, 'dataroot_gt')) == ['a', 'b', 'people/01', 'people/02', 'people/old/01']


def test_a_slash_at_the_end_of_the_folder_changes_no_key(tmp_path):
    root = write(tmp_path, 'a.png', 'people/01.png')
    assert list(index_folder(root + '/', 'x')) == list(index_folder(root, 'x')) == ['a', 'people/01']


@pytest.mark.parametrize('name', ['a.PNG', 'a.Jpg', 'a.JPEG', 'a.bmp', 'a.tif', 'a.TIFF', 'a.webp'])
def test_suffixes_of_pictures_count_in_any_case(tmp_path, name):
    assert list(index_folder(write(tmp_path, name), 'x')) == ['a']


def test_dots_and_spaces_belong_to_the_name(tmp_path):
    root = write(tmp_path, 'img.v2.png', 'img.png', 'a face.jpg')
    assert list(index_folder(root, 'x')) == ['a face', 'img', 'img.v2']


def test_hidden_files_hidden_folders_and_other_files_are_left_out(tmp_path):
    root = write(tmp_path, 'a.png', '._a.png', '.hidden.png', '.ipynb_checkpoints/a.png', 'landmarks.json', 'png')
    assert list(index_folder(root, 'x')) == ['a']


def test_a_hidden_folder_above_is_no_obstacle(tmp_path):
    assert list(index_folder(write(tmp_path / '.cache' / 'faces', 'a.png'), 'x')) == ['a']


def test_linked_folders_are_followed(tmp_path):
    write(tmp_path / 'disk', 'a.png')
    (tmp_path / 'faces').mkdir()
    (tmp_path / 'faces' / 'part').symlink_to(tmp_path / 'disk')
    assert list(index_folder(str(tmp_path / 'faces'), 'x')) == ['part/a']


def test_a_link_to_a_folder_above_adds_nothing(tmp_path):
    root = write(tmp_path / 'faces', 'a.png', 'part/b.png')
    for link in ('again', 'part/again'):
        (tmp_path / 'faces' / link).symlink_to(tmp_path / 'faces')
    (tmp_path / 'faces' / 'part' / 'self').symlink_to(tmp_path / 'faces' / 'part')
    assert list(index_folder(root, 'x')) == ['a', 'part/b']


def test_a_missing_folder_is_named(tmp_path, usage_error):
    with usage_error('dataroot_lq', 'no such folder', tmp_path / 'nowhere'):
        index_folder(str(tmp_path / 'nowhere'), 'dataroot_lq')


def test_a_file_for_a_folder_is_refused(tmp_path, usage_error):
    (tmp_path / 'a.png').touch()
    with usage_error('dataroot_lq', 'no such folder', tmp_path / 'a.png'):
        index_folder(str(tmp_path / 'a.png'), 'dataroot_lq')


def test_a_folder_without_pictures_is_refused(tmp_path, usage_error):
    with usage_error('dataroot_gt', 'no picture', '.png', tmp_path):
        index_folder(write(tmp_path, 'readme.txt', '.hidden.png'), 'dataroot_gt')


@pytest.mark.parametrize('names', [('a.jpg', 'a.png'), ('a.png', 'a.PNG'), ('deep/a.jpg', 'deep/a.jpeg')])
def test_two_pictures_of_one_name_are_refused(tmp_path, names, usage_error):
    with usage_error('dataroot_gt', tmp_path / names[0], tmp_path / names[1], 'keep one'):
        index_folder(write(tmp_path, *names), 'dataroot_gt')


# lists of names

def test_a_name_list_drops_suffixes_blank_lines_and_what_follows_the_name(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('b.png (512,512,3)\n\n  a.JPG\t1\r\nsub/img.v2\nimg.v2.png\n')
    assert read_name_list(str(path), 'x') == ['b', 'a', 'sub/img.v2', 'img.v2']


@pytest.mark.parametrize(('line', 'key'), [
    ('photo (1).png (128,128,3)', 'photo (1)'), ('my face.v2.JPEG', 'my face.v2'), ('in here/a.png b.png', 'in here/a'),
    ('a.pngs b.tiff\t0', 'a.pngs b'), ('a face', 'a'), ('a.png/b 1', 'a.png/b'), ('.png 1', '.png')])
def test_a_name_goes_up_to_its_suffix_and_without_one_to_the_first_space(tmp_path, line, key):
    (tmp_path / 'list.txt').write_text(f'{line}\n')
    assert read_name_list(str(tmp_path / 'list.txt'), 'x') == [key]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a.png\nb.png\n', encoding='utf-8-sig')
    assert read_name_list(str(path), 'x') == ['a', 'b']


@pytest.mark.parametrize(('name', 'key'), [('a.png', 'a'), ('a', 'a'), ('a.b', 'a.b'), ('a.b.JPG', 'a.b'),
                                           ('d.e/a', 'd.e/a'), ('d.png/a', 'd.png/a')])
def test_only_the_suffix_of_a_picture_is_dropped(name, key):
    assert key_of(name) == key


def test_a_missing_list_is_named(tmp_path, usage_error):
    with usage_error('split_file', 'no such file', tmp_path / 'list.txt'):
        read_name_list(str(tmp_path / 'list.txt'), 'split_file')


@pytest.mark.parametrize('text', ['', '\n  \n\t\n'])
def test_an_empty_list_is_refused(tmp_path, text, usage_error):
    (tmp_path / 'list.txt').write_text(text)
    with usage_error('split_file', 'names no file', tmp_path / 'list.txt', 'leave the option out'):
        read_name_list(str(tmp_path / 'list.txt'), 'split_file')


def test_a_picture_for_a_list_is_refused(tmp_path, usage_error):
    Image.new('RGB', (4, 4)).save(tmp_path / 'a.png')
    with usage_error('split_file', tmp_path / 'a.png', 'not UTF-8 text'):
        read_name_list(str(tmp_path / 'a.png'), 'split_file')


# select, exclude, match

def test_selecting_keeps_the_order_of_the_list_and_each_name_once():
    assert select(['a', 'b', 'c'], ['c', 'a', 'c'], 'split_file') == ['c', 'a']


def test_a_listed_name_without_image_is_named(usage_error):
    with usage_error('split_file', '2 of 3', "'x'", 'dataroot_gt'):
        select(['a', 'b'], ['a', 'x', 'y'], 'split_file')


def test_excluding_keeps_the_order_and_minds_no_unknown_name():
    assert exclude(['c', 'a', 'b'], ['a', 'unknown']) == ['c', 'b']


def test_excluding_everything_is_refused(usage_error):
    with usage_error('exclude_file', 'none is left'):
        exclude(['a', 'b'], ['b', 'a'])


def test_matching_follows_the_order_of_the_keys():
    assert match(['b', 'a'], {'a': 'a.png', 'b': 'b.jpg', 'c': 'c.png'}, 'maps', 'dataroot_parsing') == \
        ['b.jpg', 'a.png']


def test_a_missing_file_is_named_with_its_folder_and_the_number_of_missing_ones(tmp_path, usage_error):
    with usage_error('dataroot_parsing', '2 of 3', "'b'", tmp_path, 'exclude_file'):
        match(['a', 'b', 'c'], {'a': 'a.png'}, str(tmp_path), 'dataroot_parsing')


def test_the_work_grows_with_the_number_of_names_not_with_its_square():
    count = 200_000
    CountedName.allow(3 * count)
    files = {CountedName(f'{i:06}'): f'{i:06}.png' for i in range(count)}
    other_names = [CountedName(f'{i:06}') for i in reversed(range(count))]
    half = other_names[::2]

    CountedName.allow(6 * count)  # 200,000 squared is 33,000 times as much
    assert len(select(files, other_names, 'split_file')) == count
    CountedName.allow(6 * count)
    assert len(exclude(files, half)) == count // 2
    CountedName.allow(6 * count)
    assert len(match(other_names, files, 'maps', 'dataroot_parsing')) == count
    assert CountedName.operations >= count  # it did count


@pytest.mark.parametrize(('sample', 'name'), [
    ({'gt_path': ['{root}/gt/a/1.png'], 'lq_path': ['{root}/lq/b/2.png']}, 'a/1.png'),
    ({'lq_path': ['{root}/lq/b/2.png']}, 'b/2.png'),  # no truth
    ({'gt_path': ['{root}/elsewhere/1.png']}, '1.png')])
def test_names_of_samples(tmp_path, sample, name):
    options = {f'dataroot_{kind}': str(tmp_path / kind) for kind in ('gt', 'lq')}
    sample = {key: [path.format(root=tmp_path) for path in paths] for key, paths in sample.items()}
    assert name_of_sample(sample, options) == name
