import io

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.report.check import similar
from pkdn_basicsr.report.check.similar import Fingerprint, best_partners, fingerprint, near_duplicates, pairs_above


def picture(seed, size=(64, 64)):
    coarse = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=quality)
    return Image.open(file).convert('RGB')


def unit_rows(seed, number):
    rows = np.random.default_rng(seed).normal(size=(number, 5)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def all_pairs(found):
    return sorted((row, other) for pairs in found for row, other in zip(pairs.rows, pairs.others, strict=True))


def test_the_digest_tells_pixels_and_size_and_nothing_else():
    face = picture(0)
    other = np.array(face)
    other[5, 6, 2] ^= 1
    assert fingerprint(face).digest == fingerprint(Image.fromarray(np.array(face))).digest
    assert fingerprint(face).digest != fingerprint(Image.fromarray(other)).digest
    flat = [Image.new('RGB', size, (9, 9, 9)) for size in ((8, 4), (4, 8))]
    assert fingerprint(flat[0]).digest != fingerprint(flat[1]).digest


@pytest.mark.parametrize('earlier_only', [False, True])
def test_blocks_find_the_pairs_that_the_whole_matrix_has(monkeypatch, earlier_only):
    monkeypatch.setattr(similar, '_BLOCK', 7)
    rows = unit_rows(0, 40)
    others = rows if earlier_only else unit_rows(1, 33)
    cosines = rows @ others.T
    wanted = cosines >= .8
    if earlier_only:
        wanted = np.tril(wanted, -1)
    found = all_pairs(pairs_above(rows, others, .8, earlier_only))
    assert found == sorted(zip(*(axis.tolist() for axis in np.nonzero(wanted)), strict=True))
    assert len(found) > 20
    best = best_partners(pairs_above(rows, others, .8, earlier_only))
    for row, (other, cosine) in best.items():
        assert cosine == pytest.approx(np.where(wanted[row], cosines[row], -1).max())
        assert cosines[row, other] == pytest.approx(cosine)
    assert list(best) == sorted({row for row, _ in found})


def test_nothing_is_like_nothing():
    empty = np.zeros((0, 5), np.float32)
    assert all_pairs(pairs_above(empty, unit_rows(0, 3), .1)) == []
    assert all_pairs(pairs_above(unit_rows(0, 3), empty, .1)) == []
    assert all_pairs(near_duplicates([], [])) == []


def test_copies_of_another_quality_and_size_are_near_duplicates_and_others_are_not():
    faces = [picture(seed) for seed in range(30)]
    copies = [jpeg(faces[3], 60), faces[17].resize((40, 40), Image.Resampling.BICUBIC)]
    prints, others = [fingerprint(face) for face in faces], [fingerprint(copy) for copy in copies]
    assert all_pairs(near_duplicates(prints, others)) == [(3, 0), (17, 1)]
    assert all_pairs(near_duplicates(prints + others, prints + others, earlier_only=True)) == [(30, 3), (31, 17)]


@pytest.mark.parametrize(('bits', 'correlation', 'expected'), [
    (0, 1., True), (5, 1., True), (6, 1., False), (0, .985, True), (0, .975, False)])
def test_both_hash_and_thumbnail_must_agree(bits, correlation, expected):
    rng = np.random.default_rng(0)
    wave, noise = rng.normal(size=(2, 256))
    noise -= wave * (wave @ noise) / (wave @ wave)
    noise *= np.linalg.norm(wave) / np.linalg.norm(noise)
    mixed = correlation * wave + np.sqrt(1 - correlation ** 2) * noise
    thumbnails = [np.uint8(np.clip(128 + 30 * row, 0, 255).round()) for row in (wave, mixed)]
    assert np.corrcoef(thumbnails)[0, 1] == pytest.approx(correlation, abs=.004)
    hashes = [np.zeros(64, np.uint8), np.arange(64) < bits]
    one, other = (Fingerprint(bytes([index]), np.packbits(hashes[index]), thumbnails[index]) for index in (0, 1))
    assert all_pairs(near_duplicates([one], [other])) == [(0, 0)] * expected


def test_equal_pictures_are_no_near_duplicates():
    prints = [fingerprint(picture(0))]
    assert all_pairs(near_duplicates(prints, prints)) == []


def test_flat_pictures_are_like_no_other():
    prints = [fingerprint(Image.new('RGB', (16, 16), (grey, grey, grey))) for grey in (0, 100, 200)]
    assert all_pairs(near_duplicates(prints, prints, earlier_only=True)) == []


def test_known_duplicates_among_real_faces_are_found_and_no_others(shared_data):
    table = shared_data / 'celeba_hq_extra_1400' / 'same_image_as_celebamask_hq_1000.tsv'
    known = [line.split('\t')[:2] for line in table.read_text().splitlines()]
    assert len(known) == 36
    extra = [shared_data / 'celeba_hq_extra_1400' / 'images' / name for name, _ in known]
    mask = [shared_data / 'celebamask_hq_1000' / 'images' / name for _, name in known]
    prints, others = ([fingerprint(Image.open(path).convert('RGB')) for path in paths] for paths in (extra, mask))
    found = all_pairs(near_duplicates(prints, others))
    equal = [(row, column) for row, one in enumerate(prints) for column, other in enumerate(others)
             if one.digest == other.digest]
    wanted = {(row, column) for row in range(36) for column in range(36) if known[row][1] == known[column][1]}
    assert set(found) | set(equal) == wanted
