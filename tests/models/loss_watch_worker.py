"""One of two processes, of which the second meets a NaN; called as `distributed_worker.py` is."""

import torch
from distributed_worker import main

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run


def _train(case: dict, rank: int) -> dict:
    from basicsr.models import build_model
    model = build_model({**case['opt'], 'dist': True, 'rank': rank, 'world_size': 2})
    mine = {key: values[2 * rank:2 * rank + 2] for key, values in case['batch'].items()}
    record = {'message': '', 'ended_at': 0}
    for iteration in range(1, 7):
        model.update_learning_rate(iteration)
        run.current.files = [f'/gt/{rank}_{iteration}.png']
        is_bad = rank == 1 and iteration == 3
        model.feed_data({**mine, 'gt': mine['gt'] * torch.nan} if is_bad else mine)
        model.optimize_parameters(iteration)
        if iteration % 5 == 0:
            try:
                model.get_current_log()
            except UsageError as error:
                return {'message': str(error), 'ended_at': iteration}
    return record


if __name__ == '__main__':
    main(_train)
