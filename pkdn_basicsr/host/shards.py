"""Sharing work on a data set among the processes of `torchrun`, with the result of one process."""

from collections.abc import Sequence
from typing import TypeVar

import torch.distributed as dist
from basicsr.utils.dist_util import get_dist_info
from torch.utils.data import DataLoader, Dataset, Subset

T = TypeVar('T')


def my_share(count: int) -> range:
    """Return the indices of this process, of `count`; the processes take turns, and every index belongs to one."""
    rank, processes = get_dist_info()
    return range(rank, count, processes)


def load_my_share(dataset: Dataset, num_workers: int = 0) -> DataLoader:
    """Return this process's share of a data set as batches of one."""
    return DataLoader(Subset(dataset, my_share(len(dataset))), num_workers=num_workers)


def gather(mine: Sequence[T]) -> list[T] | None:
    """Bring what the processes made of their shares into the order of the whole.

    Every process must call it.

    Args:
        mine: One entry for each index of `my_share`, in its order.

    Returns:
        The entries of all indices in their order in process 0; None in the others.
    """
    rank, processes = get_dist_info()
    if processes == 1:
        return list(mine)
    shares: list[Sequence[T]] | None = [[] for _ in range(processes)] if rank == 0 else None
    dist.gather_object(list(mine), shares)
    if shares is None:
        return None
    whole: list = [None] * sum(map(len, shares))
    for start, share in enumerate(shares):
        whole[start::processes] = share
    return whole


def from_first(value: T) -> T:
    """Return what process 0 called this with; every process must call it."""
    if get_dist_info()[1] == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]
