"""The one exception that means "the input is wrong", as opposed to a bug."""


class UsageError(ValueError):
    """Wrong input: an option, a file or a key that the user can mend.

    The message is one line that names the thing, what was expected, what was found and what to do; the command line
    prints it without a traceback.
    """


class MissingError(UsageError):
    """A file or a package that one may do without is not there; `on_missing: skip` goes on without it."""


class OptionFileError(UsageError):
    """All that is wrong in an option file.

    Args:
        *lines: One problem each: `file:line: key: what was expected, what was found, what would be right`.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines

    def __str__(self) -> str:
        return '\n'.join(self.lines)
