"""What is wrong in an option file, collected, so that all of it is told at once."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pkdn_basicsr.errors import OptionFileError, UsageError

if TYPE_CHECKING:
    from pkdn_basicsr.host.option_file import OptionFile


_FIRST_WORDS = 5  # of a message; further on keys are mentioned, not meant


class Problems:
    """Errors, which stop a run, and warnings, which do not; of each key the first one counts.

    A key is `section.key`; its line is looked up in the file.

    Args:
        file: Where the options are from. Without it no lines are told.
    """

    def __init__(self, file: 'OptionFile | None' = None) -> None:
        self._file = file
        self._errors: dict[str, str] = {}
        self._warnings: dict[str, str] = {}

    def error(self, key: str, text: str) -> None:
        """Note what stops a run; it is passed over in a line that could not even be read."""
        if not (self._file and not self._file.is_forced(key) and self._file.line(key) in self._file.faults):
            self._errors.setdefault(key, text)

    def warn(self, key: str, text: str) -> None:
        """Note what the user may not want."""
        self._warnings.setdefault(key, text)

    @contextmanager
    def caught(self, where: str, opt: Mapping) -> Iterator[None]:
        """Note a UsageError that is raised within as an error.

        Args:
            where: The section that is looked at.
            opt: The options of the whole file, in which the message's own words are looked up.
        """
        try:
            yield
        except UsageError as error:
            self.error(*_own_key(str(error), where, opt))

    def has_errors(self, section: str = '') -> bool:
        """Whether there are errors at all, or in a section."""
        return any(not section or f'{key}.'.startswith(f'{section}.') for key in self._errors)

    def error_lines(self) -> list[str]:
        """Return the errors by line, each as `file:line: key: text`."""
        unread = self._file.faults if self._file else {}
        lines = [(line, f'{self._file.path}:{line}: {text}') for line, text in unread.items()]
        return [text for _, text in sorted([*lines, *self._placed(self._errors)], key=lambda entry: entry[0])]

    def warning_lines(self) -> list[str]:
        """Return the warnings in the same way."""
        return [text for _, text in sorted(self._placed(self._warnings), key=lambda entry: entry[0])]

    def refuse(self) -> None:
        """Stop where there are errors.

        Raises:
            OptionFileError: All errors.
        """
        lines = self.error_lines()
        if lines:
            raise OptionFileError(*lines)

    def _placed(self, texts: Mapping[str, str]) -> list[tuple[int, str]]:
        if self._file is None:
            return [(0, f'{key}: {text}') for key, text in texts.items()]
        return [(0 if self._file.is_forced(key) else self._file.line(key), f'{self._file.place(key)}: {key}: {text}')
                for key, text in texts.items()]


def section(opt: Mapping, *keys: str) -> Mapping:
    """Return the section of these keys, empty where there is none: another check tells so."""
    for key in keys:
        opt = opt.get(key)
        if not isinstance(opt, Mapping):
            return {}
    return opt


def suggest(name: object, known: Iterable[str]) -> str:
    """Return `did you mean ...?` where something is near, and all that is known."""
    known = sorted(map(str, known))
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ''
    return f'{hint}known: {", ".join(known) or "none"}'


def _own_key(message: str, where: str, opt: Mapping) -> tuple[str, str]:
    """Find the key that a message is about: it begins with it, or soon names a key of the section it was raised for."""
    message = message.removeprefix(f'{where}: ')
    first = re.match(r'[\w.]+', message).group() if message[:1].isalnum() else ''
    if first.split('.')[0] in opt:
        return first, message.removeprefix(first).lstrip(': ')
    known = section(opt, *where.split('.'))
    for word in re.findall(r'\w+', message)[:_FIRST_WORDS]:
        if word in known and word != 'type':
            return f'{where}.{word}', message.removeprefix(word).lstrip(': ')
    return where, message
