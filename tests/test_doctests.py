"""The examples in docstrings."""

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'pkdn_basicsr'
MODULES = ['.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts) for path in sorted(PACKAGE.rglob('*.py'))
           if '    >>> ' in path.read_text(encoding='utf-8')]


@pytest.mark.parametrize('name', MODULES)
def test_examples_give_what_they_say(name):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted
    assert not failed  # the report is on the standard output
