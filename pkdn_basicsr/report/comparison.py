"""The outcome of a comparison: every method's values, what they cost, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pkdn_basicsr.metrics.measure import mean_known
from pkdn_basicsr.report.bootstrap import intervals
from pkdn_basicsr.report.cost import Cost, LatencyRule
from pkdn_basicsr.report.evaluate import Values
from pkdn_basicsr.report.provenance import FileRecord, Run


@dataclass(frozen=True)
class MethodResult:
    """What one method reached.

    Attributes:
        network: Its class and arguments.
        option_file: The file that they are from; None where its weights tell them.
        checkpoint: Its weights; None for a network that has none.
        param_key: Under which key of that file they lie; None for bare ones, and where an earlier version has not
            written it down.
        prior: What map it sees; None when it sees the low-resolution face alone.
        maps: `maps:` of its entry, with the hash of the parser; None for the data set's maps, or none.
        sees_truth: Whether it sees what is not there in use; it then takes no part in the ranking.
        cost: Parameters, MACs, latency.
        run: When and where this was computed.
        values: Metric name -> value of each face.
    """

    network: Mapping
    option_file: FileRecord | None
    checkpoint: FileRecord | None
    param_key: str | None
    prior: str | None
    maps: Mapping | None
    sees_truth: bool
    cost: Cost
    run: Run
    values: Values


@dataclass(frozen=True)
class Statistics:
    """A metric of a method over all faces.

    Attributes:
        mean: Over the faces that have a finite value.
        mean_ci95: Its 95 % bootstrap interval.
        difference: Mean difference to the reference over the faces on which both have a value; None for itself.
        ci95: Its paired 95 % bootstrap interval; None for the reference.
        unknown: Faces without a finite value, such as the PSNR of a result that equals the truth.
    """

    mean: float
    mean_ci95: tuple[float, float]
    difference: float | None
    ci95: tuple[float, float] | None
    unknown: int


@dataclass(frozen=True)
class Comparison:
    """Methods on the same faces.

    Attributes:
        name: From the option file.
        dataset: Name of the test set.
        scale: Enlargement.
        lq_size: Height and width of the first low-resolution face, for which costs hold.
        images: Names of the faces.
        faces_sha256: Hash of the faces.
        metrics: Metric name -> its options, with `better`.
        missing: Metrics that could not be computed: name -> reason.
        latency: How time was measured.
        reference: The method that differences are to.
        methods: Method name -> result.
    """

    name: str
    dataset: str
    scale: int
    lq_size: tuple[int, int]
    images: tuple[str, ...]
    faces_sha256: str
    metrics: Mapping[str, dict]
    missing: Mapping[str, str]
    latency: LatencyRule
    reference: str
    methods: Mapping[str, MethodResult]

    @cached_property
    def statistics(self) -> dict[str, dict[str, Statistics]]:
        """Method name -> metric name -> statistics. All methods are resampled on the same faces."""
        columns = {(name, metric, kind): values
                   for name, result in self.methods.items() for metric in self.metrics
                   for kind, values in (('mean', result.values[metric]),
                                        ('difference', self._differences(name, metric)))}
        table = np.stack(list(columns.values()), axis=1)
        finite = np.where(np.isfinite(table), table, np.nan)
        ends = dict(zip(columns, map(tuple, intervals(finite).tolist()), strict=True))

        def of(name: str, metric: str) -> Statistics:
            values, is_reference = self.methods[name].values[metric], name == self.reference
            return Statistics(
                mean=mean_known(values), mean_ci95=ends[name, metric, 'mean'],
                difference=None if is_reference else mean_known(columns[name, metric, 'difference']),
                ci95=None if is_reference else ends[name, metric, 'difference'],
                unknown=int((~np.isfinite(values)).sum()))

        return {name: {metric: of(name, metric) for metric in self.metrics} for name in self.methods}

    def _differences(self, name: str, metric: str) -> np.ndarray:
        with np.errstate(invalid='ignore'):  # two perfect results differ by inf - inf: unknown
            return self.methods[name].values[metric] - self.methods[self.reference].values[metric]
