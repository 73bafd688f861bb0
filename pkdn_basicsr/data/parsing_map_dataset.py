"""Faces with their low-resolution versions and parsing maps."""

import logging
import math
import os
from collections.abc import Mapping

import numpy as np
import torch
from basicsr.utils.dist_util import get_dist_info
from basicsr.utils.registry import DATASET_REGISTRY
from PIL import Image
from torch.utils.data import Dataset

from pkdn_basicsr.data.crop import Box, centre_square, random_square
from pkdn_basicsr.data.dataset_options import ROOTS, check_options, sample_scheme, storage_backend, stored_scheme
from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.data.pairing import exclude, match, read_name_list, select
from pkdn_basicsr.data.parsing_labels import IGNORE, convert_parsing, swap_left_right
from pkdn_basicsr.data.picture import picture_to_tensor, read_parsing, read_picture
from pkdn_basicsr.data.storage import open_store
from pkdn_basicsr.errors import UsageError


@DATASET_REGISTRY.register()
class ParsingMapDataset(Dataset):
    """Faces, their low-resolution versions and, where given, their parsing maps.

    Files are matched by name without suffix when the dataset is built; their contents are checked when a sample is
    read. A training sample depends on (`manual_seed`, epoch, index) alone, never on workers or ranks.

    Args:
        opt: The dataset's part of an option file, with the keys

            dataroot_gt: Folder of high-resolution images.
            dataroot_lq: Folder of low-resolution images; without it they are made by PIL bicubic.
            dataroot_parsing: Folder of parsing maps, as large as the images; without it no map is returned.
            parsing_scheme: Class scheme of the maps (`data/parsing_labels.py`). Default: celebamask_hq.
            convert_parsing_to: Class scheme of the samples, to which the maps are converted. Default: that of the maps.
            meta_info_file: List of the names to use, one per line. `split_file` is the same; give one.
            split_file: See `meta_info_file`.
            exclude_file: List of names to leave out.
            io_backend: {type: disk}, the default, or {type: lmdb}: each dataroot is an LMDB (`data/lmdb_file.py`). Its
                samples equal those of the folder that it was made from, and lists name the pictures as there.
            gt_size: Side of the returned square image; originals are cropped to a square and resized to it. Without
                it images are returned as they are, which only validation can do.
            crop_range: [smallest, largest] side, in pixels of the original, of a random square crop (training).
            val_crop: Side, in pixels of the original, of the centred crop (validation). Default: the largest square.
            use_hflip: Flip half of the training samples, swapping left and right classes.
            map_dropout: Share of the training samples, from 0 to 1, whose map is unknown as a whole: 255 everywhere.
                What a teacher learns without its prior a student can take over (our choice).
            on_bad_file: `stop`, the default, or `skip` (training); any data set has it: `host/failure/bad_files.py`.
            phase, scale, manual_seed: Set by the host and by `host/options.py`.

    Raises:
        UsageError: A key, folder, list or name that does not fit.
    """

    def __init__(self, opt: dict) -> None:
        super().__init__()
        check_options(opt)
        self.opt = opt
        self.scale = opt['scale']
        self.gt_size = opt.get('gt_size')
        self.is_train = opt['phase'] == 'train'
        self.seed = opt.get('manual_seed', 0)
        self.stored_scheme = stored_scheme(opt)
        self.sample_scheme = sample_scheme(opt)

        backend = storage_backend(opt)
        self.stores = {root: open_store(opt[root], root, backend) for root in ROOTS if opt.get(root) is not None}
        gt_files = self.stores['dataroot_gt'].index()
        keys = self._select(list(gt_files))
        self.gt_paths = [gt_files[key] for key in keys]
        self.lq_paths = self._match_root('dataroot_lq', keys)
        self.parsing_paths = self._match_root('dataroot_parsing', keys)
        self._check_batch()

    @classmethod
    def check(cls, opt: dict) -> None:
        """Check before a run that the set can be built; arguments and errors are those of the constructor."""
        cls(opt)

    def __len__(self) -> int:
        return len(self.gt_paths)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor | str]:
        """Return one sample.

        Args:
            index: An `int`; in training a `SampleIndex`, whose epoch and draw decide on the augmentation.

        Returns:
            lq: float32 (3, h, w), RGB in [0, 1].
            gt: float32 (3, scale * h, scale * w), RGB in [0, 1].
            parsing: uint8 (scale * h, scale * w), class indices of `convert_parsing_to` or else `parsing_scheme`,
                255 = unknown. Only with `dataroot_parsing`.
            lq_path, gt_path: Files; `lq_path` is `gt_path` where the low-resolution image is made on the fly.

        Raises:
            UsageError: A file that is missing, unreadable, wrongly sized or out of the scheme; the message names it.
        """
        rng = self.rng(index)
        gt_path = self.gt_paths[index]
        gt = read_picture(gt_path, self.stores['dataroot_gt'].open(gt_path))
        parsing = self._read_parsing(index, gt) if self.parsing_paths else None

        box = self._crop_box(gt, gt_path, rng)
        flip = self.is_train and self.opt.get('use_hflip', False) and rng.random() < 0.5
        gt = self._cut(gt, box, flip, Image.Resampling.BICUBIC)
        if gt.width % self.scale or gt.height % self.scale:
            raise UsageError(f'{gt_path}: {gt.width}x{gt.height} pixels are not multiples of scale {self.scale}; crop '
                             'the image or give gt_size')
        lq_path = self.lq_paths[index] if self.lq_paths else gt_path
        lq = self._read_lq(lq_path, gt, flip) if self.lq_paths else downsample(gt, self.scale)

        sample = {'lq': picture_to_tensor(lq), 'gt': picture_to_tensor(gt), 'lq_path': lq_path, 'gt_path': gt_path}
        if parsing is not None:
            classes = np.array(self._cut(parsing, box, flip, Image.Resampling.NEAREST))
            if flip:
                classes = swap_left_right(classes, self.stored_scheme)
            if self.is_train and rng.random() < (self.opt.get('map_dropout') or 0):
                classes = np.full_like(classes, IGNORE)
            sample['parsing'] = torch.from_numpy(convert_parsing(classes, self.stored_scheme, self.sample_scheme))
        return sample

    def rng(self, index: int, *stream: int) -> np.random.Generator:
        """Return what a sample's augmentation is drawn from; `stream` numbers a further one of the same sample."""
        draw = getattr(index, 'draw', index % len(self))
        return np.random.default_rng([self.seed, getattr(index, 'epoch', 0), draw, *stream])

    def _crop_box(self, gt: Image.Image, gt_path: str, rng: np.random.Generator) -> Box:
        if self.gt_size is None:
            return 0, 0, *gt.size
        try:
            if self.is_train and self.opt.get('crop_range'):
                return random_square(*gt.size, tuple(self.opt['crop_range']), rng)
            return centre_square(*gt.size, None if self.is_train else self.opt.get('val_crop'))
        except ValueError as error:
            option = 'crop_range' if self.is_train else 'val_crop'
            raise UsageError(f'{gt_path}: {error}; give a smaller {option} or leave the image out') from None

    def _cut(self, image: Image.Image, box: Box, flip: bool, resampling: Image.Resampling) -> Image.Image:
        # cropped before it is resized: resize(box=...) would let pixels from outside the box into its border
        image = image.crop(box)
        if self.gt_size is not None:
            image = image.resize((self.gt_size, self.gt_size), resampling)
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else image

    def _read_lq(self, lq_path: str, gt: Image.Image, flip: bool) -> Image.Image:
        lq = read_picture(lq_path, self.stores['dataroot_lq'].open(lq_path))
        expected = (gt.width // self.scale, gt.height // self.scale)
        if lq.size != expected:
            raise UsageError(f'{lq_path}: expected {expected[0]}x{expected[1]} pixels, 1/{self.scale} of its image '
                             f'({gt.width}x{gt.height}), found {lq.width}x{lq.height}; make it again, or leave out '
                             'dataroot_lq')
        return lq.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else lq

    def _read_parsing(self, index: int, gt: Image.Image) -> Image.Image:
        path = self.parsing_paths[index]
        parsing = read_parsing(path, self.stored_scheme, self.stores['dataroot_parsing'].open(path))
        if parsing.size != gt.size:
            raise UsageError(f'{path}: expected {gt.width}x{gt.height} pixels as {self.gt_paths[index]}, found '
                             f'{parsing.width}x{parsing.height}; resize one of them (a map by nearest neighbour)')
        return parsing

    def _match_root(self, option: str, keys: list[str]) -> list[str] | None:
        if option not in self.stores:
            return None
        return match(keys, self.stores[option].index(), os.path.expanduser(self.opt[option]), option)

    def _select(self, keys: list[str]) -> list[str]:
        """Apply the lists of names to use and to leave out."""
        for option in ('meta_info_file', 'split_file'):
            if self.opt.get(option):
                keys = select(keys, self._read_list(option), option)
        if self.opt.get('exclude_file'):
            rest = exclude(keys, self._read_list('exclude_file'))
            # said aloud, because a list of other names would leave nothing out without a sign
            logging.getLogger('basicsr').info(f"{len(keys) - len(rest)} of {len(keys)} images are left out by "
                                   f"{self.opt['exclude_file']}")
            keys = rest
        return keys

    def _read_list(self, option: str) -> list[str]:
        names = read_name_list(os.path.expanduser(self.opt[option]), option)
        return [self.stores['dataroot_gt'].key_of(name) for name in names]

    def _check_batch(self) -> None:
        """The host's loader drops an incomplete batch: a set smaller than one batch would train nothing at all."""
        batch_size = self.opt.get('batch_size_per_gpu', 1)
        _, processes = get_dist_info()
        draws = math.ceil(len(self) * self.opt.get('dataset_enlarge_ratio', 1) / processes)
        if self.is_train and draws < batch_size:
            raise UsageError(f"dataset {self.opt['name']}: {len(self)} images make {draws} samples a process and "
                             f'epoch, less than one batch (batch_size_per_gpu {batch_size}); raise '
                             'dataset_enlarge_ratio')


def is_parsing_map_dataset(dataset_opt: Mapping) -> bool:
    """Whether options of a data set are of a `ParsingMapDataset`, or of one made from it."""
    name = dataset_opt.get('type')
    return name in DATASET_REGISTRY and issubclass(DATASET_REGISTRY.get(name), ParsingMapDataset)
