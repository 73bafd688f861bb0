import errno
import logging
import os
from contextlib import suppress

import pytest

from pkdn_basicsr.host.failure.disk import _in_one_line


def failing(*error):
    def pipeline(root_path):
        raise OSError(*error)
    return _in_one_line(pipeline)


def test_a_place_that_is_known_is_named(usage_error):
    with usage_error('/data/models: Read-only file system'):
        failing(errno.EROFS, os.strerror(errno.EROFS), '/data/models')('/home')


def test_of_a_place_that_is_not_known_the_folder_of_the_run_is_named(usage_error):
    with usage_error('/home: No space left on device', 'stay as they were'):
        failing(errno.ENOSPC, os.strerror(errno.ENOSPC))('/home')


def test_what_is_no_fault_of_the_disk_passes():
    with pytest.raises(BrokenPipeError):
        failing(errno.EPIPE, os.strerror(errno.EPIPE))('/home')


@pytest.fixture
def log(tmp_path):
    """A logger with a file, whose disk is full from the second line on."""
    logger, handler = logging.Logger('full'), logging.FileHandler(tmp_path / 'run.log')
    logger.addHandler(handler)
    logger.warning('first')
    handler.close()
    with suppress(OSError), open('/dev/full', 'w') as full:  # what was not written cannot be when it is closed either
        handler.stream = full
        yield logger, tmp_path / 'run.log'
        handler.stream = None


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full here')
def test_a_log_on_a_full_disk_is_told_once_and_the_run_goes_on(log, capsys):
    logger, file = log
    for line in range(3):
        logger.warning('line %d', line)
    assert capsys.readouterr().err == (
        f'{file}: the log cannot be written (No space left on device); lines are missing there\n')
    assert file.read_text() == 'first\n'


def test_other_faults_of_a_log_are_python_s_to_tell(tmp_path, capsys):
    logger = logging.Logger('wrong')
    handler = logging.FileHandler(tmp_path / 'run.log')
    logger.addHandler(handler)
    logger.warning('%d', 'no number')
    handler.close()
    assert 'TypeError' in capsys.readouterr().err
