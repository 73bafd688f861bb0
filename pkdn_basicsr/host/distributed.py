"""Multi-process training where BasicSR assumes a GPU, and networks with buffers under DDP."""

import inspect
import os
import subprocess
import time

import torch
import torch.distributed as dist
from basicsr.models.base_model import BaseModel
from basicsr.utils import dist_util
from torch.nn.parallel import DistributedDataParallel

# torch 2.13 has given the option another name, and warns of the old one
_LEAVE_BUFFERS = ({'forward_sync_buffers': False}
                  if 'forward_sync_buffers' in inspect.signature(DistributedDataParallel).parameters
                  else {'broadcast_buffers': False})


def start_processes_without_gpu() -> None:
    """Let `--launcher pytorch` and `--launcher slurm` start on machines without a GPU.

    The functions behind them compute `rank % torch.cuda.device_count()`, which divides by zero, and then ask for nccl
    (BasicSR 1.4.2 `utils/dist_util.py:22-66`; no issue known, the same lines of mmcv gave
    https://github.com/open-mmlab/mmdetection/issues/368). Without a GPU the gloo backend is used; with one, BasicSR's
    own functions run.
    """
    pytorch_on_gpu, slurm_on_gpu = dist_util._init_dist_pytorch, dist_util._init_dist_slurm

    def init_dist_pytorch(backend: str, **kwargs) -> None:
        if torch.cuda.is_available():
            pytorch_on_gpu(backend, **kwargs)
        else:
            dist.init_process_group(backend='gloo', **kwargs)

    def init_dist_slurm(backend: str, port: int | None = None) -> None:
        if torch.cuda.is_available():
            slurm_on_gpu(backend, port)
        else:
            os.environ.update(_slurm_environment(port))
            dist.init_process_group(backend='gloo')

    dist_util._init_dist_pytorch, dist_util._init_dist_slurm = init_dist_pytorch, init_dist_slurm


def _slurm_environment(port: int | None) -> dict[str, str]:
    """What torch wants to know of the processes, from what Slurm tells each of them; as in the host."""
    nodes = ['scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']]
    return {
        'MASTER_ADDR': subprocess.run(nodes, capture_output=True, text=True, check=True).stdout.split()[0],
        'MASTER_PORT': str(port or os.environ.get('MASTER_PORT', 29500)),
        'WORLD_SIZE': os.environ['SLURM_NTASKS'],
        'RANK': os.environ['SLURM_PROCID'],
    }


def leave_process_group() -> None:
    """Leave the other processes at the end of a run, if there are any.

    Gloo's thread needs Python's lock to forget the last exchange. The group's destructor waits for that thread and
    keeps the lock: whoever is in it before the thread is done waits for ever (seen with torch 2.13).
    Hence the thread is given its turn first.
    """
    if dist.is_initialized():
        time.sleep(0.1)
        dist.destroy_process_group()


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
            **_LEAVE_BUFFERS,
            find_unused_parameters=self.opt.get('find_unused_parameters', False),
            static_graph=self.opt.get('static_graph', False),
            gradient_as_bucket_view=True)

    BaseModel.model_to_device = model_to_device
