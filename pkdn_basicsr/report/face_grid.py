"""Chosen faces as every method makes them, side by side."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from basicsr.utils import tensor2img
from torch.utils.data import default_collate

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.metrics.measure import measure
from pkdn_basicsr.report.comparison import Comparison
from pkdn_basicsr.report.faces import FaceSet
from pkdn_basicsr.report.method import Method
from pkdn_basicsr.report.table import PRIOR_MARK, number_text

matplotlib.use('Agg')  # files only: no window, no display needed
from matplotlib import pyplot as plt


def pick_faces(gains: np.ndarray) -> list[int]:
    """Pick faces by rule, so that none is cherry-picked: the first, and those of lowest, median and highest gain.

    Args:
        gains: Gain of each face in a metric, the more the better; a face without one (NaN) is not picked for it.

    Returns:
        Up to four different indices.
    """
    known = [int(index) for index in np.argsort(gains, kind='stable') if not np.isnan(gains[index])]
    picked = [known[0], known[len(known) // 2], known[-1]] if known else []
    return list(dict.fromkeys([0, *picked]))


def save_face_grid(path: Path, comparison: Comparison, methods: Sequence[Method], faces: FaceSet,
                   metrics: Mapping[str, dict]) -> None:
    """Draw chosen faces, one a row: low resolution, bicubic, every method with its value of the first metric, truth.

    The faces are the first one, and those with the lowest, median and highest gain of the last method that sees no
    truth over the reference.

    Args:
        path: PNG to write.
        comparison: The values.
        methods: The networks, in the order of the columns.
        faces: The test set.
        metrics: `val.metrics` of the option file.
    """
    metric = next(iter(comparison.metrics))
    winner, gains = _gains(comparison, metric)
    columns = [*([] if any(isinstance(method.net, Bicubic) for method in methods) else ['bicubic']), *methods]
    rows = pick_faces(gains)
    figure, axes = plt.subplots(len(rows), len(columns) + 2, squeeze=False, layout='constrained',
                                figsize=(1.7 * (len(columns) + 2), 1.95 * len(rows) + 0.5))
    for row, index in zip(axes, rows, strict=True):
        batch = default_collate([faces.samples[index]])
        truth = tensor2img([batch['gt']])
        _show(row[0], tensor2img([batch['lq']]), _shorten(faces.images[index]))
        for axis, method in zip(row[1:-1], columns, strict=True):
            result = _bicubic(batch, faces.scale) if method == 'bicubic' else method.super_resolve(batch)
            value = measure({metric: metrics[metric]}, result, truth, faces.images[index])[metric]
            _show(axis, result, number_text(value, value))
        _show(row[-1], truth)
    names = [name if name == 'bicubic' else name.name + PRIOR_MARK * name.sees_truth for name in columns]
    for axis, title in zip(axes[0], ['low resolution', *names, 'truth'], strict=True):
        axis.set_title(textwrap.fill(title.replace(PRIOR_MARK, '\u00a0*'), 16), fontsize=8)
    figure.supxlabel(f'below each face its {metric}; first face, then lowest, median and highest gain of {winner} over '
                     f'{comparison.reference}' + '; * sees what is not there in use' *
                     any(method.sees_truth for method in methods), fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _gains(comparison: Comparison, metric: str) -> tuple[str, np.ndarray]:
    rivals = [name for name, result in comparison.methods.items() if not result.sees_truth] or [comparison.reference]
    gain = comparison.methods[rivals[-1]].values[metric] - comparison.methods[comparison.reference].values[metric]
    return rivals[-1], -gain if comparison.metrics[metric].get('better') == 'lower' else gain


def _bicubic(batch: dict, scale: int) -> np.ndarray:
    return tensor2img([Bicubic(scale)(batch['lq'])])


def _shorten(name: str) -> str:
    stem = Path(name).stem
    return stem if len(stem) <= 20 else f'{stem[:17]}...'


def _show(axis: plt.Axes, bgr: np.ndarray, below: str = '') -> None:
    axis.imshow(bgr[..., ::-1], interpolation='nearest')
    axis.set_xlabel(below, fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])
