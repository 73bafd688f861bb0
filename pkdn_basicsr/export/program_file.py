"""`torch.export` files (.pt2): they run wherever torch is, without this package."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from pkdn_basicsr.export.graph import trace
from pkdn_basicsr.infer.sizes import SizeRule

METADATA = 'metadata.json'
"""Name of the metadata among the file's `extra_files`."""


def write_program(path: Path, net: nn.Module, metadata: Mapping[str, str], rule: SizeRule, half: bool) -> None:
    """Write a network that takes `lq`, float32 with free batch and size; see `write_onnx` for the arguments."""
    torch.export.save(trace(net, half, rule), path, extra_files={METADATA: json.dumps(dict(metadata))})


def open_program(path: Path) -> Callable[[Tensor], Tensor]:
    """Return the network of a `torch.export` file."""
    return torch.export.load(path).module()
