"""What the methods of a comparison cost: parameters, multiply-accumulates, time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import default_collate

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.complexity import count_macs, count_parameters
from pkdn_basicsr.report.faces import FaceSet
from pkdn_basicsr.report.latency import network_latency
from pkdn_basicsr.report.method import Method


@dataclass(frozen=True)
class LatencyRule:
    """How time is measured; `latency:` of a comparison's option file.

    Attributes:
        batch: Faces in a pass.
        repeats: Timed passes, of which the median counts.
        warmup: Passes before that.
    """

    batch: int = 1
    repeats: int = 11
    warmup: int = 3

    @classmethod
    def from_options(cls, opt: Mapping | None) -> 'LatencyRule':
        """Read `latency:` of an option file.

        Raises:
            UsageError: An unknown key, or a value that is no number above 0.
        """
        for key, value in (opt or {}).items():
            if key not in cls.__dataclass_fields__ or not isinstance(value, int) or value < 1:
                raise UsageError(f'latency.{key}: found {value!r}; expected {", ".join(cls.__dataclass_fields__)}, '
                                 'each a whole number above 0')
        return cls(**(opt or {}))


@dataclass(frozen=True)
class Cost:
    """What a network costs. Making its parsing map is not counted.

    Attributes:
        parameters: Values that receive a gradient.
        macs: Multiply-accumulates for one face, as mmengine counts them.
        skipped: Operators that are not counted, and how often each is called.
        latency: Median seconds of a pass.
    """

    parameters: int
    macs: int
    skipped: Mapping[str, int]
    latency: float


@torch.inference_mode()
def measure_costs(methods: Sequence[Method], faces: FaceSet, rule: LatencyRule) -> list[Cost]:
    """Count and time methods on the first face, in turn, so that ratios of times hold on a busy machine."""
    batch = default_collate([faces.samples[0]])
    inputs = [method.inputs(batch) for method in methods]
    repeated = [[tensor.expand(rule.batch, *tensor.shape[1:]).contiguous() for tensor in tensors] for tensors in inputs]
    nets = {method.name: method.net for method in methods}
    latency = network_latency(nets, dict(zip(nets, repeated, strict=True)), rule.repeats, rule.warmup)
    costs = []
    for method, tensors in zip(methods, inputs, strict=True):
        macs = count_macs(method.net, tuple(tensors[0].shape[2:]), tensors[1:])
        costs.append(Cost(count_parameters(method.net), macs.total, macs.skipped, latency[method.name]))
    return costs
