"""Keeping a measurement: JSON with its origin, and a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch
from matplotlib.figure import Figure

from pkdn_basicsr.files import write_whole
from pkdn_basicsr.report.provenance import device_name, record_file, record_versions


def write_result(folder: Path, kind: str, command: Sequence[str], files: Sequence[str], device: torch.device,
                 results: object, figure: Figure) -> str:
    """Write `<kind>.json` and `<kind>.png`.

    Args:
        folder: Where; it is there.
        kind: What was measured.
        command: The command line.
        files: Option files, which are recorded with their hashes.
        device: Where it was measured.
        results: Dataclasses in lists and dictionaries.
        figure: The picture.

    Returns:
        A line that says what was written, and what was replaced.
    """
    record = {'kind': kind, 'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
              'command': ' '.join(command), 'option_files': [vars(record_file(file)) for file in files],
              'device': device_name(device), 'threads': torch.get_num_threads(), 'versions': record_versions(),
              'results': _plain(results)}
    file = folder / f'{kind}.json'
    replaced = '; the measurement that was there is replaced' if file.exists() else ''
    write_whole(file, json.dumps(record, indent=1) + '\n')
    figure.savefig(file.with_suffix('.png'), dpi=150)
    return f'Written to {folder.absolute()}: {file.name}, {file.stem}.png{replaced}'


def _plain(value: object) -> object:
    if is_dataclass(value):
        return asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
