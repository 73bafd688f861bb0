"""Networks as their option files describe them, before they have weights."""

from collections.abc import Mapping

from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn

_FILES_OF_WEIGHTS = ('parsing_net',)  # FishFSRNet's


def build_untrained(network_opt: Mapping) -> nn.Module:
    """Build a network without the trained parts that its constructor would read from files.

    Training starts from those files; a checkpoint of the whole network has these weights too.

    Args:
        network_opt: `network_g` of an option file: `type` and arguments.
    """
    arguments = without_files(network_opt)
    return ARCH_REGISTRY.get(arguments.pop('type'))(**arguments)


def without_files(network_opt: Mapping) -> dict:
    """Return `network_g` without the arguments that name files of trained parts."""
    return {key: value for key, value in network_opt.items() if key not in _FILES_OF_WEIGHTS}
