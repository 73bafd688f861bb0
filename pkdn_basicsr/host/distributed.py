"""Multi-process training where BasicSR assumes a GPU, and networks with buffers under DDP."""

import torch
import torch.distributed as dist
from basicsr.models.base_model import BaseModel
from basicsr.utils import dist_util
from torch.nn.parallel import DistributedDataParallel


def start_processes_without_gpu() -> None:
    """Let `--launcher pytorch` start on a machine without a GPU.

    `dist_util._init_dist_pytorch` computes `rank % torch.cuda.device_count()`, which divides by zero, and then asks
    for nccl (BasicSR 1.4.2 `utils/dist_util.py:22-26`; no issue known, the same lines of mmcv gave
    https://github.com/open-mmlab/mmdetection/issues/368). Without a GPU the gloo backend is used; with one, BasicSR's
    own function runs.
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
    `models/base_model.py:87-101`; no issue known).

    It also leaves DDP's `broadcast_buffers` on. Then a network with buffers (BatchNorm, our `scale`) that is validated
    itself, not its moving average, broadcasts them in the first forward of a validation, which BasicSR runs on rank 0
    alone (https://github.com/pytorch/pytorch/issues/54059 is the same mistake). In the middle of a run the other ranks
    happen to answer in their next step, in which rank 0 is silent; after the last step nobody answers, and rank 0
    fails (seen with gloo), before it has written `net_g_latest.pth` where `val_freq` divides `total_iter`. Hence
    buffers are made equal once, here, and then left alone: only those of rank 0 are validated and saved.
    """
    to_single_device = BaseModel.model_to_device

    def model_to_device(self: BaseModel, net: torch.nn.Module) -> torch.nn.Module:
        if not self.opt['dist']:
            return to_single_device(self, net)
        device_ids = None if self.device.type == 'cpu' else [torch.cuda.current_device()]
        net = net.to(self.device)
        for buffer in net.buffers():
            dist.broadcast(buffer, src=0)  # as DDP does with parameters: every rank was seeded differently
        return DistributedDataParallel(
            net,
            device_ids=device_ids,
            broadcast_buffers=False,
            find_unused_parameters=self.opt.get('find_unused_parameters', False))

    BaseModel.model_to_device = model_to_device
