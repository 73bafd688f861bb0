"""A trained network into a file of another format, checked before it is there."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.export.check import largest_difference
from pkdn_basicsr.export.onnx_file import open_onnx, write_onnx
from pkdn_basicsr.export.program_file import open_program, write_program
from pkdn_basicsr.export.weights_file import hash_of_stored, open_weights, write_weights
from pkdn_basicsr.infer.sizes import find_size_rule
from pkdn_basicsr.weights.card import Card

FORMATS = {'onnx': (write_onnx, open_onnx), 'safetensors': (write_weights, open_weights),
           'pt2': (write_program, open_program)}
"""How each format is written and read again."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        size: Bytes of the file.
        difference: Largest difference to the network's results in [0, 1].
        sha256: Hash of the weights in it, as in its metadata.
    """

    size: int
    difference: float
    sha256: str


def export(net: nn.Module, card: Card, file_format: str, path: Path, half: bool = False) -> Exported:
    """Write a network, read it again, compare its results, and only then give the file its name.

    Args:
        net: The network, in eval mode and float32, on the CPU.
        card: What is known of it; goes into the file.
        file_format: One of `FORMATS`.
        path: File to write; an older one is replaced.
        half: Store weights of half precision, and compute in it where the format has a graph.

    Raises:
        UsageError: The network cannot be exported so, its file computes something else, or cannot be written.

    Example:
        >>> from pkdn_basicsr.weights.trained_network import load_trained
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export(*load_trained(), 'safetensors', Path(folder, 'student.safetensors')).difference < 1e-6
        True
    """
    write, read = FORMATS[file_format]
    rule = find_size_rule(net, card.scale)
    sha256 = hash_of_stored(net, half)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix='.export-') as folder:
            unfinished = Path(folder) / path.name
            write(unfinished, net, card.metadata(sha256), rule, half)
            difference = largest_difference(net, read(unfinished), rule, half)
            size = unfinished.stat().st_size
            unfinished.replace(path)
    except OSError as error:
        raise UsageError(f'-o: cannot write {path.absolute()}: {error.strerror or error}; name another file') from None
    return Exported(size, difference, sha256)
