"""One of two processes that train on CPU: `distributed_worker.py FOLDER RANK`; reads and writes files in FOLDER.

Reads `cases.pt`: {name: {'opt', 'batch', 'val', 'iterations'}}; a case may have a 'dtype'. Writes `rank<RANK>.pt`:
{name: record}, where a record has for every iteration the gradients and the log, and at the end the weights.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

import pkdn_basicsr  # noqa: F401


class _Samples(list):
    opt = {'name': 'tiny-val'}  # noqa: RUF012


def _train(case: dict, rank: int) -> dict:
    from basicsr.models import build_model
    torch.set_default_dtype(getattr(torch, case.get('dtype', 'float32')))
    torch.manual_seed(rank)  # the ranks start differently, as in the host: DDP must bring them together
    model = build_model({**case['opt'], 'dist': True, 'rank': rank, 'world_size': 2})
    net = model.get_bare_model(getattr(model, 'trained', model.net_g))
    mine = {key: values[2 * rank:2 * rank + 2] for key, values in case['batch'].items()}
    loader = DataLoader(_Samples(case['val']))
    record = {'gradients': [], 'logs': [], 'teacher': type(getattr(model, 'net_t', None)).__name__}
    for iteration in case['iterations']:
        model.update_learning_rate(iteration)
        model.feed_data(mine)
        model.optimize_parameters(iteration)
        record['gradients'].append({name: p.grad.clone() for name, p in net.named_parameters()})
        record['logs'].append(model.get_current_log())
        model.validation(loader, iteration, None)
    model.save(0, case['iterations'][-1])
    record['weights'] = net.state_dict()
    return record


def main(train: Callable[[dict, int], dict]) -> None:
    """Let `train(case, rank)` record every case."""
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=(folder / 'rendezvous').absolute().as_uri(), rank=rank, world_size=2,
                            timeout=timedelta(seconds=60))
    cases = torch.load(folder / 'cases.pt', weights_only=True)
    torch.save({name: train(case, rank) for name, case in cases.items()}, folder / f'rank{rank}.pt')
    dist.destroy_process_group()


if __name__ == '__main__':
    main(_train)
