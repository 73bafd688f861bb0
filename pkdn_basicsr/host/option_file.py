"""An option file with the lines of its keys, so that whatever is wrong in it can be pointed at."""

import os

import yaml
from yaml.nodes import MappingNode, Node

from pkdn_basicsr.errors import OptionFileError, UsageError
from pkdn_basicsr.host.forced_options import force
from pkdn_basicsr.host.safe_yaml import OptionLoader


class OptionFile:
    """What an option file says, and where it says so.

    Args:
        path: The file.

    Attributes:
        path: The file.
        opt: Its options, as BasicSR reads them.
        faults: What could not be read: line -> what is wrong there.

    Raises:
        UsageError: No such file, not YAML, or no keys and values at its top level.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.faults: dict[int, str] = {}
        self._forced: list[str] = []
        if not os.path.isfile(path):
            raise UsageError(f'no such option file: {os.path.abspath(path)}')
        with open(path, encoding='utf-8') as file:
            try:
                self._root, self.opt = self._load(file.read())
            except RecursionError:
                raise UsageError(f'{path}: expected options, found sections or lists too deep within each '
                                 'other') from None
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                mark = getattr(error, 'problem_mark', None)
                place = f'{path}:{mark.line + 1}' if mark else path
                reason = getattr(error, 'problem', None) or error
                raise UsageError(f'{place}: not valid YAML: {" ".join(str(reason).split())}') from None
        if not isinstance(self.opt, dict):
            raise UsageError(f'{path}: expected keys and values (name: ..., scale: ...), found '
                             f'{type(self.opt).__name__}')

    def _load(self, text: str) -> tuple[Node, object]:
        loader = OptionLoader(text)
        try:
            root = loader.get_single_node()
            opt = loader.construct_document(root) if root else None
        finally:
            loader.dispose()
        self.faults = loader.faults
        return root, opt

    def force(self, entries: list[str]) -> list[str]:
        """Set options as `--force_yml` says; see `forced_options.force`."""
        new = force(self.opt, entries)
        self._forced = ['.'.join(part.strip() for part in entry.partition('=')[0].split(':')) for entry in entries]
        return new

    def place(self, key: str) -> str:
        """Return where a key is set: `file:line`, `file` or `--force_yml`.

        Args:
            key: `section.key`; of one that is not there the nearest section around it counts.
        """
        if self.is_forced(key):
            return '--force_yml'
        line = self.line(key)
        return f'{self.path}:{line}' if line else self.path

    def is_forced(self, key: str) -> bool:
        """Whether the command line has set a key, or the section it is in."""
        return any(f'{key}.'.startswith(f'{forced}.') for forced in self._forced)

    def line(self, key: str) -> int:
        """Return the line of a key, from 1; 0 where neither it nor a section around it is in the file."""
        node, line = self._root, 0
        while key and isinstance(node, MappingNode):
            for key_node, value_node in reversed(node.value):  # what a merge (<<) brings stands first, and is weaker
                name = key_node.value
                if f'{key}.'.startswith(f'{name}.'):
                    node, line, key = value_node, key_node.start_mark.line + 1, key[len(name) + 1:]
                    break
            else:
                return line
        return line

    def refuse_faults(self) -> None:
        """Stop where something could not be read.

        Raises:
            OptionFileError: One line for each fault.
        """
        if self.faults:
            raise OptionFileError(*(f'{self.path}:{line}: {text}' for line, text in sorted(self.faults.items())))
