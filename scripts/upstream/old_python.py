"""Rewrites a module for Python 3.8, on which BasicSR checks its style and which it must not stop to import on."""

import ast
from collections.abc import Iterator

Replacement = tuple[int, int, str]  # first and last byte, and what comes in their place


def for_old_python(text: str) -> str:
    """Return the module without unions in `isinstance`, `zip(strict=)` and subscripted built-in types at run time.

    Annotations stay as they are and are never evaluated: `from __future__ import annotations`.
    """
    tree = ast.parse(text)
    source = text.encode()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    for start, end, new in sorted(_replacements(tree, span), reverse=True):
        source = source[:start] + new.encode() + source[end:]
    _, docstring_end = span(tree.body[0])
    head = '\n\nfrom __future__ import annotations' + ('\nfrom typing import Tuple' if b'Tuple[' in source else '')
    text = (source[:docstring_end] + head.encode() + source[docstring_end:]).decode()
    return text.replace('from collections.abc import', 'from typing import')


def _replacements(tree: ast.Module, span) -> Iterator[Replacement]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id='isinstance'), args=[_, ast.BinOp() as union]):
                yield *span(union), f'({", ".join(map(ast.unparse, _members(union)))})'
            case ast.Call(func=ast.Name(id='zip'), keywords=[ast.keyword(arg='strict') as strict]):
                yield span(node.args[-1])[1], span(strict)[1], ''
    for node in tree.body:
        match node:
            case ast.Assign(value=ast.Subscript(value=ast.Name(id='tuple') as name)):
                yield *span(name), 'Tuple'


def _members(union: ast.expr) -> Iterator[ast.expr]:
    if isinstance(union, ast.BinOp):
        yield from _members(union.left)
        yield from _members(union.right)
    else:
        yield union
