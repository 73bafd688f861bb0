"""Trading time for memory: blocks compute their insides once more in the backward pass instead of keeping them."""

from functools import partial

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from pkdn_basicsr.errors import UsageError


def recompute_blocks(net: nn.Module) -> None:
    """Let the blocks of a network keep their inputs alone (Chen et al., arXiv 1604.06174); results stay the same.

    A block is what stands in a list or sequence of modules and is made of modules itself; of blocks within blocks, the
    outer one. That fits our networks and the host's: levels of PKDN, residual groups of RCAN, stages of SwinIR.

    Raises:
        UsageError: The network has BatchNorm, which would count each batch twice, or no such block.
    """
    if any(isinstance(module, _BatchNorm) for module in net.modules()):
        raise UsageError(f'train.activation_checkpointing: {type(net).__name__} has BatchNorm, whose statistics would '
                         'count every batch twice; leave the option out')
    blocks = _outer_blocks(net)
    if not blocks:
        raise UsageError(f'train.activation_checkpointing: {type(net).__name__} has no blocks (nn.Sequential or '
                         'nn.ModuleList of modules); leave the option out')
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def _outer_blocks(module: nn.Module) -> list[nn.Module]:
    blocks = []
    for child in module.children():
        if isinstance(module, nn.Sequential | nn.ModuleList) and next(child.children(), None) is not None:
            blocks.append(child)
        else:
            blocks += _outer_blocks(child)
    return blocks
