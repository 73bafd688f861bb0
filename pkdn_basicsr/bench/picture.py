"""Measurements as pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pkdn_basicsr.bench.growth import GrowthPoint
from pkdn_basicsr.bench.infer import Latency
from pkdn_basicsr.bench.loader import LoaderSpeed
from pkdn_basicsr.bench.scale import ScalePoint
from pkdn_basicsr.bench.split import PARTS
from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.bench.stopwatch import REST

_COLOURS = dict(zip([*PARTS, REST], ['tab:red', 'tab:pink', 'tab:purple', 'tab:blue', 'tab:cyan', 'tab:green',
                                     'tab:orange', 'tab:gray'], strict=True))


def split_picture(bars: Mapping[str, Mapping[str, Spread] | Spread]) -> Figure:
    """Draw a bar each: the parts of a step behind each other, or a time that is not divided.

    Args:
        bars: Label -> seconds.
    """
    figure, axis = _figure(1.2 + .45 * len(bars))
    for label, value in bars.items():
        if isinstance(value, Spread):
            axis.barh(label, value.median, color='lightgray', xerr=_errors([value]), ecolor='gray')
            continue
        start = 0.
        for part in (part for part in _COLOURS if part in value):
            axis.barh(label, value[part].median, left=start, color=_COLOURS[part])
            start += value[part].median
    axis.invert_yaxis()
    axis.set_xlabel('seconds, medians')
    shown = {part for value in bars.values() if not isinstance(value, Spread) for part in value}
    handles = [axis.barh(0, 0, color=colour, label=part) for part, colour in _COLOURS.items() if part in shown]
    figure.legend(handles=handles, loc='outside upper center', ncols=len(handles), fontsize=7, frameon=False)
    return figure


def inference_picture(latencies: Sequence[Latency]) -> Figure:
    """Draw the milliseconds for a face, one panel a batch size."""
    batches = list(dict.fromkeys(found.batch for found in latencies))
    networks = list(dict.fromkeys(found.network for found in latencies))
    modes = list(dict.fromkeys(found.mode for found in latencies))
    figure = Figure(figsize=(4.5 * len(batches), 1.5 + .45 * len(networks)), layout='constrained')
    height = .8 / len(modes)
    for axis, batch in zip(figure.subplots(1, len(batches), sharey=True, squeeze=False)[0], batches, strict=True):
        for place, mode in enumerate(modes):
            found = {latency.network: latency.seconds for latency in latencies
                     if (latency.batch, latency.mode) == (batch, mode) and latency.seconds}
            axis.barh([networks.index(name) + height * (place - (len(modes) - 1) / 2) for name in found],
                      [1e3 * seconds.median / batch for seconds in found.values()], height, label=mode,
                      xerr=_errors(found.values(), 1e3 / batch), ecolor='gray')
        axis.set_yticks(range(len(networks)), networks)
        axis.set_title(f'batch {batch}')
        axis.set_xlabel('ms for a face, medians and quartiles')
        axis.grid(axis='x', alpha=.3)
    figure.axes[0].invert_yaxis()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc='outside right upper', frameon=False)
    return figure


def loader_picture(speeds: Sequence[LoaderSpeed]) -> Figure:
    """Draw images a second over workers."""
    figure, axis = _figure()
    _line(axis, [speed.workers for speed in speeds], [speed.images_per_second for speed in speeds])
    axis.set_xlabel('workers')
    axis.set_ylabel('images a second, medians and quartiles')
    axis.set_ylim(bottom=0)
    return figure


def growth_picture(points: Sequence[GrowthPoint]) -> Figure:
    """Draw the microseconds that a face costs over the size of its data set."""
    figure, axis = _figure()
    files = [point.files for point in points]
    _line(axis, files, [point.sample for point in points], 1e6, 'a sample')
    axis.plot(files, [1e6 * point.opening for point in points], 'o-', label='opening the set, once a run')
    axis.plot(files, [1e6 * point.ordering for point in points], 'o-', label='shuffling it, once an epoch')
    axis.set_xscale('log')
    axis.set_yscale('log')
    axis.set_xlabel('faces in the data set')
    axis.set_ylabel('microseconds for a face')
    axis.legend()
    return figure


def scaling_picture(points: Sequence[ScalePoint]) -> Figure:
    """Draw images a second over processes, beside what they would be if processes did not wait for each other."""
    figure, axis = _figure()
    ranks = [point.ranks for point in points]
    _line(axis, ranks, [point.images_per_second for point in points], label='measured')
    first = points[0].images_per_second.median / ranks[0]
    axis.plot(ranks, [first * number for number in ranks], '--', color='gray', label='linear')
    axis.set_xticks(ranks)
    axis.set_xlabel('processes')
    axis.set_ylabel('images a second, medians and quartiles')
    axis.set_ylim(bottom=0)
    axis.legend()
    return figure


def _figure(height: float = 4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, height), layout='constrained')  # no window, no display needed
    axis = figure.subplots()
    axis.grid(alpha=.3)
    axis.set_axisbelow(True)
    return figure, axis


def _line(axis: Axes, places: Sequence[int], values: Sequence[Spread], factor: float = 1, label: str | None = None) \
        -> None:
    axis.errorbar(places, [factor * value.median for value in values], _errors(values, factor), fmt='o-', capsize=3,
                  label=label)
    if label is None:
        axis.set_ylim(bottom=0)


def _errors(values: Sequence[Spread], factor: float = 1) -> np.ndarray:
    """Return the distances from medians down and up to the quartiles."""
    return factor * np.array([[value.median - value.low, value.high - value.median] for value in values]).T
