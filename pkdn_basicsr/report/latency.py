"""How long networks take here and now, measured so that they can be compared with each other."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pkdn_basicsr.report.complexity import count_macs, count_parameters


def measure_latency(
    forwards: Mapping[str, Callable[[], object]], repeats: int, warmup: int
) -> dict[str, list[float]]:
    """Time every call `repeats` times, after `warmup` untimed rounds.

    Each round calls all of them once, in turn: a machine that slows down or is shared then slows all alike, and
    ratios stay right where times do not. Work queued on a GPU is waited for.

    Args:
        forwards: what to call, by name.
        repeats: timed rounds, at least 1.
        warmup: rounds that are not timed.

    Returns:
        Seconds of each call, by name, in the order of the rounds.
    """
    if repeats < 1:
        raise ValueError(f'Expected at least 1 repeat. Got {repeats}.')
    seconds: dict[str, list[float]] = {name: [] for name in forwards}
    for round_index in range(warmup + repeats):
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


@dataclass(frozen=True)
class NetworkCost:
    """What one network costs.

    Attributes:
        name: as given.
        parameters: trainable values.
        macs: multiply-accumulates for one image.
        latency: median seconds of a forward pass, by batch size.
    """

    name: str
    parameters: int
    macs: int
    latency: dict[int, float]


def measure_networks(
    nets: Mapping[str, nn.Module],
    batch_sizes: Sequence[int],
    repeats: int,
    warmup: int = 2,
    lq_size: tuple[int, int] = (16, 16),
) -> list[NetworkCost]:
    """Count and time networks that take one low-resolution image; they are put in eval mode, and interleaved.

    Args:
        nets: by name, all on one device.
        batch_sizes: images in a pass; each size is timed on its own.
        repeats: see `measure_latency`.
        warmup: see `measure_latency`.
        lq_size: height and width of the input.
    """
    latency: dict[str, dict[int, float]] = {name: {} for name in nets}
    for batch_size in batch_sizes:
        forwards = {name: _forward(net.eval(), batch_size, lq_size) for name, net in nets.items()}
        with torch.inference_mode():
            medians = median_latency(measure_latency(forwards, repeats, warmup))
        for name, median in medians.items():
            latency[name][batch_size] = median
    return [
        NetworkCost(name, count_parameters(net), count_macs(net, lq_size).total, latency[name])
        for name, net in nets.items()
    ]


def _forward(net: nn.Module, batch_size: int, lq_size: tuple[int, int]) -> Callable[[], object]:
    device = next((parameter.device for parameter in net.parameters()), torch.device('cpu'))
    lq = torch.rand(batch_size, 3, *lq_size, device=device)
    return lambda: net(lq)


def format_costs(costs: Sequence[NetworkCost], references: Sequence[str]) -> str:
    """A plain-text table: parameters, MACs, milliseconds, and the time as a multiple of each reference's.

    Args:
        costs: one row each, timed at the same batch sizes.
        references: names to compare with; one that was not measured gets no column.
    """
    measured = {cost.name: cost for cost in costs}
    references = [name for name in references if name in measured]
    batch_sizes = list(costs[0].latency)
    rows = [['network', 'params M', 'MACs G']]
    for batch_size in batch_sizes:
        rows[0] += [f'ms (batch {batch_size})', *(f'/ {name}' for name in references)]
    for cost in costs:
        row = [cost.name, f'{cost.parameters / 1e6:.2f}', f'{cost.macs / 1e9:.2f}']
        for batch_size in batch_sizes:
            seconds = cost.latency[batch_size]
            row.append(f'{1e3 * seconds:.1f}')
            row += [f'{seconds / measured[name].latency[batch_size]:.2f}' for name in references]
        rows.append(row)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    aligned = (
        [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        for row in rows
    )
    return '\n'.join('  '.join(cells) for cells in aligned)
