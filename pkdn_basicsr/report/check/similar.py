"""Fingerprints of pictures, and finding those that are alike among many."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

HASH_DISTANCE = 5
CORRELATION = 0.98
"""Two pictures are near duplicates if their hashes differ in at most `HASH_DISTANCE` of 64 bits and their thumbnails
correlate by at least `CORRELATION`; our choice. Aligned faces look alike, and the hash alone does not do: between 1,400
and 1,000 CelebA-HQ faces with 36 known duplicates (other crops and JPEG qualities) distance 5 finds all of them and 213
other pairs, 2 finds 33 and 4 others. The duplicates' thumbnails correlate by 0.991 to 1, the others' by 0.973 at most.
"""
_THUMBNAIL = 16
_BLOCK, _PAIRS = 2048, 65536  # rows, and pairs, that are compared at a time


class Fingerprint(NamedTuple):
    """What is kept of a picture in place of its pixels.

    Attributes:
        digest: Equal for equal pixels of an equal size, whatever the file is called and however it is compressed.
        bits: uint8 (8,), the 64 bits of a difference hash: whether luma grows from one of 9x8 pixels to the next.
        thumbnail: uint8 (256,), luma of 16x16 pixels.
    """

    digest: bytes
    bits: np.ndarray
    thumbnail: np.ndarray


class Pairs(NamedTuple):
    """Pairs of a row of one array and a row of another: their indices and a number each, all (P,)."""

    rows: np.ndarray
    others: np.ndarray
    values: np.ndarray


def fingerprint(picture: Image.Image) -> Fingerprint:
    """Take the fingerprint of an RGB picture."""
    digest = hashlib.blake2b(f'{picture.size}'.encode() + picture.tobytes(), digest_size=16).digest()
    luma = picture.convert('L')
    small = np.asarray(luma.resize((9, 8), Image.Resampling.BICUBIC))
    thumbnail = luma.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    return Fingerprint(digest, np.packbits(small[:, 1:] > small[:, :-1]), np.asarray(thumbnail).ravel())


def pairs_above(rows: np.ndarray, others: np.ndarray, cosine: float, earlier_only: bool = False) -> Iterator[Pairs]:
    """Find all pairs whose cosine is at least `cosine`, block by block, so that memory stays small.

    Args:
        rows: (N, D), rows of length 1.
        others: (M, D), the same.
        cosine: Threshold.
        earlier_only: Both are the same array, and a row is compared with those before it.
    """
    blocks = range(0, len(rows), _BLOCK)
    for first in tqdm(blocks, 'comparing', unit='block', leave=False, delay=2):  # seen where it takes long
        block = rows[first:first + _BLOCK].astype(np.float32)
        for start in range(0, min(len(others), first + _BLOCK) if earlier_only else len(others), _BLOCK):
            cosines = block @ others[start:start + _BLOCK].astype(np.float32).T
            if earlier_only and start == first:
                cosines[np.triu_indices(len(cosines))] = -np.inf
            found = np.nonzero(cosines >= cosine)
            yield Pairs(found[0] + first, found[1] + start, cosines[found])


def near_duplicates(prints: Sequence[Fingerprint], others: Sequence[Fingerprint],
                    earlier_only: bool = False) -> Iterator[Pairs]:
    """Find near duplicates, equal pictures left out; arguments as in `pairs_above`, the value is the correlation."""
    limit = 1 - 2 * HASH_DISTANCE / 64
    for pairs in pairs_above(_hash_rows(prints), _hash_rows(others), limit, earlier_only):
        for start in range(0, len(pairs.rows), _PAIRS):  # a set of equal pictures has millions in one block
            rows, columns = pairs.rows[start:start + _PAIRS], pairs.others[start:start + _PAIRS]
            correlations = (_centred(prints, rows) * _centred(others, columns)).sum(axis=1)
            same = np.array([prints[row].digest == others[column].digest
                             for row, column in zip(rows, columns, strict=True)], dtype=bool)
            kept = (correlations >= CORRELATION) & ~same
            yield Pairs(rows[kept], columns[kept], correlations[kept])


def best_partners(found: Iterable[Pairs]) -> dict[int, tuple[int, float]]:
    """Return for each row that is in a pair the partner of the highest value, and that value; in order of rows."""
    best: dict[int, tuple[int, float]] = {}
    for pairs in found:
        for row, other, value in zip(*(column.tolist() for column in pairs), strict=True):
            if row not in best or value > best[row][1]:
                best[row] = other, value
    return dict(sorted(best.items()))


def _hash_rows(prints: Sequence[Fingerprint]) -> np.ndarray:
    """Hashes as rows of +-1/8, of which the cosine is 1 - distance / 32, without rounding."""
    bits = np.unpackbits(np.array([one.bits for one in prints], np.uint8).reshape(-1, 8), axis=1)
    return (bits.astype(np.float32) * 2 - 1) / 8


def _centred(prints: Sequence[Fingerprint], indices: np.ndarray) -> np.ndarray:
    """Thumbnails without their mean, of length 1; all zero, and so like no other, where the picture is flat."""
    rows = np.array([prints[index].thumbnail for index in indices], np.float32).reshape(-1, _THUMBNAIL ** 2)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
