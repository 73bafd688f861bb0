import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pkdn_basicsr.data.parsing_labels import (
    IGNORE,
    SCHEMES,
    conversion_table,
    convert_parsing,
    get_scheme,
    palette_picture,
    parsing_to_one_hot,
    swap_left_right,
)
from pkdn_basicsr.errors import UsageError

# Written out once more, from data.md and the papers, so that a slip in either place shows.
ORDER = {
    'celebamask_hq': '0 background, 1 skin, 2 nose, 3 eye_g, 4 l_eye, 5 r_eye, 6 l_brow, 7 r_brow, 8 l_ear, 9 r_ear, '
                     '10 mouth, 11 u_lip, 12 l_lip, 13 hair, 14 hat, 15 ear_r, 16 neck_l, 17 neck, 18 cloth',
    'face_parsing': '0 background, 1 skin, 2 l_brow, 3 r_brow, 4 l_eye, 5 r_eye, 6 eye_g, 7 l_ear, 8 r_ear, 9 ear_r, '
                    '10 nose, 11 mouth, 12 u_lip, 13 l_lip, 14 neck, 15 neck_l, 16 cloth, 17 hair, 18 hat',
    'helen': '0 background, 1 skin, 2 l_brow, 3 r_brow, 4 l_eye, 5 r_eye, 6 nose, 7 u_lip, 8 mouth, 9 l_lip, 10 hair',
    'fsrnet': '0 skin, 1 l_brow, 2 r_brow, 3 l_eye, 4 r_eye, 5 l_ear, 6 r_ear, 7 nose, 8 mouth, 9 u_lip, 10 l_lip',
}
SWAPS = {
    'celebamask_hq': {4: 5, 5: 4, 6: 7, 7: 6, 8: 9, 9: 8},
    'face_parsing': {2: 3, 3: 2, 4: 5, 5: 4, 7: 8, 8: 7},
    'helen': {2: 3, 3: 2, 4: 5, 5: 4},
    'fsrnet': {1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 5},
}
# Where classes go that the target does not have, by name; None = ignore.
MERGES = {
    'celebamask_hq': {},
    'face_parsing': {},
    'helen': {'eye_g': 'skin', 'l_ear': 'background', 'r_ear': 'background', 'ear_r': 'background',
              'neck': 'background', 'neck_l': 'background', 'cloth': 'background', 'hat': 'background'},
    'fsrnet': {'eye_g': 'skin', 'background': None, 'hair': None, 'hat': None, 'ear_r': None, 'neck': None,
               'neck_l': None, 'cloth': None},
}
NAMES = list(ORDER)
any_scheme = pytest.mark.parametrize('name', NAMES)
any_pair = pytest.mark.parametrize(('source', 'target'), [(s, t) for s in NAMES for t in NAMES])
scheme_names = st.sampled_from(NAMES)


def maps_of(name):
    """Strategy: small parsing maps with valid indices of a scheme, IGNORE among them."""
    indices = st.sampled_from([*range(SCHEMES[name].num_classes), IGNORE])
    return hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=indices)


def test_the_four_schemes_and_no_other():
    assert list(SCHEMES) == NAMES
    assert [SCHEMES[name].name for name in NAMES] == NAMES


@any_scheme
def test_class_order_is_the_published_one(name):
    classes = SCHEMES[name].classes
    assert ', '.join(f'{index} {class_name}' for index, class_name in enumerate(classes)) == ORDER[name]
    assert SCHEMES[name].num_classes == len(classes) == {'celebamask_hq': 19, 'face_parsing': 19}.get(name, 11)
    assert len(set(classes)) == len(classes)


@any_scheme
def test_index_of_every_class(name):
    for index, class_name in enumerate(SCHEMES[name].classes):
        assert SCHEMES[name].index(class_name) == index


def test_all_schemes_use_the_vocabulary_of_celebamask_hq():
    vocabulary = set(SCHEMES['celebamask_hq'].classes)
    assert all(set(scheme.classes) <= vocabulary for scheme in SCHEMES.values())


def test_unknown_class_names_the_nearest():
    with pytest.raises(UsageError, match=r"parsing scheme 'helen' 'l_eyes': .*did you mean 'l_eye'\?"):
        SCHEMES['helen'].index('l_eyes')


@pytest.mark.parametrize('call', [
    lambda name: get_scheme(name),
    lambda name: conversion_table(name, 'helen'),
    lambda name: conversion_table('helen', name),
    lambda name: convert_parsing(np.zeros((1, 1), np.uint8), 'helen', name),
    lambda name: swap_left_right(np.zeros((1, 1), np.uint8), name),
])
def test_unknown_scheme_names_the_nearest(call):
    with pytest.raises(UsageError, match=r"unknown parsing scheme 'celebmask': .*did you mean 'celebamask_hq'\?"):
        call('celebmask')


def test_get_scheme_takes_a_name_or_a_scheme():
    assert get_scheme('helen') is SCHEMES['helen']
    assert get_scheme(SCHEMES['helen']) is SCHEMES['helen']


def test_schemes_and_tables_cannot_be_changed():
    with pytest.raises(TypeError):
        SCHEMES['mine'] = SCHEMES['helen']
    with pytest.raises(AttributeError):
        SCHEMES['helen'].name = 'mine'
    for table in (SCHEMES['helen'].swap_table, conversion_table('helen', 'fsrnet')):
        with pytest.raises(ValueError, match='read-only'):
            table[0] = 1


@any_pair
def test_conversion_is_by_name_and_by_the_listed_merges_only(source, target):
    table = conversion_table(source, target)
    assert table.dtype == np.uint8
    assert table.shape == (256,)
    position = {entry.split()[1]: int(entry.split()[0]) for entry in ORDER[target].split(', ')}
    for index in range(256):
        expected = IGNORE
        if index < SCHEMES[source].num_classes:
            class_name = SCHEMES[source].classes[index]
            heir = class_name if class_name in position else MERGES[target][class_name]
            expected = IGNORE if heir is None else position[heir]
        assert table[index] == expected, index


def test_celebamask_hq_to_face_parsing_literally():
    expected = [0, 1, 10, 6, 4, 5, 2, 3, 7, 8, 11, 12, 13, 17, 18, 9, 15, 14, 16]
    assert conversion_table('celebamask_hq', 'face_parsing')[:19].tolist() == expected


def test_celebamask_hq_to_helen_literally():
    expected = [0, 1, 6, 1, 4, 5, 2, 3, 0, 0, 8, 7, 9, 10, 0, 0, 0, 0, 0]
    assert conversion_table('celebamask_hq', 'helen')[:19].tolist() == expected


def test_celebamask_hq_to_fsrnet_literally():
    expected = [255, 0, 7, 0, 3, 4, 1, 2, 5, 6, 8, 9, 10, 255, 255, 255, 255, 255, 255]
    assert conversion_table('celebamask_hq', 'fsrnet')[:19].tolist() == expected


@any_pair
def test_classes_of_both_schemes_survive_a_round_trip(source, target):
    shared = [index for index, name in enumerate(SCHEMES[source].classes) if name in SCHEMES[target].classes]
    assert len(shared) >= 9
    there = convert_parsing(np.array([shared], dtype=np.uint8), source, target)
    assert convert_parsing(there, target, source).tolist() == [shared]


@given(data=st.data(), source=scheme_names, target=scheme_names)
def test_converted_maps_are_valid_and_keep_ignore(data, source, target):
    parsing = data.draw(maps_of(source))
    before = parsing.copy()
    converted = convert_parsing(parsing, source, target)
    assert converted.dtype == np.uint8
    assert converted.shape == parsing.shape
    assert np.all((converted < SCHEMES[target].num_classes) | (converted == IGNORE))
    assert np.all(converted[parsing == IGNORE] == IGNORE)
    assert np.array_equal(parsing, before)
    if source == target:
        assert np.array_equal(converted, parsing)
        assert not np.shares_memory(converted, parsing)


@given(data=st.data(), source=scheme_names, target=scheme_names)
def test_converting_and_swapping_commute(data, source, target):
    parsing = data.draw(maps_of(source))
    assert np.array_equal(swap_left_right(convert_parsing(parsing, source, target), target),
                          convert_parsing(swap_left_right(parsing, source), source, target))


def test_a_map_of_another_scheme_is_refused():
    parsing = np.array([[0, 13, IGNORE, 11]], dtype=np.uint8)  # 13 is CelebAMask-HQ's hair
    with pytest.raises(UsageError, match=r"index 11, but scheme 'helen' has the indices 0\.\.10 and 255"):
        convert_parsing(parsing, 'helen', 'celebamask_hq')


@any_scheme
def test_swap_agrees_with_the_literal_table(name):
    table = SCHEMES[name].swap_table
    assert table.dtype == np.uint8
    assert table.tolist() == [SWAPS[name].get(index, index) for index in range(256)]
    assert table[IGNORE] == IGNORE


@given(data=st.data(), name=scheme_names)
def test_swap_twice_is_the_same_map_and_swap_moves_no_pixel(data, name):
    parsing = data.draw(maps_of(name))
    before = parsing.copy()
    swapped = swap_left_right(parsing, name)
    assert swapped.dtype == np.uint8
    assert np.array_equal(swap_left_right(swapped, SCHEMES[name]), parsing)
    assert np.array_equal(swapped == IGNORE, parsing == IGNORE)
    assert np.array_equal(parsing, before)


def test_a_flipped_face_is_a_face_again():
    # Seen from the front, the subject's left is on the image's right. Brows (6, 7) over eyes (4, 5) over a mouth (10).
    face = np.array([[9, 7, 7, 0, 6, 0, 8],
                     [9, 5, 1, 2, 1, 4, 8],
                     [255, 1, 10, 10, 1, 1, 13]], dtype=np.uint8)
    mirrored = np.array([[9, 0, 7, 0, 6, 6, 8],
                         [9, 5, 1, 2, 1, 4, 8],
                         [13, 1, 1, 10, 10, 1, 255]], dtype=np.uint8)
    assert np.array_equal(swap_left_right(face[:, ::-1], 'celebamask_hq'), mirrored)


@given(data=st.data(), num_classes=st.integers(1, 255))
def test_one_hot_against_a_loop(data, num_classes):
    parsing = data.draw(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=3)))
    one_hot = parsing_to_one_hot(torch.from_numpy(parsing), num_classes)
    expected = np.zeros((parsing.shape[0], num_classes, *parsing.shape[1:]), dtype=np.float32)
    for image, row, column in np.ndindex(*parsing.shape):
        if parsing[image, row, column] < num_classes:
            expected[image, parsing[image, row, column], row, column] = 1
    assert one_hot.dtype == torch.float32
    assert one_hot.is_contiguous()
    assert np.array_equal(one_hot.numpy(), expected)


def test_one_hot_of_ignore_is_zero_everywhere():
    one_hot = parsing_to_one_hot(torch.tensor([[[IGNORE, 0], [18, IGNORE]]], dtype=torch.uint8), 19)
    assert one_hot.sum(dim=1).tolist() == [[[0, 1], [1, 0]]]


def test_one_hot_stays_on_the_device():
    parsing = torch.zeros((2, 4, 6), dtype=torch.uint8, device='meta')
    one_hot = parsing_to_one_hot(parsing, 19)
    assert one_hot.device.type == 'meta'
    assert one_hot.shape == (2, 19, 4, 6)


@pytest.mark.parametrize('scheme', SCHEMES.values(), ids=SCHEMES)
def test_classes_are_told_apart_by_colour_and_keep_theirs_in_every_scheme(scheme):
    colours = {name: tuple(scheme.palette[scheme.index(name)].tolist()) for name in scheme.classes}
    assert len(set(colours.values())) == scheme.num_classes
    reference = SCHEMES['celebamask_hq']
    assert all(tuple(reference.palette[reference.index(name)].tolist()) == colour for name, colour in colours.items())


def test_a_palette_picture_keeps_the_indices_and_shows_the_colours():
    parsing = np.array([[0, 1], [18, 255]], dtype=np.uint8)
    picture = palette_picture(parsing, 'celebamask_hq')
    assert picture.mode == 'P'
    np.testing.assert_array_equal(np.asarray(picture), parsing)
    np.testing.assert_array_equal(np.asarray(picture.convert('RGB'))[0, 1], (204, 0, 0))
