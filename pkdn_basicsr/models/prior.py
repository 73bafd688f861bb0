"""Handing the parsing map to networks that take one."""

import inspect

import torch
from torch import Tensor, nn

from pkdn_basicsr.data.dataset_options import sample_scheme
from pkdn_basicsr.data.parsing_labels import parsing_to_one_hot
from pkdn_basicsr.data.parsing_map_dataset import is_parsing_map_dataset
from pkdn_basicsr.errors import UsageError


def takes_parsing(net: nn.Module) -> bool:
    """Whether the network is `forward(lq, parsing)`, as a teacher is, and not `forward(lq)`.

    The argument's name is what tells; the number of classes is the network's attribute `num_classes`.
    """
    return 'parsing' in inspect.signature(net.forward).parameters


def check_maps(net: nn.Module, datasets_opt: dict) -> None:
    """Check that every data set will return maps, with the network's classes, before the first hour of training.

    A data set of another type without `dataroot_parsing` may have maps of its own; `one_hot_prior` sees to it.

    Raises:
        UsageError: A `ParsingMapDataset` without maps, or the network's `num_classes` is missing or not that of the
            samples' scheme.
    """
    num_classes = getattr(net, 'num_classes', None)
    if num_classes is None:
        raise UsageError(f'{type(net).__name__} takes a parsing map and does not say of how many classes; give it the '
                         'attribute num_classes')
    for phase, dataset_opt in datasets_opt.items():
        if dataset_opt.get('dataroot_parsing') is None:
            if is_parsing_map_dataset(dataset_opt):
                raise UsageError(f'{type(net).__name__} needs the parsing map of every face: '
                                 f'set datasets.{phase}.dataroot_parsing')
            continue
        scheme = sample_scheme(dataset_opt)
        if scheme.num_classes != num_classes:
            raise UsageError(f'{type(net).__name__} has num_classes {num_classes}, but datasets.{phase} has the '
                             f'scheme {scheme.name} with {scheme.num_classes}; make them equal')


def one_hot_prior(data: dict, net: nn.Module, device: torch.device) -> Tensor:
    """Return the batch's map as `net` takes it.

    The map travels as one byte per pixel and is spread over classes on the device.

    Args:
        data: A batch with `parsing`, uint8 (B, H, W), 255 = unknown.
        net: The network; its `num_classes` is K.
        device: Where the result lies.

    Returns:
        float32 (B, K, H, W), one-hot; all zero where unknown.

    Raises:
        UsageError: The data set returns no map.
    """
    if 'parsing' not in data:
        raise UsageError(f'{type(net).__name__} needs the parsing map of every face: set dataroot_parsing in the '
                         "data set's options")
    return parsing_to_one_hot(data['parsing'].to(device, non_blocking=True), net.num_classes)
