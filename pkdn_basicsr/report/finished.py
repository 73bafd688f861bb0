"""Values of methods that are done, kept so that an interrupted comparison need not compute them again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pkdn_basicsr.files import write_whole
from pkdn_basicsr.report.evaluate import Values
from pkdn_basicsr.report.provenance import FileRecord, Run


class FinishedMethods:
    """A folder of values, one file a method; a file's name is the hash of all that the values depend on.

    Args:
        folder: Where the files lie; made with the first one.
        common: What the values of every method depend on: faces, metrics, version.
    """

    def __init__(self, folder: Path, common: Mapping) -> None:
        self.folder = folder
        self.common = common

    def find(self, recipe: Mapping) -> tuple[Run, Values] | None:
        """Return what an earlier run computed by this recipe; None if nothing, or nothing that can be read."""
        try:
            entry = json.loads(self._path(recipe).read_text(encoding='utf-8'))
            run = Run(**{**entry['run'], 'option_file': FileRecord(**entry['run']['option_file'])})
            return run, {metric: np.array(values, dtype=np.float64) for metric, values in entry['values'].items()}
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def keep(self, name: str, recipe: Mapping, values: Values, run: Run) -> None:
        """Write the values of a method; `name` is for people who look into the file."""
        entry = {'method': name, 'recipe': recipe, **self.common, 'run': asdict(run),
                 'values': {metric: column.tolist() for metric, column in values.items()}}
        write_whole(self._path(recipe), json.dumps(entry))

    def _path(self, recipe: Mapping) -> Path:
        text = json.dumps([self.common, recipe], sort_keys=True)
        return self.folder / f'{hashlib.sha256(text.encode()).hexdigest()[:16]}.json'
