import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.report.check.check import Settings, check_data_sets
from pkdn_basicsr.report.check.contact_sheet import draw_contact_sheet, overlay


def look(faces, **more):
    opt = {'scale': 4, 'datasets': {'val': {'type': 'ParsingMapDataset', 'dataroot_gt': str(faces / 'gt'), **more}}}
    return check_data_sets(opt, 'x.yml', Settings(workers=1))[0][0]


def test_an_overlay_mixes_picture_and_colours_of_the_scheme():
    scheme = get_scheme('celebamask_hq')
    picture = Image.new('RGB', (2, 1), (100, 100, 100))
    mixed = np.asarray(overlay(picture, Image.fromarray(np.array([[13, 255]], np.uint8)), scheme)).astype(float)
    expected = 100 + .45 * (scheme.palette[[13, 255]].astype(float) - 100)
    assert np.abs(mixed[0] - expected).max() <= 1


@pytest.mark.parametrize('number', [1, 3, 8, 24])
def test_a_sheet_has_room_for_its_faces_and_what_the_colours_mean(tiny_faces, number):
    with_maps = draw_contact_sheet(look(tiny_faces, dataroot_parsing=str(tiny_faces / 'parsing')), number)
    without = draw_contact_sheet(look(tiny_faces), number)
    assert without.height < with_maps.height
    assert 600 < without.width <= 1700
    palette = {tuple(colour) for colour in get_scheme('celebamask_hq').palette[:19].tolist()}
    found = {tuple(colour) for colour in np.unique(np.asarray(with_maps).reshape(-1, 3), axis=0).tolist()}
    assert palette <= found


def test_faces_are_drawn_in_order_without_smoothing_small_ones(tiny_faces):
    sheet = np.asarray(draw_contact_sheet(look(tiny_faces, dataroot_lq=str(tiny_faces / 'lq')), 8))
    for kind, left in (('gt', 16), ('lq', 148)):
        first = np.asarray(Image.open(tiny_faces / kind / '0.png'))
        assert np.array_equal(sheet[62:190, left:left + 128], np.kron(first, np.ones((128 // len(first),) * 2 + (1,))))


def test_a_stripe_is_drawn_as_one(tmp_path):
    (tmp_path / 'gt').mkdir()
    Image.new('RGB', (3200, 8), 'red').save(tmp_path / 'gt' / '0.png')
    sheet = np.asarray(draw_contact_sheet(look(tmp_path), 1))
    assert (sheet == (255, 0, 0)).all(-1).sum() == 2 * 128  # the picture and its low-resolution version


def test_a_map_or_low_resolution_that_cannot_be_shown_leaves_a_gap(tiny_faces, tmp_path):
    for kind in ('parsing', 'lq'):
        (tmp_path / kind).mkdir()
        for path in (tiny_faces / kind).iterdir():
            (tmp_path / kind / path.name).write_bytes(path.read_bytes())
    (tmp_path / 'parsing' / '0.png').unlink()
    (tmp_path / 'parsing' / '1.png').write_text('no picture')
    (tmp_path / 'lq' / '2.png').write_text('no picture')
    summary = look(tiny_faces, dataroot_parsing=str(tmp_path / 'parsing'), dataroot_lq=str(tmp_path / 'lq'))
    sheet = np.asarray(draw_contact_sheet(summary, 8))
    gaps = (sheet == 238).all(axis=-1).sum()
    assert 2.8 * 128 * 128 < gaps < 3 * 128 * 128
