"""What a device can do, and how much of it a computation asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from pkdn_basicsr.report.latency import measure_latency, median_latency

_SIDE = {'cpu': 1024, 'cuda': 8192}  # of the square matrices
_COPIED = {'cpu': 256 << 20, 'cuda': 2 << 30}  # bytes; more than any cache
_NO_TRAFFIC = frozenset({'empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', 'detach'})


@dataclass(frozen=True)
class Rates:
    """What a device reached here and now.

    Attributes:
        macs: Multiply-accumulates a second of a matrix product or of a 3x3 convolution, whichever is faster (different
            libraries compute them), by number format: `fp32` and `bf16`, on a GPU also `tf32`, in which it computes
            convolutions of fp32 unless it is told otherwise.
        copied: Bytes read and written by a copy within its memory, a second.
    """

    macs: dict[str, float]
    copied: float


@dataclass(frozen=True)
class Work:
    """What a computation asks for.

    Attributes:
        macs: Multiply-accumulates of its convolutions and matrix products.
        moved: Bytes of the operands and results of all its operators: the traffic if nothing stays in a cache and
            no operators are fused.
    """

    macs: int
    moved: int


@dataclass(frozen=True)
class Roofline:
    """A computation beside what its device can do.

    Attributes:
        work: What it asks for.
        number_format: Whose rate it is compared with.
        macs_seconds: What its multiply-accumulates would take at that rate.
        moved_seconds: What its traffic would take at the rate of a copy.
        share: Of that rate, what the computation reached.
    """

    work: Work
    number_format: str
    macs_seconds: float
    moved_seconds: float
    share: float

    @classmethod
    def of(cls, work: Work, rates: Rates, number_format: str, seconds: float) -> 'Roofline':
        """Compare work that took `seconds` with rates."""
        macs_seconds = work.macs / rates.macs[number_format]
        return cls(work, number_format, macs_seconds, work.moved / rates.copied, macs_seconds / seconds)


def measure_rates(device: torch.device, repeats: int = 7, side: int | None = None, size: int | None = None) -> Rates:
    """Measure products of square matrices, convolutions and a copy.

    Args:
        device: What to measure.
        repeats: Timed rounds, of which the median counts.
        side: Of the matrices, and 16 times the channels of the convolution; None: large enough for the device.
        size: Bytes that are copied; None: more than its caches hold.
    """
    side, size = side or _SIDE[device.type], size or _COPIED[device.type]
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    calls: dict[str, Callable[[], object]] = {'copy': partial(torch.empty_like(source).copy_, source)}
    channels, picture = side // 16, side // 8
    for name, dtype in (('fp32', torch.float32), ('bf16', torch.bfloat16)):
        calls[f'{name} product'] = partial(torch.mm, *torch.rand(2, side, side, device=device).to(dtype))
        image = torch.rand(1, channels, picture, picture, device=device).to(dtype, memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
        calls[f'{name} convolution'] = partial(torch.conv2d, image, weight, padding=1)
    if device.type == 'cuda':
        calls['tf32 product'] = partial(_in_tf32, calls['fp32 product'])
        calls['tf32 convolution'] = calls.pop('fp32 convolution')  # unless cuDNN is told otherwise
    seconds = median_latency(measure_latency(calls, repeats, warmup=2))
    copied = 2 * size / seconds.pop('copy')
    macs = {'product': side ** 3, 'convolution': 9 * channels ** 2 * picture ** 2}
    rates: dict[str, float] = {}
    for call, taken in seconds.items():
        name, kind = call.split()
        rates[name] = max(rates.get(name, 0), macs[kind] / taken)
    return Rates(rates, copied)


def count_work(call: Callable[[], object]) -> Work:
    """Run a call once and count what its operators do, those of its backward pass too; compiled code is not seen."""
    flops, traffic = FlopCounterMode(display=False), _Traffic()
    with flops, traffic:
        call()
    return Work(flops.get_total_flops() // 2, traffic.moved)


def convolution_format(precision: str | None, device: torch.device) -> str:
    """Return the number format in which a device computes convolutions.

    Args:
        precision: `train.amp`; None is float32.
        device: Where.
    """
    if precision is not None:
        return 'bf16'  # fp16 has the same rate
    return 'tf32' if device.type == 'cuda' and torch.backends.cudnn.allow_tf32 else 'fp32'


class _Traffic(TorchDispatchMode):
    """Adds up the bytes of what operators read and write; a view moves nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs: Mapping | None = None):
        result = operator(*args, **(kwargs or {}))
        is_view = any(found.alias_info is not None and not found.alias_info.is_write
                      for found in operator._schema.returns)
        if not is_view and operator.overloadpacket.__name__ not in _NO_TRAFFIC:
            self.moved += sum(leaf.nbytes for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor))
        return result


def _in_tf32(call: Callable[[], object]) -> None:
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        call()
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed
