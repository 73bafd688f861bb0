"""Which options `ParsingMapDataset` takes, which of them go together, and the class schemes that they name."""

import difflib
import os

from pkdn_basicsr.data.lmdb_file import SUFFIX
from pkdn_basicsr.data.parsing_labels import ParsingScheme, get_scheme
from pkdn_basicsr.errors import UsageError

ROOTS = ('dataroot_gt', 'dataroot_lq', 'dataroot_parsing')
"""Options that name where pictures lie."""

_OWN = (*ROOTS, 'parsing_scheme', 'convert_parsing_to', 'meta_info_file', 'split_file', 'exclude_file', 'gt_size',
        'crop_range', 'val_crop', 'use_hflip', 'map_dropout')
# what BasicSR's pipelines and loaders read from, or write into, the same part of an option file
_HOST = ('name', 'type', 'phase', 'scale', 'manual_seed', 'io_backend', 'batch_size_per_gpu', 'num_worker_per_gpu',
         'dataset_enlarge_ratio', 'prefetch_mode', 'num_prefetch_queue', 'pin_memory', 'persistent_workers',
         'on_bad_file')


def check_options(opt: dict) -> None:
    """Check the options that need no file to be read.

    Raises:
        UsageError: An option that is unknown, missing, out of range or at odds with another one.
    """
    where = f"dataset {opt.get('name', 'without name')}"
    _check_names(opt, where)
    _check_sizes(opt, where)
    if opt.get('meta_info_file') and opt.get('split_file'):
        raise UsageError(f'{where}: give meta_info_file or split_file, not both')
    _check_storage(opt, where)
    _check_map_dropout(opt, where)


def storage_backend(opt: dict) -> str:
    """Where a data set's pictures lie: 'disk' (folders) or 'lmdb'."""
    return (opt.get('io_backend') or {}).get('type', 'disk')


def stored_scheme(opt: dict) -> ParsingScheme:
    """Class scheme of a data set's files: `parsing_scheme`, or celebamask_hq.

    Raises:
        UsageError: No such scheme.
    """
    return get_scheme(opt.get('parsing_scheme') or 'celebamask_hq')


def sample_scheme(opt: dict) -> ParsingScheme:
    """Class scheme of the maps in a data set's samples: `convert_parsing_to`, or that of the files.

    Raises:
        UsageError: No such scheme.
    """
    return get_scheme(opt.get('convert_parsing_to') or stored_scheme(opt))


def _check_names(opt: dict, where: str) -> None:
    for option in opt:
        if option not in _OWN + _HOST:
            nearest = difflib.get_close_matches(str(option), _OWN + _HOST, n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f'its own are {", ".join(_OWN)}'
            raise UsageError(f"{where}: ParsingMapDataset has no option '{option}'; {hint}")
    if not opt.get('dataroot_gt'):
        raise UsageError(f'{where}: dataroot_gt is missing; give the folder of the high-resolution images')


def _check_storage(opt: dict, where: str) -> None:
    backend = storage_backend(opt)
    if backend not in ('disk', 'lmdb'):
        raise UsageError(f"{where}: io_backend.type '{backend}' is not supported; expected 'disk' or 'lmdb'")
    for option in ROOTS:
        root = opt.get(option)
        if root is None or root.rstrip(os.sep).endswith(SUFFIX) == (backend == 'lmdb'):
            continue
        if backend == 'lmdb':
            raise UsageError(f'{where}: with io_backend.type lmdb {option} must end in {SUFFIX}, found {root}; name an '
                             'LMDB, or set io_backend.type: disk to read folders')
        raise UsageError(f'{where}: {option} {root} is an LMDB; set io_backend.type: lmdb')


def _check_map_dropout(opt: dict, where: str) -> None:
    share = opt.get('map_dropout')
    if share is None:
        return
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise UsageError(f'{where}: map_dropout must be a share from 0 to 1 of the training samples, found {share!r}')
    if share and not opt.get('dataroot_parsing'):
        raise UsageError(f'{where}: map_dropout needs the maps: give dataroot_parsing')


def _check_sizes(opt: dict, where: str) -> None:
    for option in ('gt_size', 'val_crop'):
        size = opt.get(option)
        if not (size is None or _is_size(size)):
            raise UsageError(f'{where}: {option} must be a whole number of pixels above 0, found {size!r}')
    crop_range = opt.get('crop_range')
    if crop_range is not None and not _is_range(crop_range):
        raise UsageError(f'{where}: crop_range must be [smallest, largest] side in pixels, found {crop_range!r}')

    gt_size, scale = opt.get('gt_size'), opt['scale']
    if gt_size is None and opt['phase'] == 'train':
        raise UsageError(f'{where}: training needs gt_size, the side of the square images that make a batch, a '
                         f'multiple of scale {scale}')
    if gt_size is not None and gt_size % scale:
        raise UsageError(f'{where}: gt_size {gt_size} is not a multiple of scale {scale}; the nearest is '
                         f'{max(round(gt_size / scale), 1) * scale}')
    for option in ('crop_range', 'val_crop'):
        if opt.get(option) is not None and (gt_size is None or opt.get('dataroot_lq')):
            raise UsageError(f'{where}: {option} needs gt_size, and low-resolution images made on the fly: leave out '
                             'dataroot_lq')


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _is_range(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_size, value)) and value[0] <= value[1]
