"""Resuming on any device, from any working directory, without losing an experiment, and exactly."""

import os
from pathlib import Path

import basicsr.train
import torch.distributed as dist
from basicsr.models.base_model import BaseModel
from basicsr.utils import check_resume

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.inside_epoch import go_on_inside_epoch
from pkdn_basicsr.host.checkpoint.saving import damaged_file, record_path
from pkdn_basicsr.host.checkpoint.weights_file import read_plain

_STATE = {'epoch', 'iter', 'optimizers', 'schedulers'}


def resume_anywhere() -> None:
    """Replace `basicsr.train.load_resume_state`.

    BasicSR 1.4.2 (`train.py:68-88`) moves the state to `torch.cuda.current_device()`, which raises without a GPU, and
    looks for it under the relative path `experiments/<name>`, so that `--auto_resume` from another directory finds
    nothing, renames the experiment to `_archived_...` and restarts from zero without a word
    (seen by users as https://github.com/kynthesis/StarSRGAN/issues/7).
    """
    basicsr.train.load_resume_state = load_resume_state


def load_resume_state(opt: dict) -> dict | None:
    """Load the state named by `path.resume_state`, or with `--auto_resume` the newest of this experiment.

    Args:
        opt: The parsed options; `path.resume_state` and the `path.pretrain_network_*` entries are set as the host
            does.

    Returns:
        The training state with its tensors on the CPU, or None when training starts from zero.

    Raises:
        UsageError: The state, or a network that belongs to it, does not exist or cannot be read; or `--auto_resume`
            finds no state although the experiment exists.
    """
    run.current.saved_iter = 0
    if opt['auto_resume']:
        opt['path']['resume_state'] = _newest_state(opt)
    state_path = opt['path'].get('resume_state')
    if state_path is None:
        return None
    if not os.path.isfile(state_path):
        raise UsageError(f'path.resume_state: no such file: {os.path.abspath(state_path)}')
    state = _read_state(state_path)
    _refuse_damaged(Path(state_path), state['iter'])
    _set_network_paths(opt, state['iter'])
    run.current.saved_iter = state['iter']
    return state


def _read_state(path: str) -> dict:
    try:
        state = read_plain(path)
    except UsageError as error:
        raise UsageError(f'{os.path.abspath(path)} is no complete training state: {error}; delete it if it was cut '
                         'off while being written, and resume from the one before') from None
    if not isinstance(state, dict) or not _STATE.issubset(state):
        raise UsageError(f'path.resume_state: expected a training state (training_states/<iteration>.state), found '
                         f'something else in {os.path.abspath(path)}')
    return state


def _refuse_damaged(state_path: Path, iteration: int) -> None:
    folder = state_path.absolute().parent
    fault = damaged_file(folder, iteration) if record_path(folder, iteration).exists() else None
    if fault:
        raise UsageError(f'path.resume_state: {fault}; resume from another iteration, or with --auto_resume from the '
                         'newest one that is complete')


def go_on_exactly() -> None:
    """Wrap `BaseModel.resume_training`, so that a resumed run ends as if it had never stopped.

    BasicSR 1.4.2 (`models/base_model.py:342-357`) restores optimizers and schedulers only: the epoch starts over, and
    every random generator from the seed (https://github.com/XPixelGroup/BasicSR/issues/679).
    """
    resume = BaseModel.resume_training

    def resume_training(self: BaseModel, resume_state: dict) -> None:
        try:
            resume(self, resume_state)
            _refuse_other_optimizers(self)
            if hasattr(self, 'load_extra_state'):
                self.load_extra_state(resume_state.get('extra', {}))
        except UsageError:
            raise
        except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            words = ' '.join(str(error).split()) or type(error).__name__
            path = self.opt['path'].get('resume_state') or 'the training state'
            raise UsageError(f'path.resume_state: {path} (iteration {resume_state.get("iter")}) does not fit the '
                             f'networks, losses and optimizers of this run: {words}; resume with the option file that '
                             'it was made with') from error
        if run.current.train_loader is not None:
            go_on_inside_epoch(resume_state, Path(self.opt['path']['training_states']))

    BaseModel.resume_training = resume_training


def _refuse_other_optimizers(model: BaseModel) -> None:
    """Torch takes the state of any optimizer with as many parameters, and misses something in the first step."""
    for optimizer in model.optimizers:
        missing = set(optimizer.defaults).difference(optimizer.param_groups[0])
        if missing:
            raise ValueError(f"it is not that of {type(optimizer).__name__}, which needs {', '.join(sorted(missing))}")


def _newest_state(opt: dict) -> str | None:
    folder = Path(opt['path']['training_states']).absolute()
    experiment = Path(opt['path']['experiments_root']).absolute()
    states = {int(file.stem): file for file in folder.glob('*.state') if file.stem.isdigit()}
    experiment_exists = experiment.exists()
    if dist.is_initialized():
        dist.barrier()  # rank 0 goes on to make the folder: every rank must have looked before
    if states:
        return str(_newest_whole(states, folder, opt['rank']))
    if experiment_exists:
        raise UsageError(f'--auto_resume found no *.state file in {folder}, but the experiment {experiment} exists; '
                         'restarting would archive it. Check the working directory and the name, or leave out '
                         '--auto_resume to archive it and start from zero')
    if opt['rank'] == 0:
        print(f'--auto_resume: no *.state file in {folder}; starting from zero.', flush=True)
    return None


def _newest_whole(states: dict[int, Path], folder: Path, rank: int) -> Path:
    """Return the newest state whose files are all as they were saved; others are named and left alone.

    States without a record are from runs before there were records, or were cut before they were complete.
    """
    recorded = {int(file.stem) for file in folder.glob('*.json') if file.stem.isdigit()}
    if not recorded:
        return states[max(states)]
    for iteration in sorted(recorded.union(states), reverse=True):
        fault = damaged_file(folder, iteration) if iteration in recorded else f'{states[iteration]} has no record'
        if fault is None:
            return states[iteration]
        if rank == 0:
            print(f'--auto_resume: iteration {iteration} cannot be used: {fault}; going back to the one before.',
                  flush=True)
    raise UsageError(f'--auto_resume: none of the {len(states)} training states in {folder} is complete; leave out '
                     '--auto_resume to archive the experiment and start from zero')


def _set_network_paths(opt: dict, resume_iter: int) -> None:
    """Point every saved network to its checkpoint of `resume_iter`; a frozen teacher is not one of them.

    The host's `check_resume` would look for `net_t_<iter>.pth`, which is never written, and would turn the teacher's
    `param_key_t: params_ema` into `params`.
    """
    path_opt = opt['path']
    ignored = path_opt.get('ignore_resume_networks') or []
    ignored = [ignored] if isinstance(ignored, str) else list(ignored)
    if 'network_t' in opt and 'network_t' not in ignored:
        ignored.append('network_t')
    path_opt['ignore_resume_networks'] = ignored
    untouched = {key: path_opt[key] for key in map(_param_key, ignored) if key in path_opt}
    check_resume(opt, resume_iter)
    path_opt.update(untouched)
    for network in opt:
        path = path_opt.get(f'pretrain_{network}')
        if network.startswith('network_') and network not in ignored and not os.path.isfile(path):
            raise UsageError(f"path.resume_state: {path_opt['resume_state']} needs {os.path.abspath(path)}, which does "
                             'not exist; resume with the name and in the folder of the interrupted run')


def _param_key(network: str) -> str:
    return network.replace('network_', 'param_key_')
