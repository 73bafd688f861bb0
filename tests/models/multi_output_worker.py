"""One of two processes that train on CPU: `multi_output_worker.py FOLDER RANK`; reads and writes files in FOLDER.

Reads `cases.pt`: {name: {'opt', 'batch'}}. Trains two iterations on half of the batch. Writes `rank<RANK>.pt`: {name:
{'gradients', 'logs'}}, for every iteration.
"""

import sys
from pathlib import Path

import torch
from distributed_worker import main

sys.path.append(str(Path(__file__).resolve().parents[1]))


def _train(case: dict, rank: int) -> dict:
    from basicsr.models import build_model
    torch.manual_seed(rank)  # the ranks start differently, as in the host: DDP must bring them together
    model = build_model({**case['opt'], 'dist': True, 'rank': rank, 'world_size': 2})
    half = {key: values[2 * rank:2 * rank + 2] for key, values in case['batch'].items()}
    record = {'gradients': [], 'logs': []}
    for iteration in (1, 2):
        model.update_learning_rate(iteration)
        model.feed_data(half)
        model.optimize_parameters(iteration)
        record['gradients'].append({name: parameter.grad.clone() for name, parameter in model.net_g.named_parameters()
                                    if parameter.grad is not None})
        record['logs'].append(model.get_current_log())
    model.save(0, 2)
    return record


if __name__ == '__main__':
    import many_outputs  # noqa: F401
    main(_train)
