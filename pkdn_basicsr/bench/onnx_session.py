"""A network in ONNX Runtime."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pkdn_basicsr.errors import MissingError
from pkdn_basicsr.export.onnx_file import for_onnx

_TOLERANCE = .02  # in grey values of [0, 1]; Fourier transforms differ by a hundredth where a phase turns over


def onnx_forward(net: nn.Module, inputs: Sequence[Tensor], folder: Path) -> Callable[[], object]:
    """Export a network for the sizes of its inputs, and return its forward pass on them by ONNX Runtime.

    On a processor it uses as many threads as torch; on a GPU inputs and results also travel to it and back.

    Args:
        net: In eval mode.
        inputs: What it is called with.
        folder: For the exported file.

    Raises:
        MissingError: A package is missing, or ONNX Runtime has no support for the device.
        RuntimeError: The network cannot be exported, or computes something else then.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (what torch.onnx exports with)
    except ImportError as error:
        raise MissingError(f"{error.name} is not installed: pip install 'pkdn_basicsr[onnx]'") from None
    provider = 'CUDAExecutionProvider' if inputs[0].is_cuda else 'CPUExecutionProvider'
    if provider not in onnxruntime.get_available_providers():
        raise MissingError(f'this onnxruntime has no {provider}: install onnxruntime-gpu')
    file = folder / 'network.onnx'
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(for_onnx(net), tuple(inputs), str(file), dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=[provider])
    arrays = {found.name: tensor.cpu().numpy() for found, tensor in zip(session.get_inputs(), inputs, strict=True)}
    forward = partial(session.run, None, arrays)
    with torch.inference_mode():
        difference = np.abs(forward()[0] - net(*inputs).cpu().numpy()).max()
    if difference > _TOLERANCE:
        raise RuntimeError(f'its result in ONNX Runtime differs by up to {difference:.3g}')
    return forward
