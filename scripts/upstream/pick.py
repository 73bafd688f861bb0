"""Picks what a set of modules needs out of this package and writes it as modules of BasicSR.

Definitions that nothing registered needs are left behind, so that a helper brings along no more than is used.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

OURS = 'pkdn_basicsr'


class PickError(Exception):
    """The sources have changed so that a rule of the table no longer fits; one line."""


class Name(NamedTuple):
    """A definition: where, and what it is called there."""

    module: str
    name: str


@dataclass
class Statement:
    """A top-level statement with the comments before it and the docstring of an attribute after it."""

    defines: set[str]
    uses: set[str]
    text: str
    is_registered: bool


@dataclass
class Module:
    """A source file, its edits done."""

    docstring: str
    imports: dict[str, ast.Import | ast.ImportFrom] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)

    def statement(self, name: str) -> Statement | None:
        """Return the statement that defines a name."""
        return next((statement for statement in self.statements if name in statement.defines), None)


def read_module(text: str) -> Module:
    """Take a source file apart."""
    tree, lines = ast.parse(text), text.splitlines(keepends=True)
    module, end = Module(ast.get_docstring(tree, clean=False) or ''), 0
    for index, node in enumerate(tree.body):
        start, end = end, node.end_lineno
        own_text = ''.join(lines[start:end])
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                module.imports[alias.asname or alias.name.split('.')[0]] = _single(node, alias)
        elif isinstance(node, ast.Expr):  # a docstring: the module's or that of the attribute before it
            if index:
                module.statements[-1].text += own_text
        else:
            module.statements.append(Statement(set(_defined(node)), _used(node), own_text, _is_registered(node)))
    return module


def without(text: str, dropped: str) -> str:
    """Return a source file without the method `Class.method`.

    Raises:
        PickError: There is none.
    """
    class_name, method = dropped.split('.')
    for node in ast.parse(text).body:
        for part in node.body if isinstance(node, ast.ClassDef) and node.name == class_name else ():
            if isinstance(part, ast.FunctionDef) and part.name == method:
                start = min([part.lineno, *(decorator.lineno for decorator in part.decorator_list)])
                lines = text.splitlines(keepends=True)
                return ''.join(lines[:start - 1]) + ''.join(lines[part.end_lineno:]).lstrip('\n')
    raise PickError(f'there is no {dropped} to leave out')


class Picker:
    """Where every module goes, and what of it is needed.

    Args:
        modules: Our modules by their full names.
        destinations: Full name of a module -> path in BasicSR's tree; several may share one.
        package: Folder of our package, to follow what its packages re-export.
    """

    def __init__(self, modules: Mapping[str, Module], destinations: Mapping[str, str], package: Path) -> None:
        self.modules, self.destinations, self.package = modules, destinations, package
        self.needed: set[Name] = set()
        for module, content in modules.items():
            for statement in content.statements:
                if statement.is_registered:
                    self._need(module, statement)

    def write(self, path: str, docstring: str | None = None) -> str:
        """Return the text of one destination; `docstring` is its own where it has several sources.

        Raises:
            PickError: Two sources of it define one name.
        """
        sources = [module for module, destination in self.destinations.items() if destination == path]
        imports, statements, defined = set(), [], {}
        for source in sources:
            for statement in self.modules[source].statements:
                if not any((source, name) in self.needed for name in statement.defines):
                    continue
                for name in statement.defines:
                    if defined.setdefault(name, source) != source:
                        raise PickError(f'{path}: both {defined[name]} and {source} define {name}')
                statements.append(statement.text.strip('\n'))
                imports.update(self._imports_of(source, statement, path))
        head = docstring or self.modules[sources[0]].docstring
        quote = 'r"""' if '\\' in head else '"""'
        return '\n'.join([f'{quote}{head}"""', *sorted(imports), '\n', *(f'{text}\n\n' for text in statements)])

    def _need(self, module: str, statement: Statement) -> None:
        names = {Name(module, name) for name in statement.defines}
        if names <= self.needed:
            return
        self.needed |= names
        for name in statement.uses:
            found = self._resolve(module, name)
            if found:
                self._need(found.module, self.modules[found.module].statement(found.name))

    def _resolve(self, module: str, name: str) -> Name | None:
        """Return where a name that a module uses is defined; None if it is no business of ours."""
        if self.modules[module].statement(name):
            return Name(module, name)
        node = self.modules[module].imports.get(name)
        if not isinstance(node, ast.ImportFrom) or node.module.split('.')[0] != OURS:
            return None
        origin = self._follow(node.module, node.names[0].name)
        if origin not in self.modules or not self.modules[origin].statement(node.names[0].name):
            raise PickError(f'{module} needs {node.names[0].name} of {origin}, which has no place in the table')
        return Name(origin, node.names[0].name)

    def _follow(self, module: str, name: str) -> str:
        init = self.package.parent.joinpath(*module.split('.'), '__init__.py')
        if not init.is_file():
            return module
        imported = read_module(init.read_text(encoding='utf-8')).imports.get(name)
        return imported.module if imported else module

    def _imports_of(self, module: str, statement: Statement, path: str) -> Iterator[str]:
        for name in statement.uses & self.modules[module].imports.keys():
            found = self._resolve(module, name)
            if found is None:
                yield ast.unparse(self.modules[module].imports[name])
            elif self.destinations[found.module] != path:
                yield f'from {_dotted(self.destinations[found.module])} import {found.name}'


def apply_edits(text: str, edits: Sequence[tuple[str, str]], name: str) -> str:
    """Replace patterns, each of which must be found.

    Raises:
        PickError: One is not.
    """
    for pattern, replacement in edits:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if not count:
            raise PickError(f'{name} has nothing like {pattern!r} any more: adapt the rule')
    return text


def _single(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.Import | ast.ImportFrom:
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    else:
        yield from (part.id for part in ast.walk(node)
                    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))


def _used(node: ast.stmt) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def _is_registered(node: ast.stmt) -> bool:
    return any('_REGISTRY.register' in ast.unparse(decorator) for decorator in getattr(node, 'decorator_list', ()))


def _dotted(path: str) -> str:
    return path.removesuffix('.py').replace('/', '.')
