"""Option files as data: no code in them is run, and nothing in them is lost silently."""

from collections import OrderedDict

import yaml
from basicsr.utils import options as host_options
from yaml.nodes import MappingNode, Node, ScalarNode

from pkdn_basicsr.errors import UsageError

_MAPPING = yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG
_MERGE = 'tag:yaml.org,2002:merge'
_STANDARD = 'tag:yaml.org,2002:'


class OptionLoader(yaml.SafeLoader):
    """YAML's plain values in the file's order, with anchors and merges (`<<`).

    Raises, while it loads:
        UsageError: Anything but plain values, a value that is not what its tag says, or a key that stands twice; the
            message names file and line.
    """

    def compose_mapping_node(self, anchor: str | None) -> MappingNode:
        """Read a mapping, of whose equal keys YAML would keep the last without a word."""
        node = super().compose_mapping_node(anchor)
        lines = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise UsageError(f'{_place(key)}: expected a word as key, found a list or a mapping')
            word = (key.tag, key.value)
            if word in lines and key.tag != _MERGE:
                raise UsageError(f"{_place(key)}: the key '{key.value}' stands already in line {lines[word]}; delete "
                                 'one of the two')
            lines[word] = key.start_mark.line + 1
        return node

    def construct_object(self, node: Node, deep: bool = False) -> object:
        """Make a value of a node."""
        try:
            return super().construct_object(node, deep)
        except UsageError:
            raise
        except (AttributeError, LookupError, OverflowError, ValueError):  # PyYAML's for !!float x, !!bool x, 2024-13-01
            raise UsageError(f"{_place(node)}: '{node.value}' is not {_shown(node.tag)}") from None


def use_safe_yaml() -> None:
    """Let BasicSR read option files by `OptionLoader`.

    BasicSR 1.4.2 (`utils/options.py:12-36`) reads them by PyYAML's full loader: an option file with a tag such as
    `!!python/object/apply:os.system` runs code, a merge (`<<`) fails, and of a key that stands twice the first is
    lost; no issue known.
    """
    make = host_options.ordered_yaml

    def ordered_yaml() -> tuple[type, type]:
        return OptionLoader, make()[1]

    host_options.ordered_yaml = ordered_yaml


def _ordered_mapping(loader: OptionLoader, node: Node) -> OrderedDict:
    if not isinstance(node, MappingNode):
        raise UsageError(f'{_place(node)}: expected keys and values, found {node.value!r}')
    loader.flatten_mapping(node)
    return OrderedDict(loader.construct_pairs(node))


def _refuse_tag(loader: OptionLoader, node: Node) -> None:
    raise UsageError(f'{_place(node)}: expected plain values (words, numbers, lists, keys and values), found the tag '
                     f'{_shown(node.tag)}; option files cannot hold objects or run code')


def _place(node: Node) -> str:
    return f'{node.start_mark.name}, line {node.start_mark.line + 1}'


def _shown(tag: str) -> str:
    return tag.replace(_STANDARD, '!!', 1)


OptionLoader.add_constructor(_MAPPING, _ordered_mapping)
OptionLoader.add_constructor(None, _refuse_tag)  # every tag that is not YAML's own
