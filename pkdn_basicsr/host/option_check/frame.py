"""The frame of an option file: its sections, its model and its data sets."""

from collections.abc import Mapping

from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY, Registry

from pkdn_basicsr.host.option_check.problems import Problems, section, suggest

_SECTIONS = ('datasets', 'path')
_SECTIONS_OF_TRAINING = ('train', 'logger', 'train.optim_g', 'train.optim_d', 'train.scheduler')


def check_frame(opt: Mapping, problems: Problems) -> None:
    """Check that sections are sections, and that model and data sets have names that are known.

    Args:
        opt: Options of a run, with `is_train`.
        problems: Where to note what is none.
    """
    if 'name' in opt and not (isinstance(opt['name'], str) and opt['name']):
        problems.error('name', f"must be a word, found {opt['name']!r}; put it in quotes")
    elif '/' in opt.get('name', ''):
        problems.error('name', f"expected a word that can be a folder's name, found {opt['name']!r}")
    for key in _SECTIONS + (_SECTIONS_OF_TRAINING if opt['is_train'] else ()):
        _check_section(opt, key, problems)
    if not opt['is_train'] or opt.get('val') is not None:
        _check_section(opt, 'val', problems)
    if 'model_type' in opt:
        registered(MODEL_REGISTRY, opt['model_type'], 'model_type', problems)
    for phase in section(opt, 'datasets'):
        _check_dataset(opt, str(phase), problems)


def find(registry: Registry, name: object) -> type | None:
    """Return the class of a name, None where there is none; the host's own way of finding it may print a line."""
    for known in (name, f'{name}_basicsr'):
        if isinstance(name, str) and known in registry:
            return registry.get(known)
    return None


def registered(registry: Registry, name: object, key: str, problems: Problems) -> type | None:
    """Return the class of a name; None where there is none, which is noted under the key."""
    found = find(registry, name)
    if found is not None:
        return found
    names = [known.removesuffix('_basicsr') for known, _ in registry]
    problems.error(key, f"'{name}' is not registered; {suggest(name, names)}")
    return None


def _check_section(opt: Mapping, key: str, problems: Problems) -> None:
    *around, last = key.split('.')
    outer = section(opt, *around)
    if last in outer and not isinstance(outer[last], Mapping):
        problems.error(key, f'must hold keys and values, found {outer[last]!r}')


def _check_dataset(opt: Mapping, phase: str, problems: Problems) -> None:
    where = f'datasets.{phase}'
    if opt['is_train'] and phase != 'train' and phase.split('_')[0] != 'val':
        problems.error(where, 'expected train, val or val_<name>; others are for basicsr test')
    if not opt['is_train'] and phase.split('_')[0] not in ('train', 'val', 'test'):
        problems.error(where, 'expected test or test_<name>')
    _check_section(opt, where, problems)
    dataset_opt = section(opt, 'datasets', phase)
    if 'type' in dataset_opt:
        registered(DATASET_REGISTRY, dataset_opt['type'], f'{where}.type', problems)
