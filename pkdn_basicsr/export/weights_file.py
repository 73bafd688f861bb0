"""Weights alone, as safetensors with metadata: what `load_trained` and other toolboxes read."""

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from pkdn_basicsr.infer.sizes import SizeRule
from pkdn_basicsr.weights.card import hash_of_weights
from pkdn_basicsr.weights.trained_network import load_trained


def stored_weights(net: nn.Module, half: bool) -> dict[str, Tensor]:
    """Return the weights as they are stored: in float16 with `half`, whole numbers as they are."""
    return {name: (value.half() if half and value.is_floating_point() else value).contiguous().clone()
            for name, value in net.state_dict().items()}


def write_weights(path: Path, net: nn.Module, metadata: Mapping[str, str], rule: SizeRule, half: bool) -> None:
    """Write a network's weights; the arguments are those of `write_onnx`, and sizes do not matter here."""
    path.write_bytes(save(stored_weights(net, half), metadata=dict(metadata)))  # its own writing makes files private


def open_weights(path: Path) -> Callable[[Tensor], Tensor]:
    """Return the network rebuilt from the file alone."""
    return load_trained(path)[0]


def hash_of_stored(net: nn.Module, half: bool) -> str:
    """Return the hash of the weights as they are stored; see `hash_of_weights`."""
    return hash_of_weights(stored_weights(net, half))
