"""Comparison figures."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from basicsr.utils import tensor2img
from torch.utils.data import DataLoader, Dataset, Subset

from pkdn_basicsr.report.evaluate import Evaluation
from pkdn_basicsr.report.method import Method
from pkdn_basicsr.report.table import PRIOR_MARK

matplotlib.use('Agg')  # files only: no window, no display needed
from matplotlib import pyplot as plt


def pick_faces(gains: np.ndarray) -> list[int]:
    """Pick faces by rule, so that none is cherry-picked: the first, and those of lowest, median and highest gain.

    Args:
        gains: Gain of each face in a metric.

    Returns:
        Up to four different indices.
    """
    order = np.argsort(gains, kind='stable')
    return list(dict.fromkeys([0, int(order[0]), int(order[len(order) // 2]), int(order[-1])]))


def save_face_grid(path: Path, methods: Sequence[Method], faces: Dataset, evaluation: Evaluation, metric: str) -> None:
    """Draw chosen faces, one a row: low resolution, every method with its value of `metric`, truth.

    The gain that `pick_faces` goes by is that of the last method over the first.

    Args:
        path: PNG to write.
        methods: Columns, from left to right.
        faces: The test set.
        evaluation: Its values.
        metric: Name of the metric shown.
    """
    first, last = evaluation.values[methods[0].name][metric], evaluation.values[methods[-1].name][metric]
    chosen = pick_faces(last - first)
    columns = len(methods) + 2
    figure, axes = plt.subplots(len(chosen), columns, squeeze=False, layout='constrained',
                                figsize=(1.9 * columns, 2.05 * len(chosen)))
    for row, index, batch in zip(axes, chosen, DataLoader(Subset(faces, chosen), batch_size=1), strict=True):
        _show(row[0], tensor2img([batch['lq']]))
        row[0].set_ylabel(_short(Path(evaluation.images[index]).stem), fontsize=8)
        for axis, method in zip(row[1:-1], methods, strict=True):
            _show(axis, method.super_resolve(batch))
            axis.set_xlabel(f'{evaluation.values[method.name][metric][index]:.2f}', fontsize=8)
        _show(row[-1], tensor2img([batch['gt']]))
    titles = ['low resolution', *(method.name + PRIOR_MARK * method.uses_prior for method in methods), 'truth']
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    figure.supxlabel(f'{metric} below each result' + '; * sees the true parsing map' *
                     any(method.uses_prior for method in methods), fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _short(name: str) -> str:
    """Return a name that fits beside a face."""
    return name if len(name) <= 20 else f'{name[:17]}...'


def _show(axis: plt.Axes, bgr: np.ndarray) -> None:
    axis.imshow(bgr[..., ::-1], interpolation='nearest')
    axis.set_xticks([])
    axis.set_yticks([])
