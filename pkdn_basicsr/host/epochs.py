"""How many epochs make the iterations that were asked for."""

import math

import basicsr.train
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
