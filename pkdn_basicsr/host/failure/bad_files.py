"""The option `on_bad_file` of every data set, and what the log is told about bad files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import basicsr.test
import basicsr.train
from basicsr.models.base_model import BaseModel
from basicsr.utils import get_root_logger

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.failure.bad_file_list import BadFileList
from pkdn_basicsr.host.failure.checked_dataset import CheckedDataset

_SHOWN = 20  # at the end, in the log; the list has all of them


def stop_at_bad_files_or_skip_them() -> None:
    """Wrap every data set that the pipelines build, and tell the log about files that are skipped.

    BasicSR 1.4.2 (`utils/img_util.py:118-139`) does not look at what OpenCV returns for a damaged picture: a run ends
    with "'NoneType' object has no attribute 'astype'" and no name (https://github.com/XPixelGroup/BasicSR/issues/254).
    """
    build, update = basicsr.train.build_dataset, BaseModel.update_learning_rate

    def build_to_test(dataset_opt: dict) -> CheckedDataset:  # also a training set: its numbers are of all faces
        check_on_bad_file(dataset_opt)
        return CheckedDataset(build(dataset_opt))

    def build_to_train(dataset_opt: dict) -> CheckedDataset:
        check_on_bad_file(dataset_opt)
        bad_files = None
        if dataset_opt.get('on_bad_file') == 'skip':
            bad_files = BadFileList(Path(run.current.opt['path']['experiments_root'], 'bad_files.txt'))
            run.current.bad_files = bad_files
        return CheckedDataset(build(dataset_opt), bad_files)

    def update_learning_rate(self: BaseModel, *args, **kwargs) -> None:
        _tell_news()
        update(self, *args, **kwargs)

    basicsr.train.build_dataset, basicsr.test.build_dataset = build_to_train, build_to_test
    BaseModel.update_learning_rate = update_learning_rate


def check_on_bad_file(dataset_opt: dict) -> None:
    """Check the option of a data set of any type.

    Raises:
        UsageError: It is neither `stop` nor `skip`, or `skip` in a set for validation or testing.
    """
    wished, where = dataset_opt.get('on_bad_file') or 'stop', f"dataset {dataset_opt['name']}: on_bad_file"
    if wished not in ('stop', 'skip'):
        raise UsageError(f'{where}: expected stop or skip, found {wished!r}')
    if wished == 'skip' and dataset_opt['phase'] != 'train':
        raise UsageError(f'{where}: skip is for training only, since numbers of fewer faces cannot be compared; leave '
                         'it out, and mend bad files or take them out of the set')


@contextmanager
def list_bad_files() -> Iterator[None]:
    """When a training ends, however it does, say which files have been skipped since the experiment began."""
    run.current.bad_files = None
    try:
        yield
    finally:
        _tell_news()
        if _is_told() and (lines := run.current.bad_files.read()):
            shown = [*lines[:_SHOWN], *(['...'] if len(lines) > _SHOWN else [])]
            get_root_logger().warning('\n\t'.join([
                f'Bad files that were skipped, and others took their places: {len(lines)}. All are listed in '
                f'{run.current.bad_files.path}.', *shown]))


def _tell_news() -> None:
    if _is_told():
        for line in run.current.bad_files.news():
            get_root_logger().warning(f'Skipped: {line}')


def _is_told() -> bool:
    return run.current.bad_files is not None and run.current.opt['rank'] == 0
