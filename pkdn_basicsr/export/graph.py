"""A network as one graph with free batch, height and width, as ONNX and `torch.export` files hold it."""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from pkdn_basicsr.archs.layers import BicubicUpsample
from pkdn_basicsr.archs.pkdn_arch import PKDNStudent
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.sizes import SizeRule


class _InFloat32(nn.Module):
    """Bicubic enlargement of float16, which torch has not on every device."""

    def __init__(self, upsample: BicubicUpsample) -> None:
        super().__init__()
        self.upsample = upsample

    def forward(self, x: Tensor) -> Tensor:
        return self.upsample(x.float()).half()


class Graph(nn.Module):
    """What is exported: float32 in and out, whatever the network computes in.

    Args:
        net: (B, 3, h, w) -> (B, 3, s h, s w).
        half: Compute in float16, with weights of half the size.
    """

    def __init__(self, net: nn.Module, half: bool) -> None:
        super().__init__()
        self.net = _halved(net) if half else net
        self.half_precision = half

    def forward(self, lq: Tensor) -> Tensor:
        """Super-resolve `lq`, as the network does."""
        if self.half_precision:
            lq = lq.half()
        if isinstance(self.net, PKDNStudent):  # without its check of the sizes, which turns them into fixed numbers
            sr, _ = self.net.super_resolve(lq, [()] * self.net.num_levels)
        else:
            sr = self.net(lq)
        return sr.float()


def _halved(net: nn.Module) -> nn.Module:
    return replaced(copy.deepcopy(net).half(), BicubicUpsample, _InFloat32)


def replaced(net: nn.Module, kind: type[nn.Module], by: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """Put another module into the place of each module of a kind, and return the network.

    Args:
        net: The network, which is changed.
        kind: Of the modules.
        by: Makes the other module of one.
    """
    for name, module in list(net.named_modules()):
        if isinstance(module, kind):
            parent, _, own_name = name.rpartition('.')
            setattr(net.get_submodule(parent), own_name, by(module))
    return net


def trace(net: nn.Module, half: bool, rule: SizeRule) -> ExportedProgram:
    """Return the network as a graph with the input `lq`, whose batch, height and width are free.

    Args:
        net: The network, in eval mode, on the CPU.
        half: See `Graph`.
        rule: The sizes that it takes; the graph takes no others, and none below two steps, as torch treats 1 as
            a constant.

    Raises:
        UsageError: The network's code depends on the size of its input in ways that a graph cannot express.
    """
    lq = torch.zeros(2, 3, rule.next(16), rule.next(24))
    shapes = {'lq': {0: Dim('batch'), 2: _side('h', rule), 3: _side('w', rule)}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about torch's own insides
            program = torch.export.export(Graph(net, half), (lq,), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # torch has many for this
        raise UsageError(f'{type(net).__name__} cannot be exported with a free size: its code makes decisions by the '
                         f'size of its input ({" ".join(str(error).split())[:200]}); take --format safetensors') \
            from error
    for node in program.graph.nodes:
        node.meta.pop('stack_trace', None)  # it names folders of this machine
    return program


def _side(name: str, rule: SizeRule) -> Dim:
    """Return `name`, or with a step, the step times another number."""
    if rule.step == 1:
        return Dim(name, min=max(rule.least, 2))
    return rule.step * Dim(f'_{name}', min=max(rule.least // rule.step, 2))
