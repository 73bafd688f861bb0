"""Quality against cost."""

from pathlib import Path

import matplotlib
import numpy as np

from pkdn_basicsr.report.comparison import Comparison
from pkdn_basicsr.report.table import PRIOR_MARK, cost_text, higher_is_better, number_text

matplotlib.use('Agg')  # files only: no window, no display needed
from matplotlib import pyplot as plt

_LEAST, _MOST = 40, 900  # areas of the bubbles, in square points


def save_cost_plot(path: Path, comparison: Comparison) -> None:
    """Draw the first metric over multiply-accumulates; the area of a bubble grows with the parameters.

    Names stand in a legend, in the order of the metric, so that they cannot run into each other. A method without
    parameters is a dashed line; a hollow bubble sees what is not there in use.

    Args:
        path: PNG to write.
        comparison: The values and costs.
    """
    metric = next(iter(comparison.metrics))
    means = {name: found[metric].mean for name, found in comparison.statistics.items()}
    most = max(result.cost.parameters for result in comparison.methods.values()) or 1
    figure, axis = plt.subplots(figsize=(8, 4.5), layout='constrained')
    colours = plt.get_cmap('tab10' if len(means) <= 10 else 'tab20')(np.arange(len(means)) % 20)
    order = sorted((name for name in means if not np.isnan(means[name])), key=means.get,
                   reverse=higher_is_better(comparison, metric))
    for name, colour in zip(order, colours, strict=False):
        result = comparison.methods[name]
        label = f'{name}{PRIOR_MARK * result.sees_truth}  {number_text(means[name], means[name])}'
        if not result.cost.parameters:
            axis.axhline(means[name], color=colour, linestyle='--', label=label)
            continue
        face = 'none' if result.sees_truth else [colour]
        area = _LEAST + (_MOST - _LEAST) * result.cost.parameters / most
        label = f'{label}, {cost_text(result.cost.parameters / 1e6)} M'
        axis.scatter(result.cost.macs / 1e9, means[name], area, label=label, facecolors=face, edgecolors=[colour],
                     linewidths=1.5, alpha=.6)
    macs = [result.cost.macs for result in comparison.methods.values() if result.cost.parameters]
    if macs and max(macs) > 10 * min(macs):
        axis.set_xscale('log')
        axis.xaxis.set_major_formatter('{x:g}')
    axis.margins(.15)
    axis.set_xlabel('multiply-accumulates for one face, G')
    axis.set_ylabel(f'{metric} on {comparison.dataset}')
    axis.grid(which='major', alpha=.3)
    legend = figure.legend(loc='outside right upper', fontsize=8, frameon=False, labelspacing=.8)
    for handle in legend.legend_handles:
        if hasattr(handle, 'set_sizes'):
            handle.set_sizes([_LEAST])
    figure.savefig(path, dpi=150)
    plt.close(figure)
