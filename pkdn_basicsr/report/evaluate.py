"""Running methods over a test set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from basicsr.metrics import calculate_metric
from basicsr.utils import tensor2img
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.method import Method


@dataclass
class Evaluation:
    """What came out for every face.

    Attributes:
        images: File names of the faces.
        values: Method name -> metric name -> value of each face, in the order of `images`.
    """

    images: list[str]
    values: dict[str, dict[str, np.ndarray]]

    def means(self) -> dict[str, dict[str, float]]:
        """Method name -> metric name -> mean over the faces."""
        return {method: {metric: float(values.mean()) for metric, values in per_metric.items()}
                for method, per_metric in self.values.items()}


def evaluate(methods: Sequence[Method], faces: Dataset, metrics: Mapping[str, dict]) -> Evaluation:
    """Compute every metric of every method on every face, each face read once.

    Args:
        methods: The networks.
        faces: Samples with `lq`, `gt`, `gt_path` and, for teachers, `parsing`.
        metrics: `val.metrics` of an option file: free name -> `{type, ...}`.

    Raises:
        UsageError: There is no face.
    """
    if not len(faces):
        raise UsageError('the test set is empty')
    images: list[str] = []
    values = {method.name: {metric: [] for metric in metrics} for method in methods}
    for batch in tqdm(DataLoader(faces, batch_size=1), desc='faces', unit='face'):
        images.append(batch['gt_path'][0])
        truth = tensor2img([batch['gt']])
        for method in methods:
            result = {'img': method.super_resolve(batch), 'img2': truth}
            for metric, opt in metrics.items():
                values[method.name][metric].append(calculate_metric(result, opt))
    return Evaluation(images, {method: {metric: np.array(column) for metric, column in per_metric.items()}
                               for method, per_metric in values.items()})
