"""Where a number comes from: files by hash, versions, machine."""

import os
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import torch

from pkdn_basicsr.files import sha256_of_file

_PACKAGES = ('pkdn_basicsr', 'basicsr', 'torch', 'torchvision', 'numpy', 'pillow', 'opencv-python', 'scikit-image',
             'mmengine', 'lpips', 'onnx', 'onnxscript', 'onnxruntime', 'pyrtools', 'pyiqa')


@dataclass(frozen=True)
class FileRecord:
    """A file as it was when it was used.

    Attributes:
        path: As it was given.
        sha256: Hash of its content, in hexadecimal digits.
    """

    path: str
    sha256: str


def record_file(path: str | Path) -> FileRecord:
    """Hash a file."""
    return FileRecord(str(path), sha256_of_file(path))


def record_files_in(options: dict) -> dict:
    """Return options in which every value that names a file is its path and hash."""
    return {key: vars(record_file(os.path.expanduser(value)))
            if isinstance(value, str) and os.path.isfile(os.path.expanduser(value)) else value
            for key, value in options.items()}


@dataclass(frozen=True)
class Run:
    """When, where and by what something was computed.

    Attributes:
        date: UTC, ISO 8601.
        option_file: The comparison's option file.
        device: Name of the GPU or processor.
        threads: Threads of torch on the processor.
        versions: Installed packages.
    """

    date: str
    option_file: FileRecord
    device: str
    threads: int
    versions: dict[str, str]


def record_run(option_file: str | Path) -> Run:
    """Describe the present run."""
    return Run(datetime.now(timezone.utc).isoformat(timespec='seconds'), record_file(option_file), device_name(),
               torch.get_num_threads(), record_versions())


def record_versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that numbers depend on."""
    versions = {'python': platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed
    return versions | {'torch': torch.__version__}  # which also says for what GPU it was built


def device_name(device: torch.device | None = None) -> str:
    """Return the name of a device; by default of the GPU that networks run on, or else of the processor."""
    if torch.cuda.is_available() and (device is None or device.type == 'cuda'):
        return torch.cuda.get_device_name(device)
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text(encoding='utf-8').splitlines() if cpuinfo.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return next(iter(names), platform.processor() or platform.machine())
