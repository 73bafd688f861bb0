"""Print how many training samples one core reads in a second, beside a data set as one writes it without a thought.

    python scripts/bench_data.py                                      # toy faces, which decode quicker than real ones
    python scripts/bench_data.py --images images --parsing parsing    # real ones, 512 pixels

A sample is a 128-pixel face, its 16-pixel version and its parsing map. The plain way reads the same files (maps as grey
pictures) with cv2 to float32, resizes with cv2 and makes the one-hot map of 19 classes itself. Rounds of all ways take
turns, so that what else the machine does slows all of them.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, default_collate
from tqdm import tqdm

from pkdn_basicsr.data.lmdb_file import write_lmdb
from pkdn_basicsr.data.pairing import index_folder
from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.data.toy_faces import draw_toy_face
from pkdn_basicsr.host.sampler import SampleIndex

SIZE, SCALE, CLASSES, BATCH = 128, 8, 19, 8
SMALL = 160  # side of the stored pictures that are to be quick to read


class PlainDataset(Dataset):
    """The same samples but for the choice of crops, flips and resampling, and maps in one-hot form."""

    def __init__(self, images: Path, maps: Path, crop_range: list[int]) -> None:
        self.files = [(str(image), str(maps / f'{image.stem}.png')) for image in sorted(images.iterdir())]
        self.crop_range = crop_range

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        image, labels = self.files[index]
        image = cv2.imread(image)[..., ::-1].astype(np.float32) / 255
        labels = cv2.imread(labels, cv2.IMREAD_GRAYSCALE)
        side = random.randint(*self.crop_range)
        top, left = (random.randint(0, length - side) for length in labels.shape)
        image, labels = (array[top:top + side, left:left + side] for array in (image, labels))
        if random.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        gt = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        lq = cv2.resize(gt, (SIZE // SCALE, SIZE // SCALE), interpolation=cv2.INTER_CUBIC)
        labels = cv2.resize(labels, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
        one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
        return {name: torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
                for name, array in (('lq', lq), ('gt', gt), ('parsing', one_hot))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, help='folder of 512-pixel faces; default: toy faces')
    parser.add_argument('--parsing', type=Path, help='folder of their parsing maps (celebamask_hq)')
    parser.add_argument('--num', type=int, default=200, help='faces to read, the first ones')
    parser.add_argument('--samples', type=int, default=400, help='samples in a round')
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    if (args.images is None) != (args.parsing is None):
        parser.error('give --images and --parsing, or neither')

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if args.images is None:
            args.images, args.parsing = draw(folder, args.num)
        write_files(folder, args.images, args.parsing, args.num)
        small, large = [SIZE, SMALL], [420, 512]
        plain_small = PlainDataset(folder / 'small' / 'images', folder / 'small' / 'grey', small)
        plain_large = PlainDataset(folder / 'large' / 'images', folder / 'large' / 'grey', large)
        print_table({
            f'LMDB of {SMALL}-pixel PNG': (ours(folder / 'small', '.lmdb', small), plain_small),
            f'folder of {SMALL}-pixel PNG': (ours(folder / 'small', '', small), plain_small),
            'folder of originals': (ours(folder / 'large', '', large), plain_large),
        }, args.samples, args.rounds)


def draw(folder: Path, num: int) -> tuple[Path, Path]:
    """Draw toy faces in the formats of real sets: JPEG pictures and palette maps."""
    images, parsing = folder / 'toys' / 'images', folder / 'toys' / 'parsing'
    for where in (images, parsing):
        where.mkdir(parents=True)
    for i in tqdm(range(num), 'drawing faces', unit='face'):
        picture, classes = draw_toy_face(i, 512)
        Image.fromarray(picture).save(images / f'{i:05}.jpg', quality=95)
        labels = Image.fromarray(classes)
        labels.putpalette(3 * list(range(256)))
        labels.save(parsing / f'{i:05}.png')
    return images, parsing


def write_files(folder: Path, images: Path, parsing: Path, num: int) -> None:
    """Write `large` (links to the originals) and `small` with images, palette maps and grey maps, and LMDBs."""
    pictures, maps = index_folder(str(images), '--images'), index_folder(str(parsing), '--parsing')
    for where in (folder / side / kind for side in ('small', 'large') for kind in ('images', 'parsing', 'grey')):
        where.mkdir(parents=True)
    small = (SMALL, SMALL)
    for name in list(pictures)[:num]:
        for kind, file in (('images', Path(pictures[name])), ('parsing', Path(maps[name]))):
            (folder / 'large' / kind / file.name).symlink_to(file.resolve())
        image, labels = Image.open(pictures[name]).convert('RGB'), Image.open(maps[name])
        image.resize(small, Image.Resampling.BICUBIC).save(folder / 'small' / 'images' / f'{name}.png')
        labels.resize(small, Image.Resampling.NEAREST).save(folder / 'small' / 'parsing' / f'{name}.png')
        grey = Image.fromarray(np.asarray(labels))  # cv2 would read a palette's colours
        grey.save(folder / 'large' / 'grey' / f'{name}.png')
        grey.resize(small, Image.Resampling.NEAREST).save(folder / 'small' / 'grey' / f'{name}.png')
    for kind in ('images', 'parsing'):
        files = index_folder(str(folder / 'small' / kind), kind)
        write_lmdb(folder / 'small' / f'{kind}.lmdb', {name: Path(file) for name, file in files.items()})


def ours(folder: Path, suffix: str, crop_range: list[int]) -> ParsingMapDataset:
    return ParsingMapDataset({
        'name': folder.name, 'phase': 'train', 'scale': SCALE, 'gt_size': SIZE, 'crop_range': crop_range,
        'use_hflip': True, 'dataroot_gt': f'{folder}/images{suffix}', 'dataroot_parsing': f'{folder}/parsing{suffix}',
        'io_backend': {'type': 'lmdb' if suffix else 'disk'}})


def print_table(pairs: dict[str, tuple[ParsingMapDataset, PlainDataset]], samples: int, rounds: int) -> None:
    speeds = {name: [] for name in pairs}
    for number in range(rounds + 1):
        for name, (own, plain) in pairs.items():
            pair = (speed(lambda i, own=own: own[SampleIndex(i % len(own), 0, i)], samples),
                    speed(lambda i, plain=plain: plain[i % len(plain)], samples))
            if number:  # the first round fills the system's file cache
                speeds[name].append(pair)
    print('| samples from | samples/s | plain way, samples/s | ratio |\n|---|---:|---:|---:|')
    for name, found in speeds.items():
        own, plain = zip(*found, strict=True)
        ratio = [one / other for one, other in found]
        print(f'| {name} | {summary(own, 0)} | {summary(plain, 0)} | {summary(ratio, 2)} |')
    print(f'\nOne core, batches of {BATCH}, median of {rounds} rounds of {samples} samples (smallest to largest).')


def speed(sample_of: Callable[[int], dict], samples: int) -> float:
    """Samples per second, put together to batches as a worker does."""
    start = time.perf_counter()
    for first in range(0, samples, BATCH):
        default_collate([sample_of(i) for i in range(first, min(first + BATCH, samples))])
    return samples / (time.perf_counter() - start)


def summary(values: Sequence[float], digits: int) -> str:
    return f'{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})'


if __name__ == '__main__':
    main()
