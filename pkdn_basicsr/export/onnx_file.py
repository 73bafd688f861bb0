"""ONNX files."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import Down
from pkdn_basicsr.errors import MissingError
from pkdn_basicsr.export.graph import replaced, trace
from pkdn_basicsr.infer.sizes import SizeRule

OPSET = 18
"""The first with the antialiased `Resize` that the bicubic enlargement is."""


def write_onnx(path: Path, net: nn.Module, metadata: Mapping[str, str], rule: SizeRule, half: bool) -> None:
    """Write a network with input `lq` and output `sr`, both float32 with free batch and size; see `trace` for errors.

    Args:
        path: File to write.
        net: The network, in eval mode, on the CPU.
        metadata: Goes into the model's `metadata_props`.
        rule: Sizes that it takes.
        half: Compute in float16, with weights of half the size.

    Raises:
        MissingError: `onnx`, `onnxscript` or `onnxruntime` is not installed.
    """
    onnx = _need('onnx')
    _need('onnxscript')
    program = trace(for_onnx(net), half, rule)
    with _quiet():
        model = torch.onnx.export(program, (), dynamo=True, opset_version=OPSET, output_names=['sr'],
                                  verbose=False).model_proto
    for part in [*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output,
                 *model.graph.initializer, model.graph]:
        del part.metadata_props[:]  # torch's notes on where things come from
    model.producer_name, model.producer_version = 'pkdn_basicsr', ''
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def open_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    """Return the network of an ONNX file, run by onnxruntime on the CPU.

    Raises:
        MissingError: onnxruntime is not installed.
    """
    session = _need('onnxruntime').InferenceSession(str(path), providers=['CPUExecutionProvider'])

    def run(lq: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(session.run(['sr'], {'lq': lq.numpy()})[0]))

    return run


def for_onnx(net: nn.Module) -> nn.Module:
    """Return a network that does the same by operators that ONNX Runtime is fast at: pixel-unshuffle is not."""
    return replaced(copy.deepcopy(net), Down, _as_one_convolution)


def _as_one_convolution(down: Down) -> nn.Conv2d:
    conv = nn.Conv2d(down.conv.in_channels // 4, down.conv.out_channels, 6, stride=2, padding=2)
    conv.weight.data = F.pixel_shuffle(down.conv.weight.data, 2)
    conv.bias.data = down.conv.bias.data
    return conv


def _need(package: str):
    try:
        return __import__(package)
    except ImportError:
        raise MissingError(f'--format onnx needs {package}, which is not installed; run: pip install '
                           "'pkdn_basicsr[onnx]'") from None


@contextlib.contextmanager
def _quiet():
    """Keep torch's exporter from telling about its steps and its own deprecations."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(level)
