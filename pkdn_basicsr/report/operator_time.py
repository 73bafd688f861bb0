"""How a network's time compares with that of its convolutions, matrix products and Fourier transforms alone.

The rest (activations, norms, resizing, copies, Python) is what an implementation can do well or badly.
"""

import statistics
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pkdn_basicsr.report.latency import measure_latency

HEAVY_OPERATORS = frozenset({'convolution', 'mm', 'addmm', 'bmm', 'baddbmm', '_fft_r2c', '_fft_c2r', '_fft_c2c'})
"""The operators of torch that count as a network's arithmetic, by their names in ATen."""


class _Recorder(TorchDispatchMode):
    """Keeps the calls of heavy operators, with the very tensors that they were called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Tensor]] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        call = partial(operator, *args, **(kwargs or {}))
        if operator.overloadpacket.__name__ in HEAVY_OPERATORS:
            self.calls.append(call)
        return call()


@torch.no_grad()  # in inference mode a recorder would see conv2d and matmul, not what they are made of
def heavy_calls(net: nn.Module, inputs: Sequence[Tensor]) -> list[Callable[[], Tensor]]:
    """Return what repeats, one by one, the heavy operators of a forward pass on the very same tensors."""
    recorder = _Recorder()
    with recorder:
        net(*inputs)
    return recorder.calls


@torch.no_grad()
def time_over_operators(net: nn.Module, inputs: Sequence[Tensor], repeats: int, warmup: int) -> float:
    """Return how many times as long a forward pass takes as its heavy operators alone; 1 would be perfect.

    Both are timed in turn; the median of the ratios of neighbours counts, so that a busy machine matters little.

    Args:
        net: In eval mode.
        inputs: What it is called with, on its device.
        repeats: Timed rounds, at least 1.
        warmup: Rounds before that.
    """
    calls = heavy_calls(net, inputs)
    seconds = measure_latency({'whole': partial(net, *inputs), 'operators': partial(_repeat, calls)}, repeats, warmup)
    return statistics.median(whole / alone for whole, alone in zip(seconds['whole'], seconds['operators'], strict=True))


def _repeat(calls: Sequence[Callable[[], Tensor]]) -> None:
    for call in calls:  # results are dropped at once, as in a network: to keep them all would cost more than to compute
        call()
