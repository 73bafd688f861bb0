"""What a full, read-only or vanished disk does to a run: one line that names the place."""

import errno
import functools
import logging
import os
import sys
from collections.abc import Callable

import basicsr.test
import basicsr.train

from pkdn_basicsr.errors import UsageError

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}


def name_places_that_cannot_be_used() -> None:
    """Wrap the pipelines and `logging.FileHandler.handleError`.

    BasicSR 1.4.2 makes folders (`utils/misc.py:24-49`), copies the option file and writes logs without asking whether
    it can: a full or read-only disk ends in a traceback, or prints one for every line of the log; no issue known.
    """
    basicsr.train.train_pipeline = _in_one_line(basicsr.train.train_pipeline)
    basicsr.test.test_pipeline = _in_one_line(basicsr.test.test_pipeline)
    logging.FileHandler.handleError = _say_once


def _in_one_line(pipeline: Callable[[str], None]) -> Callable[[str], None]:
    @functools.wraps(pipeline)
    def run_pipeline(root_path: str) -> None:
        try:
            pipeline(root_path)
        except OSError as error:
            if error.filename is None and error.errno not in _DISK:
                raise
            # a write that fails does not say to which file
            place = os.path.abspath(error.filename or root_path)
            raise UsageError(f'{place}: {error.strerror}; the run stops here, checkpoints that are complete stay as '
                             'they were') from error

    return run_pipeline


def _say_once(handler: logging.FileHandler, record: logging.LogRecord) -> None:
    """Go on without a log: where the disk stays full, the next checkpoint ends the run."""
    error = sys.exc_info()[1]
    if not isinstance(error, OSError):
        logging.Handler.handleError(handler, record)
    elif not getattr(handler, 'said', False):
        handler.said = True
        print(f'{handler.baseFilename}: the log cannot be written ({error.strerror}); lines are missing there',
              file=sys.stderr)
