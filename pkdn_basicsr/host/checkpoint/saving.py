"""Checkpoints that are whole or not there, and a record of which files belong together."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from basicsr.models.base_model import BaseModel
from basicsr.utils.dist_util import get_dist_info

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import sha256_of_file, write_whole
from pkdn_basicsr.host import run
from pkdn_basicsr.host.checkpoint.random_states import get_random_states
from pkdn_basicsr.host.failure.lost_workers import told_afterwards
from pkdn_basicsr.host.shards import gather


def save_whole_or_stop() -> None:
    """Replace `BaseModel.save_network` and `BaseModel.save_training_state`.

    BasicSR 1.4.2 (`models/base_model.py:195-245, 306-340`) writes over the name that a resumed run will read, so that
    a run killed meanwhile leaves half a file, tries three times and then goes on without a checkpoint ("Just ignore
    it"), and forgets everything that is random; no issue known. A state also keeps the random generators and how much
    of the epoch is done, and `<iteration>.json` the hashes of all files of an iteration; only with it they are
    complete.
    """
    BaseModel.save_network = save_network
    BaseModel.save_training_state = save_training_state


def save_network(self: BaseModel, net, net_label: str, current_iter: int | str, param_key='params') -> None:
    """Save networks as the host does: `models/<label>_<iteration>.pth`, -1 being `latest`; process 0 only.

    Args:
        self: The model.
        net: A network, or a list of them.
        net_label: Such as `net_g`.
        current_iter: The iteration, or what stands for it in the name.
        param_key: The key of each network in the file, or a list of them.

    Raises:
        UsageError: The file cannot be written.
    """
    if get_dist_info()[0] != 0:
        return
    nets, keys = (value if isinstance(value, list) else [value] for value in (net, param_key))
    content = {key: _plain_state(self.get_bare_model(network)) for key, network in zip(keys, nets, strict=True)}
    name = f'{net_label}_{"latest" if current_iter == -1 else current_iter}.pth'
    path = Path(self.opt['path']['models']) / name
    digest = save_whole(content, path)
    _files_of(self, current_iter)[str(path)] = digest


def save_training_state(self: BaseModel, epoch: int, current_iter: int) -> None:
    """Save what a resumed run needs besides the networks; every process its own random generators.

    Args:
        self: The model. What its method `extra_state()` returns, if it has one, is kept too.
        epoch: From 0.
        current_iter: The iteration; after the last one (-1) there is nothing to save.

    Raises:
        UsageError: A file cannot be written.
    """
    if current_iter == -1:
        return
    folder, rank = Path(self.opt['path']['training_states']), get_dist_info()[0]
    mine = save_whole(get_random_states(), random_states_path(folder, current_iter, rank)) if rank != 0 else None
    digests = gather([mine])  # the record is written when all have saved theirs
    previous, run.current.saved_iter = run.current.saved_iter, current_iter
    if rank != 0:
        return
    state = {'epoch': epoch, 'iter': current_iter, 'random_states': get_random_states(),
             'optimizers': [optimizer.state_dict() for optimizer in self.optimizers],
             'schedulers': [scheduler.state_dict() for scheduler in self.schedulers],
             'extra': self.extra_state() if hasattr(self, 'extra_state') else {}}
    if run.current.train_loader is not None:
        state['position'] = run.current.position(epoch, current_iter)
    path = folder / f'{current_iter}.state'
    files = {**_files_of(self, current_iter), str(path): save_whole(state, path),
             **{str(random_states_path(folder, current_iter, other)): digest
                for other, digest in enumerate(digests) if digest}}
    relative = {Path(os.path.relpath(file, folder)).as_posix(): digest for file, digest in files.items()}
    record = record_path(folder, current_iter)
    with _stop_if_not_written(record):
        write_whole(record, json.dumps({'files': relative}, indent=1) + '\n')
    _remove_old(folder, previous, current_iter, (self.opt.get('logger') or {}).get('keep_last'))


def random_states_path(folder: Path, current_iter: int, rank: int) -> Path:
    """Where a process other than 0 keeps its random generators."""
    return folder / f'{current_iter}_random_{rank}.pth'


def record_path(folder: Path, current_iter: int) -> Path:
    """Where the hashes of an iteration's files are."""
    return folder / f'{current_iter}.json'


def damaged_file(folder: Path, current_iter: int) -> str | None:
    """Return the first file of an iteration that is not as it was saved, with what is wrong, or None.

    Args:
        folder: The experiment's `training_states`.
        current_iter: An iteration that has a record.
    """
    path = record_path(folder, current_iter)
    try:
        files = json.loads(path.read_text(encoding='utf-8'))['files']
        for name, digest in files.items():
            file = Path(os.path.normpath(folder / name))
            if not file.is_file():
                return f'{file} is missing'
            if sha256_of_file(file) != digest:
                return f'{file} is not as it was saved'
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f'{path} cannot be read ({type(error).__name__})'
    return None


def save_whole(content: object, path: Path) -> str:
    """Write what `torch.save` writes, under another name first; return its SHA-256.

    Raises:
        UsageError: It cannot be written; files of that name and of earlier iterations are untouched.
    """
    with _stop_if_not_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f'.{path.name}.unfinished')
        try:
            with told_afterwards(), unfinished.open('wb') as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())  # a rename that reaches the disk before the content would leave an empty file
            digest = sha256_of_file(unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return digest


@contextmanager
def _stop_if_not_written(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch's writer has errors of its own, after that of the file
        reasons = (getattr(one, 'strerror', None) for one in (error, error.__context__))
        reason = next(filter(None, reasons), None) or ' '.join(str(error).split())[:200]
        raise UsageError(f'{path.absolute()}: cannot be saved ({reason}); the run stops here, checkpoints of earlier '
                         'iterations are as they were: mend this, and go on with --auto_resume') from None


def _remove_old(folder: Path, previous: int, current_iter: int, keep_last: int | None) -> None:
    """Remove all but the last `logger.keep_last` complete checkpoints; best and latest networks are not among them.

    A run that was resumed at an older state finds later ones, of the run that it leaves behind: they do not count, and
    stay until this run has come past them.
    """
    if not keep_last:
        return
    saved = [int(path.stem) for path in folder.glob('*.json') if path.stem.isdigit()]
    passed = [iteration for iteration in saved if previous < iteration < current_iter]
    own = sorted(iteration for iteration in saved if iteration <= current_iter and iteration not in passed)
    for iteration in [*passed, *own[:-keep_last]]:
        record = record_path(folder, iteration)
        (folder / f'{iteration}.state').unlink(missing_ok=True)  # first: without it the rest counts for nothing
        for name in json.loads(record.read_text(encoding='utf-8'))['files']:
            (folder / name).unlink(missing_ok=True)
        for path in folder.glob(f'{iteration}_random_*.pth'):
            path.unlink()
        record.unlink()


def _files_of(model: BaseModel, current_iter: int | str) -> dict[str, str]:
    """Return the files that were saved in this iteration with their hashes; those of another one are forgotten."""
    iteration, files = getattr(model, '_saved_files', (None, {}))
    if iteration != current_iter:
        files = {}
        model._saved_files = current_iter, files
    return files


def _plain_state(net: torch.nn.Module) -> Mapping[str, torch.Tensor]:
    return {key.removeprefix('module.'): value.cpu() for key, value in net.state_dict().items()}
