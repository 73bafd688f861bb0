"""Where in its data a resumed run goes on."""

from pathlib import Path

from basicsr.utils import get_root_logger
from basicsr.utils.dist_util import get_dist_info

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.random_states import set_random_states
from pkdn_basicsr.host.checkpoint.saving import random_states_path
from pkdn_basicsr.host.checkpoint.weights_file import read_plain


def go_on_inside_epoch(state: dict, folder: Path) -> None:
    """Let the sampler leave out what is done of the epoch, and every process draw from its random generators again.

    With other batches than before, by their size or by the number of processes, the run goes on where one would be that
    always had these.

    Args:
        state: The training state that is resumed. With other batches its epoch, which the host reads after this, is set
            to that of the new ones: the host ends after so many epochs as they need for all iterations.
        folder: The experiment's `training_states`.
    """
    position, now = state.get('position'), run.current.position(state['epoch'], state['iter'])
    if position == now and 0 <= now['batches'] <= now['batches_per_epoch']:
        states = _random_states(state, folder)
    else:
        state['epoch'] = state['iter'] // now['batches_per_epoch']
        now, states = run.current.position(state['epoch'], state['iter']), None
        get_root_logger().warning(f"The batches are others than before: {position or 'not known'}, now {now}; the run "
                                  'goes on as if they had always been these.')

    def restore() -> None:
        if states:
            set_random_states(states)

    run.current.train_sampler.start_at(now['epoch'], now['batches'] * now['batch_size'], restore)


def _random_states(state: dict, folder: Path) -> dict | None:
    rank = get_dist_info()[0]
    if rank == 0:
        return state['random_states']
    path = random_states_path(folder, state['iter'], rank)
    try:
        return read_plain(str(path))
    except UsageError:
        get_root_logger().warning(f'{path}: missing or damaged; random generators of this process start anew.')
        return None
