"""The faces that methods are compared on."""

import hashlib
from dataclasses import dataclass

from basicsr.data import build_dataset
from basicsr.data.paired_image_dataset import PairedImageDataset
from basicsr.utils.dist_util import get_dist_info
from torch.utils.data import Dataset, Subset
from tqdm import tqdm

from pkdn_basicsr.data.pairing import name_of_sample
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.failure.checked_dataset import CheckedDataset
from pkdn_basicsr.host.shards import from_first, gather, load_my_share


@dataclass(frozen=True)
class FaceSet:
    """A test set that has been read through once.

    Attributes:
        samples: Its samples, with `lq`, `gt` and, where the data set has maps, `parsing`.
        options: Its part of the option file.
        scale: Enlargement.
        images: Names of the faces.
        sha256: Hash of all names, low-resolution faces, true faces and maps.
        lq_size: Height and width of the first low-resolution face.
        has_maps: Whether its samples have parsing maps.
    """

    samples: Dataset
    options: dict
    scale: int
    images: tuple[str, ...]
    sha256: str
    lq_size: tuple[int, int]
    has_maps: bool


def read_faces(dataset_opt: dict, scale: int, limit: int | None = None) -> FaceSet:
    """Build a data set and read it through, so that a broken file is found before any network runs.

    Every process must call it, and reads its share.

    Args:
        dataset_opt: `datasets.test` of an option file.
        scale: Enlargement.
        limit: Take the first faces only.

    Raises:
        UsageError: There is no face or no truth, or a file is broken, missing or wrongly sized.
    """
    samples = _build(dataset_opt, scale)
    if limit:
        samples = Subset(samples, range(min(limit, len(samples))))
    if not len(samples):
        raise UsageError(f'data set {dataset_opt["name"]}: there is no face in it; check its folders and lists')
    shown = tqdm(load_my_share(samples), desc='reading faces', unit='face', disable=get_dist_info()[0] != 0)
    faces = from_first(gather([_look_at(sample, name_of_sample(sample, dataset_opt), scale) for sample in shown]))
    names, hashes, sizes = zip(*faces, strict=True)
    lines = '\n'.join(f'{name} {digest}' for name, digest in zip(names, hashes, strict=True))
    return FaceSet(samples, dict(dataset_opt), scale, names, hashlib.sha256(lines.encode()).hexdigest(), sizes[0],
                   'parsing' in samples[0])


def _build(dataset_opt: dict, scale: int) -> Dataset:
    dataset = build_dataset({**dataset_opt, 'phase': 'test', 'scale': scale})
    if isinstance(dataset, PairedImageDataset):  # it lists a folder in the order of the file system
        dataset.paths.sort(key=lambda paths: paths['gt_path'])
    return CheckedDataset(dataset)


def _look_at(sample: dict, name: str, scale: int) -> tuple[str, str, tuple[int, int]]:
    """Return name, hash and low-resolution size of a face."""
    if 'gt' not in sample:
        raise UsageError(f'{name}: a comparison needs the true face; give dataroot_gt')
    height, width = sample['lq'].shape[-2:]
    expected, found = (scale * height, scale * width), tuple(sample['gt'].shape[-2:])
    if found != expected:
        raise UsageError(f'{name}: expected a true face of {expected[1]}x{expected[0]} pixels, {scale} times the '
                         f'low-resolution one ({width}x{height}), found {found[1]}x{found[0]}')
    digest = hashlib.sha256()
    for key in ('lq', 'gt', 'parsing'):
        if key in sample:
            digest.update(sample[key].numpy().tobytes())
    return name, digest.hexdigest(), (height, width)
