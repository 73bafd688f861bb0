"""A data set whose bad files stop the run by their name, or are skipped."""

import os
from collections.abc import Iterator
from typing import Any

from torch.utils.data import Dataset

from pkdn_basicsr.data.picture import read_8_bit
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.failure.bad_file_list import BadFileList
from pkdn_basicsr.host.sampler import SampleIndex


class CheckedDataset(Dataset):
    """A data set whose errors name the bad file, or which gives the next readable face in its stead.

    Which face that is depends on the files alone, so that workers, processes and resumed runs agree on it; it is varied
    as the bad one would have been. Everything else that is asked of it is answered by the data set inside.

    Args:
        dataset: A data set of any class; its `opt` has the options.
        bad_files: Where to list what is skipped; None = stop.
    """

    def __init__(self, dataset: Dataset, bad_files: BadFileList | None = None) -> None:
        self.dataset = dataset
        self.bad_files = bad_files

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset' or name.startswith('__'):  # the first while unpickling; __getitems__ would lead around us
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, index: int) -> Any:
        """Return a sample.

        Raises:
            UsageError: Its file is bad; where bad files are skipped, all of them are.
        """
        if index >= len(self):  # what ends a loop over the data set
            raise IndexError(index)
        for candidate in _from(index, len(self)):
            try:
                sample = self.dataset[candidate]
            except Exception as error:  # the host's data sets fail wherever they use what could not be read
                problem = describe(self.dataset, candidate, error)
                if self.bad_files is None:
                    raise UsageError(problem + self._way_out()) from error
                self.bad_files.add(problem)
            else:
                if self.opt['phase'] != 'train':  # a training set is read ahead of its batches
                    run.current.files = run.files_of(sample)
                return sample
        raise UsageError(f'dataset {self.opt["name"]}: none of its {len(self)} samples can be read, as: {problem}')

    def _way_out(self) -> str:
        return '; or train without such files by on_bad_file: skip' if self.opt['phase'] == 'train' else ''


def describe(dataset: Dataset, index: int, error: Exception) -> str:
    """Return one line that begins with the file which a data set could not read, as far as it can be known.

    Args:
        dataset: The data set.
        index: What it was asked for.
        error: What it raised.
    """
    if isinstance(error, UsageError):  # ours begin so
        return str(error)
    files = _files(dataset, index)
    for file in files:
        if os.path.isfile(file) or isinstance(error, FileNotFoundError):
            try:
                read_8_bit(file)
            except UsageError as reason:
                return str(reason)
    words = ' '.join(str(error).split())
    return f'{", ".join(files) or f"sample {index}"}: cannot be read ({type(error).__name__}: {words})'


def _files(dataset: Dataset, index: int) -> list[str]:
    """Return the files of a sample where a data set lists them as those of BasicSR do."""
    for name in ('paths', 'keys'):
        entries = getattr(dataset, name, None)
        if isinstance(entries, list):
            entry = entries[index]
            return [str(value) for value in (entry.values() if isinstance(entry, dict) else [entry])]
    return []


def _from(index: int, count: int) -> Iterator[int]:
    """Yield an index and those after it, around the end, as the same draw of the same epoch."""
    for shift in range(count):
        value = (index + shift) % count
        yield SampleIndex(value, index.epoch, index.draw) if isinstance(index, SampleIndex) else value
