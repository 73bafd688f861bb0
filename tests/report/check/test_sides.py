import numpy as np
import pytest

from pkdn_basicsr.data.parsing_labels import SCHEMES, get_scheme, swap_left_right
from pkdn_basicsr.data.picture import read_parsing
from pkdn_basicsr.report.check.sides import sides


def draw(scheme, **columns):
    parsing = np.zeros((8, 16), np.uint8)
    for row, (name, column) in enumerate(columns.items()):
        parsing[row, column] = scheme.index(name)
    return parsing


@pytest.mark.parametrize('scheme', SCHEMES.values(), ids=SCHEMES)
def test_the_left_part_lies_on_the_right_of_the_image(scheme):
    right = draw(scheme, l_eye=10, r_eye=4, l_brow=11, r_brow=3)
    assert sides(right, scheme) == {'eyes': False, 'brows': False}
    assert sides(swap_left_right(right, scheme), scheme) == {'eyes': True, 'brows': True}
    assert sides(right[:, ::-1], scheme) == {'eyes': True, 'brows': True}


def test_pairs_are_judged_apart_and_only_where_both_parts_are_there():
    scheme = get_scheme('celebamask_hq')
    assert sides(draw(scheme, l_eye=10, r_eye=4, l_brow=3, r_brow=11), scheme) == {'eyes': False, 'brows': True}
    assert sides(draw(scheme, l_eye=3, l_brow=3, r_brow=11), scheme) == {'brows': True}
    assert sides(draw(scheme), scheme) == {}


def test_the_real_maps_have_the_known_number_of_swaps(shared_data):
    folder, scheme = shared_data / 'celebamask_hq_1000', get_scheme('celebamask_hq')
    names = (folder / 'split_val.txt').read_text().split()
    found = [sides(np.asarray(read_parsing(str(folder / 'parsing' / name.replace('.jpg', '.png')), scheme)), scheme)
             for name in names]
    eyes = [pairs['eyes'] for pairs in found if 'eyes' in pairs]
    assert (len(eyes), sum(eyes)) == (90, 7)
