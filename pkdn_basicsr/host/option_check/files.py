"""Files and folders that an option file names, and how large the pictures in them are."""

import os
from collections.abc import Mapping
from pathlib import Path

from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY
from PIL import Image

from pkdn_basicsr.host.option_check.frame import find
from pkdn_basicsr.host.option_check.known_keys import DATASETS, of_class
from pkdn_basicsr.host.option_check.problems import Problems, section

_LISTS = ('meta_info_file', 'meta_info', 'split_file', 'exclude_file')
_SINGLE_PICTURES = ('PairedImageDataset', 'SingleImageDataset', 'RealESRGANDataset', 'RealESRGANPairedDataset')
_DEEPEST = 3  # folders around a picture, as in data sets of clips
_LOOKED_THROUGH = 1000  # files in a folder, at most


def check_data_files(opt: Mapping, problems: Problems) -> None:
    """Check that the folders and lists of known data sets exist, and that their pictures are as large as the crops.

    Args:
        opt: Options of a run.
        problems: Where to note what is missing or too small.
    """
    for phase, dataset_opt in section(opt, 'datasets').items():
        cls = find(DATASET_REGISTRY, section(opt, 'datasets', phase).get('type'))
        if cls is None or not of_class(DATASETS, cls)[1]:
            continue  # somebody else's data set may find its files in its own way
        where = f'datasets.{phase}'
        for key, path in dataset_opt.items():
            if isinstance(path, str) and (str(key).startswith('dataroot_') or key in _lists(dataset_opt)):
                _check_exists(f'{where}.{key}', path, problems)
                if str(key).startswith('dataroot_'):
                    _check_storage(f'{where}.{key}', path, dataset_opt, problems)
        if not problems.has_errors(f'{where}.dataroot_gt'):
            _check_crop(where, dataset_opt, problems)


def check_network_files(opt: Mapping, problems: Problems) -> None:
    """Check that weights and the state to resume from exist, and that a network to be tested has weights."""
    path_opt = section(opt, 'path')
    state = path_opt.get('resume_state')
    if opt['is_train'] and isinstance(state, str) and not opt['auto_resume']:
        _check_is_file('path.resume_state', state, problems)
    resuming = opt['auto_resume'] or state  # then the host looks elsewhere
    for key, path in path_opt.items():
        if str(key).startswith('pretrain_network_') and isinstance(path, str) and not resuming:
            _check_is_file(f'path.{key}', path, problems)
    for key in opt:
        for argument, path in section(opt, key).items() if str(key).startswith('network_') else ():
            if str(argument).endswith('_path') and isinstance(path, str):  # SPyNet, EDVR within other networks
                _check_is_file(f'{key}.{argument}', path, problems)
    if not opt['is_train'] and not path_opt.get('pretrain_network_g') and not problems.has_errors('network_g'):
        _check_needs_no_weights(opt, problems)


def _lists(dataset_opt: Mapping) -> tuple[str, ...]:
    """Return the options of a data set that name a list which is read; an LMDB of single pictures has its own."""
    has_own = dataset_opt['type'] in _SINGLE_PICTURES and section(dataset_opt, 'io_backend').get('type') == 'lmdb'
    return () if has_own else _LISTS


def _check_needs_no_weights(opt: Mapping, problems: Problems) -> None:
    network_opt = dict(section(opt, 'network_g'))
    if not network_opt:
        return
    name = network_opt.pop('type')
    try:
        net = find(ARCH_REGISTRY, name)(**network_opt)
    except Exception as error:  # other people's networks; whatever it is, it would end the run
        problems.error('network_g', f'{name} cannot be built: {" ".join(str(error).split())}')
        return
    if any(True for _ in net.parameters()):
        problems.error('path.pretrain_network_g', f'path.pretrain_network_g is not set: testing {type(net).__name__} '
                       'needs the weights that training has left in experiments/<name>/models/')


def _check_exists(key: str, path: str, problems: Problems) -> None:
    full = os.path.abspath(os.path.expanduser(path))
    kind = 'file' if key.rpartition('.')[2] in _LISTS else 'folder'
    if not os.path.exists(full):
        problems.error(key, f'no such {kind}: {full}')


def _check_is_file(key: str, path: str, problems: Problems) -> None:
    full = os.path.abspath(os.path.expanduser(path))
    if not os.path.isfile(full):
        problems.error(key, f'no such file: {full}')


def _check_storage(key: str, path: str, dataset_opt: Mapping, problems: Problems) -> None:
    is_lmdb = path.rstrip(os.sep).endswith('.lmdb')
    backend = section(dataset_opt, 'io_backend').get('type', 'disk')
    if is_lmdb and backend == 'disk':
        problems.error(key, f'{path} is an LMDB; set io_backend.type: lmdb')
    elif backend == 'lmdb' and not is_lmdb:
        problems.error(key, f'with io_backend.type lmdb expected a path that ends in .lmdb, found {path}; set '
                            'io_backend.type: disk to read a folder')


def _check_crop(where: str, dataset_opt: Mapping, problems: Problems) -> None:
    """Compare what is cut out with the first picture, whose header is read; the others may be as small or smaller."""
    root, size = dataset_opt.get('dataroot_gt'), None
    if isinstance(root, str):
        size = picture_size(Path(root).expanduser())
    is_training = where == 'datasets.train'
    crop_range = dataset_opt.get('crop_range')
    crops = {'val_crop': None if is_training else dataset_opt.get('val_crop'),
             'crop_range': crop_range[-1] if is_training and isinstance(crop_range, list) and crop_range else None}
    if not _resizes(dataset_opt):
        crops['gt_size'] = dataset_opt.get('gt_size') if is_training else None
    for key, crop in crops.items():
        if size and isinstance(crop, int) and crop > min(size):
            problems.error(f'{where}.{key}', f'expected at most {min(size)}, the shorter side of the first picture in '
                                             f'{root} ({size[0]}x{size[1]}), found {crop}')


def _resizes(dataset_opt: Mapping) -> bool:
    """Whether a data set brings pictures to `gt_size` in another way than by cutting."""
    return dataset_opt['type'] not in ('PairedImageDataset', 'RealESRGANPairedDataset', 'REDSDataset',
                                       'REDSRecurrentDataset', 'Vimeo90KDataset', 'Vimeo90KRecurrentDataset')


def picture_size(root: Path, depth: int = _DEEPEST) -> tuple[int, int] | None:
    """Return (width, height) of some picture below a folder, from its header; None where none is found soon."""
    if not root.is_dir():
        return None
    with os.scandir(root) as entries:
        entries = [entry for entry, _ in zip(entries, range(_LOOKED_THROUGH), strict=False)]
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.is_dir() and depth > 1:
            return picture_size(Path(entry.path), depth - 1)
        try:
            with Image.open(entry.path) as picture:
                return picture.size
        except (OSError, ValueError, SyntaxError):
            continue
    return None
