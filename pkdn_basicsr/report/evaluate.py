"""Running a method over a test set."""

from collections.abc import Mapping

import numpy as np
from basicsr.utils import tensor2img
from tqdm import tqdm

from pkdn_basicsr.data.pairing import name_of_sample
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.shards import gather, load_my_share
from pkdn_basicsr.metrics.measure import measure
from pkdn_basicsr.report.faces import FaceSet
from pkdn_basicsr.report.method import Method

Values = dict[str, np.ndarray]
"""Metric name -> value of each face, in the order of the test set; NaN where a face has none."""


def evaluate(method: Method, faces: FaceSet, metrics: Mapping[str, dict], progress: tqdm) -> Values | None:
    """Compute every metric of a method on every face.

    Every process must call it, and takes its share of the faces.

    Args:
        method: The network.
        faces: The test set.
        metrics: `val.metrics` of an option file: free name -> `{type, ...}`.
        progress: Is moved on by one for each face of this process.

    Returns:
        The values in process 0, None in the others.

    Raises:
        UsageError: The results cannot be compared with the truth; the message names method, metric and face.
    """
    mine = []
    for sample in load_my_share(faces.samples):
        result, truth = method.super_resolve(sample), tensor2img([sample['gt']])
        try:
            mine.append(measure(metrics, result, truth, name_of_sample(sample, faces.options)))
        except UsageError as error:
            raise UsageError(f"method '{method.name}': {error}") from None
        progress.update()
    values = gather(mine)
    return values and {metric: np.array([face[metric] for face in values]) for metric in metrics}
