"""The list of an experiment's bad files, which loader workers and processes write to and the log is told from."""

from pathlib import Path

from pkdn_basicsr.errors import UsageError


class BadFileList:
    """A text of one line a file. Whoever meets a bad file appends its line, also a worker, which has no log.

    Args:
        path: The text; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, None] = {}
        self._read_to = 0
        self._told = len(self.read())

    def add(self, line: str) -> None:
        """Append a line if it is not there; at worst, of two that do so in one moment, it is there twice.

        Raises:
            UsageError: It cannot be written.
        """
        line = line.encode(errors='backslashreplace').decode()  # a file's name may be no text
        if line in self.read():
            return
        try:
            with self.path.open('ab', buffering=0) as file:  # one write, so that lines do not get mixed
                file.write(f'{line}\n'.encode())
        except OSError as error:
            raise UsageError(f'{self.path}: cannot be written ({error.strerror}); it is to list the bad file '
                             f'{line}') from None

    def read(self) -> list[str]:
        """Return the lines, each once."""
        if self.path.exists() and self.path.stat().st_size > self._read_to:
            with self.path.open('rb') as file:
                file.seek(self._read_to)
                content = file.read()
            self._read_to += len(content)
            self._lines.update(dict.fromkeys(content.decode(errors='replace').splitlines()))
        return list(self._lines)

    def news(self) -> list[str]:
        """Return the lines that have come since the list was opened or this was last asked."""
        lines = self.read()
        news, self._told = lines[self._told:], len(lines)
        return news
