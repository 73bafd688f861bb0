"""One process of `basicsr bench scale`: python -m pkdn_basicsr.bench.scale_worker OPTIONS REPORT REPEATS WARMUP."""

import json
import logging
import os
import sys
from pathlib import Path

import torch
from basicsr.utils import get_root_logger
from basicsr.utils.dist_util import get_dist_info, init_dist

from pkdn_basicsr.bench.step import train_step
from pkdn_basicsr.bench.training import build_training_model, synthetic_batch
from pkdn_basicsr.host.distributed import leave_process_group
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.host.plugins import import_plugins
from pkdn_basicsr.report.latency import measure_latency


def main(options: str, report: str, repeats: str, warmup: str) -> None:
    """Take training steps; process 0 writes their seconds."""
    get_root_logger(log_level=logging.WARNING)
    import_plugins()
    if 'RANK' in os.environ:
        init_dist('pytorch')
    rank, world_size = get_dist_info()
    torch.set_num_threads(1)
    opt = read_option_file(options)
    model, batch = build_training_model(opt, rank, world_size), synthetic_batch(opt)
    seconds = measure_latency({'step': lambda: train_step(model, batch)}, int(repeats), int(warmup))
    if rank == 0:
        Path(report).write_text(json.dumps(seconds['step']), encoding='utf-8')
    leave_process_group()


if __name__ == '__main__':
    main(*sys.argv[1:])
