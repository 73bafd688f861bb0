"""`--force_yml key:key=value`: options of one run that the command line sets."""

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from basicsr.utils import options as host_options
from yaml.nodes import ScalarNode

from pkdn_basicsr.errors import UsageError

_WRITTEN_OUT = ('[', '{', '"', "'", '!')  # YAML's own notation; everything else is one word


class _ValueLoader(yaml.SafeLoader):
    """YAML 1.2's plain values, in which 1e-4 is a number, `010` is ten and `on` or `2024-01-01` are words."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's way: not those of YAML 1.1)


for _type, _pattern, _first in (
        ('null', '~|null|none|', [*'~nN', '']),
        ('bool', 'true|false', 'tTfF'),
        ('int', r'[-+]?\d+', '-+0123456789'),
        ('float', r'[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?|[-+]?\.inf|\.nan', '-+.0123456789')):
    _ValueLoader.add_implicit_resolver(f'tag:yaml.org,2002:{_type}', re.compile(f'(?:{_pattern})$', re.I | re.A),
                                       list(_first))
_ValueLoader.add_constructor('tag:yaml.org,2002:int', lambda loader, node: int(loader.construct_scalar(node)))


def force(opt: dict, entries: list[str]) -> list[str]:
    """Set options as `--force_yml` says.

    Args:
        opt: The options; changed in place.
        entries: `key:key=value` each. The sections must exist, the last key may be new. Values are numbers (also 1e-4),
            true, false, ~ (or none), `[lists]` and words; a word in quotes stays one.

    Returns:
        What was new, as `key:key`.

    Raises:
        UsageError: An entry that cannot be carried out.
    """
    new = []
    for entry in entries:
        path, _, text = entry.partition('=')
        *sections, last = [key.strip() for key in path.split(':')]
        if entry.count('=') != 1 or not all([*sections, last]):
            raise UsageError(f"--force_yml: expected key:key=value with one '=', found '{entry}'")
        section = _find(opt, sections, entry)
        value = _read(text.strip(), entry)
        if isinstance(section.get(last), dict) and not (value is None or isinstance(value, dict)):
            raise UsageError(f"--force_yml: '{entry}' would replace the section {last}; set a key in it: "
                             f'{path.strip()}:{next(iter(section[last]), "key")}=...')
        if last not in section:
            new.append(path.strip())
        section[last] = value
    return new


@contextmanager
def forcing_without_the_host() -> Iterator[list[str]]:
    """Keep `--force_yml` from BasicSR's `parse_options`, and hand it an option file that has these values.

    BasicSR 1.4.2 (`utils/options.py:47-73, 117-128`) runs the keys as Python by `exec` and lists by `eval`, leaves 1e-4
    and -1 words, and comes too late for `manual_seed`; no issue known.

    Yields:
        The entries.
    """
    entries, others = take_out(sys.argv[1:])
    saved = sys.argv, host_options.ordered_yaml
    loader, dumper = host_options.ordered_yaml()

    class ForcingLoader(loader):
        def get_single_data(self) -> dict:
            opt = super().get_single_data()
            force(opt, entries)
            return opt

    if entries:
        sys.argv = [sys.argv[0], *others]
        host_options.ordered_yaml = lambda: (ForcingLoader, dumper)
    try:
        yield entries
    finally:
        sys.argv, host_options.ordered_yaml = saved


def take_out(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what is forced on a command line, and its other arguments."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--force_yml', nargs='*', default=[])
    args, others = parser.parse_known_args(arguments)
    return args.force_yml, others


def _find(opt: dict, sections: list[str], entry: str) -> dict:
    for key in sections:
        found = opt.get(key)
        if not isinstance(found, dict):
            nearest = difflib.get_close_matches(key, [name for name in opt if isinstance(opt[name], dict)], n=1)
            raise UsageError(f"--force_yml: '{entry}' needs the section {key}, which the option file lacks"
                             f'{f"; did you mean {nearest[0]!r}?" if nearest else ""}')
        opt = found
    return opt


def _read(text: str, entry: str) -> object:
    text = re.sub(r'^!!float(?=\S)', '!!float ', text)  # as the host writes it
    try:
        if text.startswith(_WRITTEN_OUT):
            return yaml.load(text, Loader=_ValueLoader)
        loader = _ValueLoader('')
        node = ScalarNode(loader.resolve(ScalarNode, text, (True, False)), text)
        return loader.construct_object(node)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = ' '.join(str(getattr(error, 'problem', None) or error).split())
        raise UsageError(f"--force_yml: '{entry}': expected a number, true, false, ~, a [list] or a word, found "
                         f'{text}: {reason}') from None
