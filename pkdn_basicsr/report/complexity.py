"""What a network costs on paper: parameters and multiply-accumulates."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates of one forward pass, as mmengine counts them.

    Attributes:
        total: multiply-accumulates of convolutions and matrix products; mmengine adds one or two operations per value
            for norms, pooling and nearest or bilinear resizing, below 1 % in the networks here.
        skipped: operators it has no rule for, with how often each was called, e.g. `{'aten::pixel_shuffle': 4}`.
    """

    total: int
    skipped: dict[str, int]


def count_parameters(net: nn.Module) -> int:
    """Count the values that training changes; a frozen parameter does not count, a shared one counts once.

    Example:
        >>> count_parameters(nn.Conv2d(3, 64, 3))
        1792
    """
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def count_macs(
    net: nn.Module, lq_size: tuple[int, int] = (16, 16), extra_inputs: Sequence[torch.Tensor] = ()
) -> Macs:
    """Count the multiply-accumulates of `net` on one image, with `mmengine.analysis.FlopAnalyzer`.

    The network is traced in eval mode; afterwards every module is in the mode it was in.

    Args:
        net: called as `net(lq, *extra_inputs)`.
        lq_size: height and width of the low-resolution image `(1, 3, h, w)`.
        extra_inputs: further tensors of batch size 1, e.g. a teacher's one-hot parsing map `(1, K, s*h, s*w)`.
    """
    from mmengine.analysis import FlopAnalyzer  # here, because it imports matplotlib

    device = next((parameter.device for parameter in net.parameters()), torch.device('cpu'))
    inputs = (torch.zeros(1, 3, *lq_size), *extra_inputs)
    analyzer = FlopAnalyzer(net, tuple(tensor.to(device) for tensor in inputs))
    analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with _evaluating(net), torch.no_grad():
        return Macs(int(analyzer.total()), dict(analyzer.unsupported_ops()))


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
