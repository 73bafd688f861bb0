"""What an option file asks of the machine."""

import os
from collections.abc import Mapping

import torch

from pkdn_basicsr.host.option_check.problems import Problems


def check_gpus(opt: Mapping, problems: Problems) -> None:
    """Check that there are as many GPUs as are asked for.

    BasicSR takes any number but 0 for "CUDA" and fails without one after it has made its folders; in one process it
    uses the GPUs that it finds, but makes batches for as many as were asked for.

    Args:
        opt: Options of a run, with `dist`.
        problems: Where to note too few GPUs.
    """
    wanted, found = opt.get('num_gpu'), torch.cuda.device_count()
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted <= 0:
        return
    here = int(os.environ.get('LOCAL_WORLD_SIZE', 1)) if opt['dist'] else wanted
    if found == 0:
        problems.error('num_gpu', f'expected 0 or auto, since there is no GPU here, found {wanted}')
    elif opt['dist'] and here > found:
        problems.error('num_gpu', f'there are {found} GPUs here for {here} processes; start one process for each GPU')
    elif here > found:
        note = problems.error if opt['is_train'] else problems.warn
        note('num_gpu', f'expected at most {found}, the GPUs that are here, or auto, found {wanted}')
