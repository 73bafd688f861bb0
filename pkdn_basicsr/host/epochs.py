"""The iterations that were asked for, and no other number of them."""

import math

import basicsr.train
from basicsr.models.base_model import BaseModel
from torch.utils.data import DataLoader, Dataset

from pkdn_basicsr.errors import UsageError


def train_to_the_last_iteration() -> None:
    """Wrap `create_train_val_dataloader`, so that training does all of `total_iter`, and refuse epochs of no batch.

    BasicSR 1.4.2 (`train.py:36-40`) rounds the batches of an epoch up, but its loader drops the incomplete one, so that
    the epochs it counts on are too few: 200 iterations of batch 4 on 35 pictures end after 192 without a word, and with
    fewer pictures than a batch nothing is trained at all; no issue known.
    """
    make, build = basicsr.train.create_train_val_dataloader, basicsr.train.build_dataloader

    def build_dataloader(dataset: Dataset, dataset_opt: dict, **kwargs) -> DataLoader:
        loader = build(dataset, dataset_opt, **kwargs)
        if dataset_opt['phase'] == 'train' and len(loader) == 0:
            raise UsageError(f"dataset {dataset_opt['name']}: {len(dataset)} images make {len(loader.sampler)} samples "
                             f'a process and epoch, less than one batch of {loader.batch_size} (batch_size_per_gpu '
                             f"{dataset_opt['batch_size_per_gpu']}); add images, lower batch_size_per_gpu or raise "
                             'dataset_enlarge_ratio')
        return loader

    def create_train_val_dataloader(opt: dict, logger) -> tuple:
        train_loader, train_sampler, val_loaders, _, total_iters = make(opt, logger)
        return train_loader, train_sampler, val_loaders, math.ceil(total_iters / len(train_loader)), total_iters

    basicsr.train.build_dataloader = build_dataloader
    basicsr.train.create_train_val_dataloader = create_train_val_dataloader


def validate_at_the_last_iteration() -> None:
    """Let `BaseModel.validation` after training count no further than `total_iter`.

    BasicSR 1.4.2 (`train.py:162-164, 205-207`) has gone one on when it leaves its loop, so that the last results are
    logged as those of iteration 2001 of 2000; no issue known.
    """
    validate = BaseModel.validation

    def validation(self: BaseModel, dataloader: DataLoader, current_iter: int | str, *args, **kwargs) -> None:
        if self.is_train:
            current_iter = min(current_iter, int(self.opt['train']['total_iter']))
        validate(self, dataloader, current_iter, *args, **kwargs)

    BaseModel.validation = validation
