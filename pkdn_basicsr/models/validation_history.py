"""The validation results of a training run, kept as a table beside its checkpoints."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import csv_text, write_whole


class Validation(NamedTuple):
    """The mean of one metric over one data set at one iteration."""

    iter: int
    dataset: str
    metric: str
    mean: float


def read_history(path: Path) -> list[Validation]:
    """Read the table of earlier validations; a file that does not exist has none.

    Raises:
        UsageError: The file is no such table.
    """
    if not path.is_file():
        return []
    try:
        rows = csv.DictReader(path.read_text(encoding='utf-8').splitlines())
        return [Validation(int(row['iter']), row['dataset'], row['metric'], float(row['mean'])) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f'{path.absolute()} is not the table of earlier validations ({error!r}); move it away, and '
                         'the best results are counted anew') from None


def add_to_history(path: Path, current_iter: int, dataset: str, means: Mapping[str, float]) -> None:
    """Write down the means of one validation, with all their digits; those of the same iteration are replaced."""
    kept = [entry for entry in read_history(path) if (entry.iter, entry.dataset) != (current_iter, dataset)]
    entries = kept + [Validation(current_iter, dataset, metric, mean) for metric, mean in means.items()]
    write_whole(path, csv_text(Validation._fields, ([*entry[:3], repr(entry.mean)] for entry in entries)))
