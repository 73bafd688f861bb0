"""Values of the wrong kind, like words where BasicSR calculates with numbers."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from basicsr.utils.registry import DATASET_REGISTRY

from pkdn_basicsr.data.parsing_labels import SCHEMES
from pkdn_basicsr.host.option_check.frame import find
from pkdn_basicsr.host.option_check.known_keys import DATASETS, LOADER, of_class
from pkdn_basicsr.host.option_check.problems import Problems, section


@dataclass(frozen=True)
class Kind:
    """What a value may be.

    Attributes:
        expected: In words.
        fits: Whether a value is of this kind.
        words: The allowed words, where it is one of them.
    """

    expected: str
    fits: Callable[[object], bool]
    words: tuple[str, ...] = ()

    def or_none(self) -> 'Kind':
        """Return the kind that also allows `~`."""
        return Kind(f'{self.expected} or ~', lambda value: value is None or self.fits(value), self.words)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float('inf')


def _whole(smallest: int) -> Kind:
    return Kind(f'a whole number of at least {smallest}',
                lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= smallest)


def _one_of(*words: str) -> Kind:
    return Kind(f'one of {", ".join(words)}', lambda value: value in words, words)


_COUNT = Kind('a number of iterations above 0', lambda value: _is_number(value) and value >= 1 and value == int(value))
_NUMBER = Kind('a number', _is_number)
_POSITIVE = Kind('a number above 0', lambda value: _is_number(value) and value > 0)
_SHARE = Kind('a number from 0 to below 1', lambda value: _is_number(value) and 0 <= value < 1)
_FLAG = Kind('true or false', lambda value: value in (True, False, None))
_WORD = Kind('a word', lambda value: isinstance(value, str) and value != '')
_SECTION = Kind('keys and values', lambda value: isinstance(value, Mapping))
_NUMBERS = Kind('a list of numbers', lambda value: isinstance(value, list) and all(map(_is_number, value)))
_WORDS = Kind('a list of words', lambda value: isinstance(value, list) and all(map(_WORD.fits, value)))

KINDS = {
    'scale': _whole(1),
    'num_gpu': Kind('a whole number of at least 0, or auto',
                    lambda value: value == 'auto' or _whole(0).fits(value), ('auto',)),
    'manual_seed': Kind('a whole number from 0 to 2**32 - 100 or ~',  # a process adds its number
                        lambda value: value is None or (_whole(0).fits(value) and value <= 2**32 - 100)),
    'find_unused_parameters': _FLAG,
    'static_graph': _FLAG,
    'train.total_iter': _COUNT,
    'train.warmup_iter': _NUMBER,
    'train.ema_decay': _SHARE,
    'train.optim_*.lr': Kind('a number of at least 0', lambda value: _is_number(value) and value >= 0),
    'train.net_d_iters': _whole(1),
    'train.net_d_init_iters': _NUMBER,
    'train.scheduler.milestones': _NUMBERS,
    'train.scheduler.periods': _NUMBERS,
    'train.begin_as_teacher': _FLAG,
    'train.*_opt': _SECTION.or_none(),
    'train.*_opt.loss_weight': _NUMBER,
    'val.val_freq': _COUNT,
    'val.save_img': _FLAG,
    'val.pbar': _FLAG,
    'val.suffix': _WORD.or_none(),
    'val.metrics': _SECTION.or_none(),
    'val.metrics.*.crop_border': _whole(0),
    'logger.print_freq': _COUNT,
    'logger.save_checkpoint_freq': _COUNT,
    'logger.keep_last': _whole(0).or_none(),
    'logger.use_tb_logger': _FLAG,
    'logger.wandb': _SECTION.or_none(),
    'path.pretrain_network_*': _WORD.or_none(),
    'path.param_key_*': _WORD.or_none(),
    'path.strict_load_*': _FLAG,
    'path.resume_state': _WORD.or_none(),
    'path.ignore_resume_networks': _WORDS.or_none(),
    'path.*_root': _WORD.or_none(),
    'datasets.*.name': _WORD,
    'datasets.*.dataroot_*': _WORD.or_none(),
    'datasets.*.*_file': _WORD.or_none(),
    'datasets.*.meta_info': _WORD.or_none(),
    'datasets.*.io_backend': _SECTION.or_none(),
    'datasets.*.parsing_scheme': _one_of(*SCHEMES).or_none(),
    'datasets.*.convert_parsing_to': _one_of(*SCHEMES).or_none(),
    'datasets.*.gt_size': _whole(1).or_none(),
    'datasets.*.val_crop': _whole(1).or_none(),
    'datasets.*.crop_range': _NUMBERS.or_none(),
    'datasets.*.num_frame': Kind('a whole number', lambda value: isinstance(value, int)),
    'datasets.*.use_hflip': _FLAG,
    'datasets.*.map_dropout': Kind('a number from 0 to 1 or ~',
                                   lambda value: value is None or (_is_number(value) and 0 <= value <= 1)),
    'datasets.*.use_rot': _FLAG,
    'datasets.*.cache_data': _FLAG,
    'datasets.*.mean': _NUMBERS.or_none(),
    'datasets.*.std': _NUMBERS.or_none(),
    'datasets.*.val_partition': _one_of('REDS4', 'official'),
    'datasets.*.padding': _one_of('replicate', 'reflection', 'reflection_circle', 'circle'),
    'datasets.*.batch_size_per_gpu': _whole(1),
    'datasets.*.num_worker_per_gpu': _whole(0),
    'datasets.*.dataset_enlarge_ratio': _POSITIVE,
    'datasets.*.prefetch_mode': _one_of('cpu', 'cuda').or_none(),
    'datasets.*.num_prefetch_queue': _whole(1),
    'datasets.*.pin_memory': _FLAG,
    'datasets.*.persistent_workers': _FLAG,
    'datasets.*.on_bad_file': _one_of('stop', 'skip').or_none(),
}
"""`section.key`, maybe with `*` for a name of the user, and the kind of its value."""


def check_kinds(opt: Mapping, problems: Problems) -> None:
    """Check the values of the keys in `KINDS`.

    Args:
        opt: Options of a run.
        problems: Where to note what has another kind.
    """
    for key, value in _leaves(opt):
        for pattern, kind in KINDS.items():
            if _matches(key, pattern) and not kind.fits(value) and not _belongs_to_others(opt, key):
                near = difflib.get_close_matches(str(value), kind.words, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ''
                problems.error(key, f'expected {kind.expected}, found {value!r}{hint}')


def _leaves(opt: Mapping, around: str = '', depth: int = 4) -> list[tuple[str, object]]:
    """Return all keys as `section.key`, sections too."""
    found = []
    for name, value in opt.items() if depth else ():
        key = f'{around}{name}'
        found.append((key, value))
        if isinstance(value, Mapping):
            found += _leaves(value, f'{key}.', depth - 1)
    return found


def _matches(key: str, pattern: str) -> bool:
    return key.count('.') == pattern.count('.') and fnmatchcase(key, pattern)


def _belongs_to_others(opt: Mapping, key: str) -> bool:
    """Somebody else's data set may give a meaning of its own to any key that the loaders don't read."""
    if not key.startswith('datasets.') or key.rpartition('.')[2] in LOADER.all:
        return False
    cls = find(DATASET_REGISTRY, section(opt, *key.split('.')[:2]).get('type'))
    return cls is not None and not of_class(DATASETS, cls)[1]

