"""The run of BasicSR's train pipeline that is going on in this process: its loaders, which its models do not know."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import basicsr.train
from basicsr.data.prefetch_dataloader import CPUPrefetcher, CUDAPrefetcher
from basicsr.models.base_model import BaseModel
from torch.utils.data import DataLoader, Sampler

from pkdn_basicsr.host.failure.bad_file_list import BadFileList


@dataclass
class Run:
    """What the pipeline made, and how far it is.

    Attributes:
        opt: The options.
        train_loader: Batches of the training set.
        train_sampler: Their order.
        val_loaders: One a validation set.
        tb_logger: TensorBoard's writer, in process 0 of a run that has one.
        saved_iter: The iteration of the last checkpoint, or of the one that was resumed.
        bad_files: What the training set has skipped, where it may skip.
        iteration: The one under way, from 1.
        files: Those of its batch; in a validation by the host, which reads one by one, that of its face.
    """

    opt: dict | None = None
    train_loader: DataLoader | None = None
    train_sampler: Sampler | None = None
    val_loaders: list[DataLoader] = field(default_factory=list)
    tb_logger: object = None
    saved_iter: int = 0
    bad_files: BadFileList | None = None
    iteration: int = 0
    files: list[str] = field(default_factory=list)

    def position(self, epoch: int, current_iter: int) -> dict[str, int]:
        """Return where in the data a run is after an iteration, as it is kept in the training state."""
        per_epoch = len(self.train_loader)
        return {'epoch': epoch, 'batches': current_iter - epoch * per_epoch, 'batches_per_epoch': per_epoch,
                'batch_size': self.train_loader.batch_size, 'processes': self.train_sampler.num_replicas}


current = Run()
"""The run of this process; empty outside the train pipeline."""


def files_of(batch: Any) -> list[str]:
    """Return the paths that a batch, or a sample, names: those of the truth, or else of the low-resolution images."""
    if not isinstance(batch, dict):
        return []
    files = batch.get('gt_path', batch.get('lq_path', []))
    return [files] if isinstance(files, str) else list(files)


def remember_run() -> None:
    """Keep what the train pipeline makes and does, for saving, resuming and messages.

    BasicSR 1.4.2 (`train.py:92-211`) holds loaders and sampler in local variables, so that no state can say how much of
    an epoch is done: a resumed run starts its epoch over, and sees some faces twice
    (https://github.com/XPixelGroup/BasicSR/issues/679).
    """
    make_loaders, make_loggers = basicsr.train.create_train_val_dataloader, basicsr.train.init_tb_loggers
    update = BaseModel.update_learning_rate

    def create_train_val_dataloader(opt: dict, logger) -> tuple:
        current.opt = opt
        result = make_loaders(opt, logger)
        current.train_loader, current.train_sampler, current.val_loaders = result[:3]
        return result

    def init_tb_loggers(opt: dict):
        current.tb_logger = make_loggers(opt)
        return current.tb_logger

    def update_learning_rate(self: BaseModel, current_iter: int, *args, **kwargs) -> None:
        current.iteration = current_iter
        update(self, current_iter, *args, **kwargs)

    basicsr.train.create_train_val_dataloader = create_train_val_dataloader
    basicsr.train.init_tb_loggers = init_tb_loggers
    BaseModel.update_learning_rate = update_learning_rate
    for prefetcher in (CPUPrefetcher, CUDAPrefetcher):
        prefetcher.next = _remember_files(prefetcher.next)


def _remember_files(take: Callable) -> Callable:
    def next_batch(self: CPUPrefetcher | CUDAPrefetcher) -> Any:
        batch = take(self)
        current.files = files_of(batch)
        return batch

    return next_batch
