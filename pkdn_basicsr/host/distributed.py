"""Multi-process training where BasicSR assumes a GPU, and networks with buffers under DDP."""

import torch
import torch.distributed as dist
from basicsr.models.base_model import BaseModel
from basicsr.utils import dist_util
from torch.nn.parallel import DistributedDataParallel


def start_processes_without_gpu() -> None:
    """Let `--launcher pytorch` start on a machine without a GPU.

    `dist_util._init_dist_pytorch` computes `rank % torch.cuda.device_count()`, which divides by zero, and then asks
    for nccl (BasicSR 1.4.2 `utils/dist_util.py:22-26`; no upstream fix). Without a GPU the gloo backend is used; with
    one, BasicSR's own function runs.
    """
    init_on_gpu = dist_util._init_dist_pytorch

    def init_dist_pytorch(backend: str, **kwargs) -> None:
        if torch.cuda.is_available():
            init_on_gpu(backend, **kwargs)
        else:
            dist.init_process_group(backend='gloo', **kwargs)

    dist_util._init_dist_pytorch = init_dist_pytorch


def wrap_networks_for_rank_zero_validation() -> None:
    """Wrap networks in DDP on CPU too, and without collective calls in `forward`.

    `BaseModel.model_to_device` names `torch.cuda.current_device()`, which raises on CPU (BasicSR 1.4.2
    `models/base_model.py:87-101`). It also leaves DDP's `broadcast_buffers` on: a network with buffers (BatchNorm, our
    `scale`) then broadcasts them in every forward, also in the validation that BasicSR runs on rank 0 alone, and the
    other ranks take that broadcast for their next one: the run hangs or mixes up tensors. Buffers that differ between
    ranks are of no consequence here, because only rank 0 validates and saves.
    """
    to_single_device = BaseModel.model_to_device

    def model_to_device(self: BaseModel, net: torch.nn.Module) -> torch.nn.Module:
        if not self.opt['dist']:
            return to_single_device(self, net)
        device_ids = None if self.device.type == 'cpu' else [torch.cuda.current_device()]
        return DistributedDataParallel(
            net.to(self.device),
            device_ids=device_ids,
            broadcast_buffers=False,
            find_unused_parameters=self.opt.get('find_unused_parameters', False))

    BaseModel.model_to_device = model_to_device
