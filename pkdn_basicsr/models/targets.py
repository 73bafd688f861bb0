"""The parsing map as the target of a network's output: class shares, a picture, or heatmaps of the face's parts.

Every target is a mixture of the map's classes, averaged over the pixels of the output. So each is told by a matrix
(C, K): how much class k adds to channel c. A pixel of no class adds nothing to any channel: it counts as a place where
nothing is, as outside the face in FSRNet's maps, and is not left out of the loss.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from pkdn_basicsr.archs.baselines.kdfsrnet_arch import voc_palette
from pkdn_basicsr.data.parsing_labels import ParsingScheme, conversion_table
from pkdn_basicsr.errors import UsageError

_COMPONENTS = (('l_eye',), ('r_eye',), ('nose',), ('mouth', 'u_lip', 'l_lip'), ('skin',))


def class_matrix(scheme: ParsingScheme) -> Tensor:
    """The classes themselves, (K, K); the target is the share of each class in a pixel, as in FSRNet."""
    return torch.eye(scheme.num_classes)


def colour_matrix(scheme: ParsingScheme) -> Tensor:
    """The PASCAL VOC colours of the classes, (3, K) in [0, 1]; the target is a picture of the map, as in FishFSRNet."""
    return voc_palette(scheme.num_classes)


def component_matrix(scheme: ParsingScheme) -> Tensor:
    """Which class belongs to which of DIC's five components, (5, K); the target is a heatmap of each in [0, 1].

    The components are left eye, right eye, nose, mouth with lips, and contour, of which the skin stands for the last.
    DIC makes them from 68 landmarks (its contour is the jaw line); that they are regions of the map is our choice.
    """
    matrix = torch.zeros(len(_COMPONENTS), scheme.num_classes)
    for component, classes in enumerate(_COMPONENTS):
        matrix[component, [scheme.index(name) for name in classes]] = 1
    return matrix


MAP_TARGETS: Mapping[str, Callable[[ParsingScheme], Tensor]] = MappingProxyType(
    {'parsing': class_matrix, 'colours': colour_matrix, 'components': component_matrix})
"""Every target that is made from the map, by its name in an option file."""


def target_matrix(target: str, source: ParsingScheme, scheme: ParsingScheme) -> Tensor:
    """The matrix of a target in the classes of one scheme, for maps of another.

    Args:
        target: A name in `MAP_TARGETS`.
        source: The scheme of the maps, with K classes.
        scheme: The scheme of the target.

    Returns:
        float32 (C, K).
    """
    classes = torch.arange(scheme.num_classes)[:, None]
    becomes = torch.from_numpy(conversion_table(source, scheme)[:source.num_classes].astype('int64'))
    return MAP_TARGETS[target](scheme) @ (classes == becomes).float()


def mix_classes(one_hot: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Make a target from parsing maps.

    Args:
        one_hot: float (B, K, H, W), all-zero where unknown.
        matrix: (C, K) on the same device.
        size: Height and width of the target; H and W must be multiples of them.

    Returns:
        (B, C, *size): the mixture of classes, averaged over the area of each pixel.

    Raises:
        UsageError: A size that does not divide the map's.
    """
    (height, width), (out_height, out_width) = one_hot.shape[-2:], size
    if height % out_height or width % out_width:
        raise UsageError(f'a target of {out_height}x{out_width} pixels cannot be made from a map of {height}x{width}: '
                         'the sides must divide')
    shares = F.avg_pool2d(one_hot, (height // out_height, width // out_width))
    return torch.einsum('ck,bkhw->bchw', matrix, shares)
