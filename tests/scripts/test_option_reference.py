"""scripts/option_reference.py, and that options/reference.md is what it writes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.host.option_check.known_keys import DATASETS, Keys

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
import option_reference

TEXT = option_reference.FILE.read_text(encoding='utf-8')


class Base:
    """Never seen.

    Args:
        width: channels of
            every layer.
        mode: Base's words.
    """


class Net(Base):
    """A network.

    It has more to say.

    Args:
        width: As in `Base`.
        mode, other: What it does; `x` or `y`.

    Raises:
        ValueError: never.
    """

    def __init__(self, width: Sequence[int], mode: Literal['x', 'y'] = 'x', other: float | None = None) -> None:
        pass


def test_the_file_is_up_to_date():
    assert option_reference.reference() == TEXT  # else: python scripts/option_reference.py


@pytest.mark.parametrize('registry', [ARCH_REGISTRY, LOSS_REGISTRY, METRIC_REGISTRY, DATASET_REGISTRY, MODEL_REGISTRY],
                         ids=lambda registry: registry._name)
def test_everything_that_we_register_has_one_section(registry):
    names = [thing.__name__ for thing in option_reference.ours(registry)]
    assert names
    assert all(TEXT.count(f'\n### `{name}`\n') == 1 for name in names)


def test_tables_are_tables():
    for table in TEXT.split('\n\n'):
        if table.startswith('|'):
            assert len({row.count('|') for row in table.splitlines()}) == 1


def test_a_class_is_described_by_signature_and_docstring():
    assert option_reference.describe(Net).splitlines() == [
        '### `Net`', '', 'A network.', '',
        '| option | kind | default | meaning |',
        '| --- | --- | --- | --- |',
        '| `width` | list of int | needed | Channels of every layer. |',
        '| `mode` | `x`, `y` | `x` | What it does; `x` or `y`. |',
        '| `other` | float | `~` | What it does; `x` or `y`. |']


@pytest.mark.parametrize(('value', 'text'), [((1, 2), '`[1, 2]`'), (True, '`true`'), (1.0, '`1.0`'), ('a', '`a`'),
                                             (None, '`~`')])
def test_defaults_are_those_of_an_option_file(value, text):
    def function(argument=value):
        """Take an option."""

    parameter, = option_reference.inspect.signature(function).parameters.values()
    assert option_reference.default(parameter) == text


def test_an_option_without_a_word_is_named(monkeypatch):
    def calculate_nothing(img, img2, depth: int, **kwargs):
        """Compute nothing."""

    with pytest.raises(LookupError, match=r'calculate_nothing: its docstring does not describe depth'):
        option_reference.describe(calculate_nothing)
    monkeypatch.setitem(DATASETS, 'ParsingMapDataset', DATASETS['ParsingMapDataset'].plus('new_key'))
    with pytest.raises(LookupError, match='ParsingMapDataset: its docstring does not describe new_key'):
        option_reference.describe_data_set(ParsingMapDataset)


def test_keys_of_the_base_are_not_repeated():
    known = {'DistillationModel': Keys(('a', 'b'), ('c',), ('d', 'e')), 'FaceSRModel': Keys(('a',), ('c', 'd'))}
    cls = MODEL_REGISTRY.get('DistillationModel')
    assert option_reference.beyond_base(known, cls) == Keys(('b',), (), ('e',))
    assert option_reference.beyond_base(known, cls.__base__) == known['FaceSRModel']
