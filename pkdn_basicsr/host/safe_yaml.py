"""Option files as data: no code in them is run, and nothing in them is lost silently."""

import re
from collections import OrderedDict

import yaml
from basicsr.utils import options as host_options
from yaml.nodes import MappingNode, Node, ScalarNode

from pkdn_basicsr.errors import OptionFileError

_MAPPING = yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG
_MERGE = 'tag:yaml.org,2002:merge'
_STANDARD = 'tag:yaml.org,2002:'


class OptionLoader(yaml.SafeLoader):
    """YAML's plain values in the file's order, with anchors and merges (`<<`).

    `1e-4` is a number, as `1.0e-4` is; YAML 1.1, and with it BasicSR, takes it for a word.

    Attributes:
        faults: Line -> what is wrong there: anything but plain values, a value that is not what its tag says, a key
            that stands twice. Such a value is read as None.
    """

    def __init__(self, stream: object) -> None:
        super().__init__(stream)
        self.faults: dict[int, str] = {}

    def get_single_data(self) -> object:
        """Read the whole file.

        Raises:
            OptionFileError: It has faults.
        """
        data = super().get_single_data()
        if self.faults:
            raise OptionFileError(*(f'{self.name}:{line}: {text}' for line, text in sorted(self.faults.items())))
        return data

    def compose_mapping_node(self, anchor: str | None) -> MappingNode:
        """Read a mapping, of whose equal keys YAML would keep the last without a word."""
        node = super().compose_mapping_node(anchor)
        lines = {}
        for key, _ in node.value:
            word = (key.tag, key.value if isinstance(key, ScalarNode) else id(key))
            if not isinstance(key, ScalarNode):
                self._refuse(key, 'expected a word as key, found a list or a mapping')
            elif word in lines and key.tag != _MERGE:
                self._refuse(key, f"the key '{key.value}' stands already in line {lines[word]}; delete one of the two")
            lines[word] = _line(key)
        node.value = [(key, value) for key, value in node.value if isinstance(key, ScalarNode)]
        return node

    def construct_object(self, node: Node, deep: bool = False) -> object:
        """Make a value of a node."""
        try:
            return super().construct_object(node, deep)
        except (AttributeError, LookupError, OverflowError, ValueError):  # PyYAML's for !!float x, !!bool x, 2024-13-01
            return self._refuse(node, f"'{node.value}' is not {_shown(node.tag)}")

    def construct_option_mapping(self, node: Node) -> OrderedDict | None:
        """Make a section of a node."""
        if not isinstance(node, MappingNode):
            return self._refuse(node, f'expected keys and values, found {node.value!r}')
        self.flatten_mapping(node)
        return OrderedDict(self.construct_pairs(node))

    def refuse_tag(self, node: Node) -> None:
        """Make nothing of a node that would become an object."""
        self._refuse(node, 'expected plain values (words, numbers, lists, keys and values), found the tag '
                           f'{_shown(node.tag)}; option files cannot hold objects or run code')

    def _refuse(self, node: Node, text: str) -> None:
        self.faults.setdefault(_line(node), text)


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


def _line(node: Node) -> int:
    return node.start_mark.line + 1


def _shown(tag: str) -> str:
    return tag.replace(_STANDARD, '!!', 1)


OptionLoader.add_constructor(_MAPPING, OptionLoader.construct_option_mapping)
OptionLoader.add_constructor(None, OptionLoader.refuse_tag)  # every tag that is not YAML's own
OptionLoader.add_implicit_resolver('tag:yaml.org,2002:float', re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$'),
                                   list('-+.0123456789'))
