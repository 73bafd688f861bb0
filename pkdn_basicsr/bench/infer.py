"""`basicsr bench infer`: how long networks take for a batch of faces, eager, compiled and in ONNX Runtime."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pkdn_basicsr.bench.onnx_session import onnx_forward
from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.errors import MissingError, UsageError
from pkdn_basicsr.host.option_check.components import check_components
from pkdn_basicsr.report.complexity import count_macs, count_parameters
from pkdn_basicsr.report.latency import measure_latency
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.report.network_table import face_inputs

MODES = ('eager', 'compiled', 'onnx')


@dataclass(frozen=True)
class Latency:
    """How long a network takes for a batch in one mode.

    Attributes:
        network: Its name.
        mode: One of `MODES`.
        batch: Faces in a pass.
        seconds: Of a pass; None where it cannot run so.
        images_per_second: Faces.
        over_first: As a multiple of the first network's, in the same mode and batch, by neighbours.
        over_eager: As a multiple of its own eager pass.
        failure: Why it cannot run so.
    """

    network: str
    mode: str
    batch: int
    seconds: Spread | None = None
    images_per_second: Spread | None = None
    over_first: Spread | None = None
    over_eager: Spread | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Subject:
    """A network that is measured.

    Attributes:
        net: In eval mode, where it runs.
        inputs: What it is called with for one face.
        parameters: Values that receive a gradient.
        macs: Multiply-accumulates for one face.
    """

    net: nn.Module
    inputs: list[Tensor]
    parameters: int
    macs: int

    @classmethod
    def of(cls, opt: Mapping, device: torch.device) -> 'Subject':
        """Build the untrained `network_g` of options, with a random face of the size that they ask for.

        Raises:
            UsageError: No network, one or an argument that there is not, or one that does not take a face.
        """
        if not isinstance(opt.get('network_g'), Mapping):
            raise UsageError('network_g is missing, the network to measure')
        check_components({key: value for key, value in opt.items() if key in ('network_g', 'scale')})
        net = build_untrained(opt['network_g']).to(device).eval()
        inputs = face_inputs(net, opt, 1, device)
        try:
            macs = count_macs(net, tuple(inputs[0].shape[2:]), inputs[1:]).total
        except Exception as error:  # of a network that is none for faces
            height, width = inputs[0].shape[2:]
            raise UsageError(f"network_g.type: {type(net).__name__} does not take a face of {width}x{height} pixels "
                             f"({' '.join(str(error).split())[:200]})") from None
        return cls(net, inputs, count_parameters(net), macs)


def options_of_network(name: str) -> dict:
    """Return options of a registered network with its default arguments, for faces of 16x16 -> 128x128 pixels."""
    return {'scale': 8, 'network_g': {'type': name}, 'datasets': {'train': {'gt_size': 128}}}


def measure_inference(subjects: Mapping[str, Subject], batches: Sequence[int], modes: Sequence[str], repeats: int,
                      warmup: int) -> list[Latency]:
    """Time forward passes; within a batch size all networks in all modes take turns.

    Args:
        subjects: By name; the first is what others are compared with.
        batches: Faces in a pass.
        modes: Of `MODES`, 'eager' first.
        repeats: Timed rounds.
        warmup: Rounds before that.
    """
    found = []
    for batch in batches:
        with tempfile.TemporaryDirectory() as folder:
            calls, failures = _prepare(subjects, batch, modes, Path(folder))
            seconds = measure_latency(calls, repeats, warmup, f'batch {batch}')
        first = next(iter(subjects))
        for name in subjects:
            for mode in modes:
                taken = seconds.get((name, mode))
                if taken is None:
                    found.append(Latency(name, mode, batch, failure=failures[name, mode]))
                    continue
                firsts = seconds.get((first, mode))
                found.append(Latency(name, mode, batch, Spread.of(taken), Spread.of(batch / value for value in taken),
                                     Spread.of_ratios(taken, firsts) if firsts else None,
                                     Spread.of_ratios(taken, seconds[name, 'eager'])))
    return found


def _prepare(subjects: Mapping[str, Subject], batch: int, modes: Sequence[str], folder: Path) \
        -> tuple[dict[tuple[str, str], Callable[[], object]], dict[tuple[str, str], str]]:
    """Return the forward passes by network and mode, and why others cannot run."""
    calls, failures = {}, {}
    for name, subject in tqdm(subjects.items(), f'preparing batch {batch}', unit='network'):
        inputs = [tensor.expand(batch, *tensor.shape[1:]).contiguous() for tensor in subject.inputs]
        for mode in modes:
            try:
                calls[name, mode] = _forward(subject.net, inputs, mode, folder)
            except Exception as error:  # compilers and exporters raise what they like; the other networks go on
                reason = str(error) if isinstance(error, MissingError) else f'{type(error).__name__}: {error}'
                failures[name, mode] = ' '.join(reason.split())[:200]
    return calls, failures


def _forward(net: nn.Module, inputs: Sequence[Tensor], mode: str, folder: Path) -> Callable[[], object]:
    if mode == 'onnx':
        return onnx_forward(net, inputs, folder)
    forward = torch.inference_mode()(partial(torch.compile(net, dynamic=False) if mode == 'compiled' else net, *inputs))
    forward()  # compiles, or fails
    return forward
