"""The run of BasicSR's train pipeline that is going on in this process: its loaders, which its models do not know."""

from dataclasses import dataclass, field

import basicsr.train
from torch.utils.data import DataLoader, Sampler


@dataclass
class Run:
    """What the pipeline made.

    Attributes:
        train_loader: Batches of the training set.
        train_sampler: Their order.
        val_loaders: One a validation set.
        tb_logger: TensorBoard's writer, in process 0 of a run that has one.
    """

    train_loader: DataLoader | None = None
    train_sampler: Sampler | None = None
    val_loaders: list[DataLoader] = field(default_factory=list)
    tb_logger: object = None

    def position(self, epoch: int, current_iter: int) -> dict[str, int]:
        """Return where in the data a run is after an iteration, as it is kept in the training state."""
        per_epoch = len(self.train_loader)
        return {'epoch': epoch, 'batches': current_iter - epoch * per_epoch, 'batches_per_epoch': per_epoch,
                'batch_size': self.train_loader.batch_size, 'processes': self.train_sampler.num_replicas}


current = Run()
"""The run of this process; empty outside the train pipeline."""


def remember_run() -> None:
    """Keep what the train pipeline makes, for saving and resuming.

    BasicSR 1.4.2 (`train.py:92-211`) holds loaders and sampler in local variables, so that no state can say how much of
    an epoch is done: a resumed run starts its epoch over, and sees some faces twice
    (https://github.com/XPixelGroup/BasicSR/issues/679).
    """
    make_loaders, make_loggers = basicsr.train.create_train_val_dataloader, basicsr.train.init_tb_loggers

    def create_train_val_dataloader(opt: dict, logger) -> tuple:
        result = make_loaders(opt, logger)
        current.train_loader, current.train_sampler, current.val_loaders = result[:3]
        return result

    def init_tb_loggers(opt: dict):
        current.tb_logger = make_loggers(opt)
        return current.tb_logger

    basicsr.train.create_train_val_dataloader = create_train_val_dataloader
    basicsr.train.init_tb_loggers = init_tb_loggers
