"""Write options/reference.md: every option of this package, from signatures, docstrings and the option check's tables.

    python scripts/option_reference.py

An option that no docstring describes is an error. tests/scripts/test_option_reference.py compares the file.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Literal, get_args, get_origin

import yaml

import pkdn_basicsr  # noqa: F401  (before BasicSR, which it mends; registers what is described)

# isort: split
from basicsr.utils.registry import (
    ARCH_REGISTRY,
    DATASET_REGISTRY,
    LOSS_REGISTRY,
    METRIC_REGISTRY,
    MODEL_REGISTRY,
    Registry,
)

from pkdn_basicsr.host.option_check import known_keys
from pkdn_basicsr.host.option_check.known_keys import Keys
from pkdn_basicsr.losses import LossSchedule

FILE = Path(__file__).resolve().parents[1] / 'options' / 'reference.md'
HEAD = """\
# Option reference

Written by `python scripts/option_reference.py` from signatures and docstrings; do not edit. What the options are good
for is told in [README.md](README.md). Models and data sets also have the options of those that they build on; BasicSR's
own classes and torch's optimizers take the arguments of their constructors.
"""
GIVEN_BY_THE_HOST = ('img', 'img2', 'kwargs')
"""Arguments of metrics that are no options."""


def reference() -> str:
    """Return the text of the file.

    Raises:
        LookupError: An option that no docstring describes.
    """
    arguments = {
        'Networks: `network_g`, `network_t`': ours(ARCH_REGISTRY),
        'Losses: `train.pixel_opt`, `feature_opt`, `soft_opt`, `output_losses`': ours(LOSS_REGISTRY),
        'Schedules: `train.feature_opt.schedule`, `soft_opt.schedule`': [LossSchedule],
        'Metrics: `val.metrics.*`': ours(METRIC_REGISTRY),
    }
    parts = [HEAD]
    for title, things in arguments.items():
        parts += [f'## {title}\n', *map(describe, things)]
    parts += ['## Data sets: `datasets.*`\n', *map(describe_data_set, ours(DATASET_REGISTRY))]
    parts += ['## Models: `model_type`\n', *map(describe_model, ours(MODEL_REGISTRY))]
    parts += ['## The rest of the file\n', keys_of_the_host()]
    return '\n'.join(parts)


def ours(registry: Registry) -> list[Callable]:
    """Return what this package has registered, by name."""
    return [thing for _, thing in sorted(registry) if thing.__module__.startswith('pkdn_basicsr.')
            and hasattr(sys.modules[thing.__module__], thing.__name__)]  # a test may only claim to be there


def describe(thing: Callable) -> str:
    """Return the section of a class, or of a metric, whose options are its arguments."""
    described = descriptions(thing)
    rows = []
    for name, parameter in inspect.signature(thing).parameters.items():
        if name not in GIVEN_BY_THE_HOST:
            rows.append([f'`{name}`', kind(parameter.annotation), default(parameter), text_of(name, described, thing)])
    return section(thing, ['option', 'kind', 'default', 'meaning'], rows)


def describe_data_set(cls: type) -> str:
    """Return the section of a data set: the keys that it has beyond its base."""
    described, keys = entries(cls, indent=8), beyond_base(known_keys.DATASETS, cls)
    rows = [[f'`{name}`', need(name, keys), text_of(name, described, cls)] for name in sorted(keys.all)]
    return section(cls, ['option', 'needed', 'meaning'], rows)


def describe_model(cls: type) -> str:
    """Return the section of a model: the keys that it has beyond its base; their meaning is told in the README."""
    keys = beyond_base(known_keys.MODELS, cls)
    return section(cls, ['needed', 'to train', 'others'], [key_cells(keys)] if keys.all else [])


def beyond_base(known: Mapping[str, Keys], cls: type) -> Keys:
    """Return the keys of a class without those of its base, if that has a section of its own."""
    keys, _ = known_keys.of_class(known, cls)
    base = cls.__base__
    has_section = base in ours(MODEL_REGISTRY) + ours(DATASET_REGISTRY)
    of_base = known_keys.of_class(known, base)[0].all if has_section else ()
    return Keys(*(tuple(name for name in names if name not in of_base)
                  for names in (keys.needed, keys.optional, keys.trained)))


def keys_of_the_host() -> str:
    """Return the table of the keys that belong to no class."""
    letters = tuple(f'{key}_g' for key in known_keys.PATHS_OF_NETWORK)
    sections = {
        'the file': known_keys.FILE,
        '`path` (`_g`: the letter of each `network_*`)': Keys(optional=known_keys.PATHS + letters),
        '`datasets.*`': known_keys.LOADER,
        **{f'`datasets.*.io_backend`, `type: {name}`': keys for name, keys in known_keys.IO_BACKEND.items()},
        '`logger.wandb`': Keys(optional=known_keys.WANDB),
        '`dist_params`': Keys(optional=known_keys.DIST_PARAMS),
    }
    return table(['keys of', 'needed', 'to train', 'others'],
                 [[name, *key_cells(keys)] for name, keys in sections.items()])


def descriptions(thing: Callable) -> dict[str, str]:
    """Return what docstrings say of the arguments; `As in` another class says less than that class."""
    found = {}
    for part in reversed(inspect.getmro(thing)) if inspect.isclass(thing) else [thing]:
        found |= {name: text for name, text in entries(part, indent=4).items()
                  if name not in found or not text.lower().startswith(('as in', 'see'))}
    return found


def entries(thing: Callable, indent: int) -> dict[str, str]:
    """Return name -> text of the lines `name: text` and `name, name: text` at an indent, and of those that go on."""
    found = {}
    pattern = rf'^ {{{indent}}}(\w+(?:, \w+)*): (.*(?:\n {{{indent + 1},}}.*)*)'
    for names, text in re.findall(pattern, inspect.cleandoc(thing.__doc__ or ''), re.MULTILINE):
        text = ' '.join(text.split())
        found |= dict.fromkeys(names.split(', '), text[:1].upper() + text[1:])
    return found


def text_of(name: str, described: Mapping[str, str], thing: Callable) -> str:
    """Return what is said of an option."""
    if name not in described:
        raise LookupError(f'{thing.__module__}.{thing.__name__}: its docstring does not describe {name}')
    return described[name]


def kind(annotation: object) -> str:
    """Return a type as one would say it of a value in YAML."""
    if isinstance(annotation, UnionType):
        annotation, *_ = get_args(annotation)  # the other is None
    if get_origin(annotation) is Literal:
        return ', '.join(f'`{value}`' for value in get_args(annotation))
    if get_origin(annotation) is Sequence:
        return f'list of {kind(*get_args(annotation))}'
    return annotation.__name__


def default(parameter: inspect.Parameter) -> str:
    """Return the default as YAML."""
    if parameter.default is parameter.empty:
        return 'needed'
    if parameter.default is None:
        return '`~`'
    return f'`{yaml.safe_dump([parameter.default], default_flow_style=True).strip()[1:-1]}`'


def need(name: str, keys: Keys) -> str:
    """Return when a data set's key is needed."""
    return 'yes' if name in keys.needed else 'to train' if name in keys.trained else ''


def key_cells(keys: Keys) -> list[str]:
    """Return the cells of keys: needed, needed for training, others."""
    return [', '.join(f'`{name}`' for name in sorted(names)) for names in (keys.needed, keys.trained, keys.optional)]


def section(thing: Callable, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the heading, the first line of the docstring and, where there are rows, the table."""
    first = re.sub(':math:`(.+?)`', r'$\1$', inspect.cleandoc(thing.__doc__).splitlines()[0])
    return f'### `{thing.__name__}`\n\n{first}\n' + (f'\n{table(header, rows)}' if rows else '')


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in (header, ['---'] * len(header), *rows))


if __name__ == '__main__':
    FILE.write_text(reference(), encoding='utf-8')
