"""Unknown keys, which BasicSR passes over without a word, and missing ones, at which it fails late."""

import difflib
from collections.abc import Mapping

from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY

from pkdn_basicsr.host.option_check.frame import find, registered
from pkdn_basicsr.host.option_check.known_keys import (
    DATASETS,
    DEGRADATION,
    DIST_PARAMS,
    FILE,
    IO_BACKEND,
    LOADER,
    MODELS,
    PATHS,
    PATHS_OF_NETWORK,
    WANDB,
    Keys,
    of_any,
    of_class,
)
from pkdn_basicsr.host.option_check.problems import Problems, section, suggest

_SECTIONS = ('', 'train', 'val', 'logger')
_FROM_THE_COMMAND_LINE = ('is_train', 'auto_resume', 'dist', 'debug')


def check_keys(opt: Mapping, problems: Problems) -> None:
    """Check the names of all keys that are no arguments of a class.

    A key that nothing reads is an error where all that is read is known, and a warning where somebody else's model or
    data set may read it.

    Args:
        opt: Options of a run.
        problems: Where to note what is unknown or missing.
    """
    _check_file(opt, problems)
    _check_paths(opt, problems)
    check_names('dist_params', section(opt, 'dist_params'), set(DIST_PARAMS), problems)
    check_names('logger.wandb', section(opt, 'logger', 'wandb'), set(WANDB), problems)
    for phase in section(opt, 'datasets'):
        check_dataset(opt, str(phase), problems)


def _check_file(opt: Mapping, problems: Problems) -> None:
    own, is_complete = _of_model(opt, problems)
    model = opt.get('model_type', 'BasicSR')
    meant: set[str] = set()
    for where in _SECTIONS:
        known = {_last(key) for key in FILE.all | own.all if _around(key) == where}
        for key, value in (section(opt, where) if where else opt).items():
            full = f'{where}.{key}' if where else str(key)
            if key in known or full in _FROM_THE_COMMAND_LINE:
                continue
            readers = [reader for reader in MODELS if full in MODELS[reader].all and find(MODEL_REGISTRY, reader)]
            if not readers:
                meant |= _note_unknown(full, f'{model} has no such option', known, is_complete, problems)
            elif is_complete and opt['is_train'] and value not in (None, False):  # in testing most are left over
                problems.error(full, f'{model} does not know it and would pass over it; known to {", ".join(readers)}')
    for key in _needed(opt, own if is_complete else Keys()):
        outer = opt.get(_around(key)) if _around(key) else opt
        if isinstance(outer, Mapping) and _last(key) not in outer and key not in meant:
            problems.error(key, f'is missing; {model} needs it')


def _of_model(opt: Mapping, problems: Problems) -> tuple[Keys, bool]:
    """Return what the model reads beyond `FILE`, and whether that is all; of an unknown one, what any model reads."""
    cls = registered(MODEL_REGISTRY, opt['model_type'], 'model_type', problems) if 'model_type' in opt else None
    if cls is None:
        return Keys(optional=tuple(of_any(MODELS))), True
    return of_class(MODELS, cls)


def _needed(opt: Mapping, own: Keys) -> list[str]:
    if not opt['is_train']:
        return [*FILE.needed, *own.needed, 'val', 'val.save_img']
    trained = own.trained
    if opt.get('high_order_degradation') is False:  # then RealESRGANModel does not read how to degrade
        trained = [key for key in trained if key not in DEGRADATION]
    return [*FILE.needed, *own.needed, *FILE.trained, *trained, 'val.val_freq', 'val.save_img']


def _check_paths(opt: Mapping, problems: Problems) -> None:
    letters = [str(key).removeprefix('network_') for key in opt if str(key).startswith('network_')]
    known = {*PATHS, *(f'{kind}_{letter}' for kind in PATHS_OF_NETWORK for letter in letters)}
    for key, value in section(opt, 'path').items():
        kind, _, letter = str(key).rpartition('_')
        is_left_over = kind in PATHS_OF_NETWORK and f'network_{letter}' in of_any(MODELS)
        if key in known or (is_left_over and (value is None or not opt['is_train'])):
            continue
        if kind in PATHS_OF_NETWORK:
            problems.error(f'path.{key}', f'there is no network_{letter} that it could be for; {suggest(key, known)}')
        else:
            problems.error(f'path.{key}', 'no such option; BasicSR would make a folder of its value; '
                                          f'{suggest(key, known)}')


def check_dataset(opt: Mapping, phase: str, problems: Problems) -> None:
    """Check the names of the keys of one data set, as `check_keys` does for all."""
    where, dataset_opt = f'datasets.{phase}', section(opt, 'datasets', phase)
    name = dataset_opt.get('type')
    cls = registered(DATASET_REGISTRY, name, f'{where}.type', problems) if 'type' in dataset_opt else None
    own, is_complete = of_class(DATASETS, cls) if cls else (Keys(), False)
    if not is_complete:
        own = Keys(optional=tuple(of_any(DATASETS)))
    owner = name or 'BasicSR'
    meant = check_names(where, dataset_opt, own.all | LOADER.all, problems, f'{owner} has no such option',
                        is_complete or cls is None)
    needed = [*LOADER.needed, *own.needed]
    if phase == 'train' and opt['is_train']:
        needed += [*LOADER.trained, *own.trained]
    for key in needed:
        if key not in dataset_opt and f'{where}.{key}' not in meant:
            problems.error(f'{where}.{key}', f'is missing; {owner} needs it')
    _check_backend(where, dataset_opt, problems)


def _check_backend(where: str, dataset_opt: Mapping, problems: Problems) -> None:
    backend_opt = section(dataset_opt, 'io_backend')
    backend = IO_BACKEND.get(backend_opt.get('type')) if isinstance(backend_opt.get('type'), str) else None
    if backend_opt and backend is None:
        problems.error(f'{where}.io_backend.type', f"expected one of {', '.join(IO_BACKEND)}, found "
                                                   f'{backend_opt.get("type")!r}')
    elif backend:
        check_names(f'{where}.io_backend', backend_opt, backend.all, problems)


def check_names(where: str, opt: Mapping, known: set[str], problems: Problems, text: str = 'no such option',
                is_complete: bool = True) -> set[str]:
    """Note unknown keys of a section ('' = the file), and return the known ones that they were probably meant to be."""
    meant: set[str] = set()
    for key in opt:
        if key not in known:
            meant |= _note_unknown(f'{where}.{key}' if where else str(key), text, known, is_complete, problems)
    return meant


def _note_unknown(key: str, text: str, known: set[str], is_complete: bool, problems: Problems) -> set[str]:
    note = problems.error if is_complete else problems.warn
    note(key, f'{text}; {suggest(_last(key), known)}')
    around = f'{_around(key)}.' if _around(key) else ''
    return {f'{around}{near}' for near in difflib.get_close_matches(_last(key), known, n=1)}


def _last(key: str) -> str:
    return key.rpartition('.')[2]


def _around(key: str) -> str:
    return key.rpartition('.')[0]
