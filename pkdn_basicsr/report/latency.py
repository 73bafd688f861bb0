"""How long networks take here and now, measured so that they can be compared with each other."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from tqdm import tqdm


def measure_latency(
    forwards: Mapping[str, Callable[[], object]], repeats: int, warmup: int, progress: str | None = None
) -> dict[str, list[float]]:
    """Time every call `repeats` times, after `warmup` untimed rounds.

    Each round calls all of them once, in turn: a machine that slows down or is shared then slows all alike, and
    ratios stay right where times do not. Work queued on a GPU is waited for.

    Args:
        forwards: what to call, by name.
        repeats: timed rounds, at least 1.
        warmup: rounds that are not timed.
        progress: title of a progress bar; None: none is shown.

    Returns:
        Seconds of each call, by name, in the order of the rounds.
    """
    if repeats < 1:
        raise ValueError(f'Expected at least 1 repeat. Got {repeats}.')
    seconds: dict[str, list[float]] = {name: [] for name in forwards}
    for round_index in tqdm(range(warmup + repeats), progress, unit='round', disable=progress is None):
        for name, forward in forwards.items():
            _wait_for_gpu()
            start = time.perf_counter()
            forward()
            _wait_for_gpu()
            elapsed = time.perf_counter() - start
            if round_index >= warmup:
                seconds[name].append(elapsed)
    return seconds


def _wait_for_gpu() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def median_latency(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each list of times; unlike the mean it is not moved by the rounds in which somebody else ran."""
    return {name: statistics.median(times) for name, times in seconds.items()}


@torch.inference_mode()
def network_latency(
    nets: Mapping[str, nn.Module], inputs: Mapping[str, Sequence[Tensor]], repeats: int, warmup: int
) -> dict[str, float]:
    """Time networks in turn.

    Args:
        nets: by name, in eval mode.
        inputs: what each is called with, on its device.
        repeats: see `measure_latency`.
        warmup: see `measure_latency`.

    Returns:
        Median seconds of a forward pass, by name.
    """
    forwards = {name: partial(net, *inputs[name]) for name, net in nets.items()}
    return median_latency(measure_latency(forwards, repeats, warmup))
