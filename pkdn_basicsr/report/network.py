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
    arguments = {key: value for key, value in network_opt.items() if key not in ('type', *_FILES_OF_WEIGHTS)}
    return ARCH_REGISTRY.get(network_opt['type'])(**arguments)
