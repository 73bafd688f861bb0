r"""Feature distillation losses: how far a student's feature is from its teacher's.

Each is a pure function `(student, teacher) -> scalar` and a thin class registered in BasicSR. Gradients flow to the
student only: the teacher is detached here, so that no caller can forget it. Half precision inputs are computed in
float32, because squares and norms of small features underflow in float16. A class's `needs_equal_widths` tells the
model whether unequal channels need an adapter.
"""

import torch
from basicsr.utils.registry import LOSS_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

_MAX_AFFINITY_SIZE = 32


def feature_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of two features of one shape; see `FeatureL1Loss`."""
    student, teacher = _checked_pair(student, teacher, same_channels=True)
    return F.l1_loss(student, teacher)


def feature_l2(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two features of one shape; see `FeatureL2Loss`."""
    student, teacher = _checked_pair(student, teacher, same_channels=True)
    return F.mse_loss(student, teacher)


def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of two normalised spatial attention maps; see `AttentionTransferLoss`."""
    student, teacher = _checked_pair(student, teacher, same_channels=False)
    return F.mse_loss(_attention_map(student), _attention_map(teacher), reduction='sum') / student.shape[0]


def affinity(student: Tensor, teacher: Tensor, max_size: int = _MAX_AFFINITY_SIZE) -> Tensor:
    """Mean absolute difference of two spatial affinity matrices; see `AffinityLoss`."""
    student, teacher = _checked_pair(student, teacher, same_channels=False)
    return F.l1_loss(_affinity_matrix(student, max_size), _affinity_matrix(teacher, max_size))


@LOSS_REGISTRY.register()
class FeatureL1Loss(nn.Module):
    r"""Mean absolute difference of features, as KDFSRNet distils them.

    .. math:: L = \frac{1}{BChw} \sum_{b,c,y,x} |s_{bcyx} - t_{bcyx}|

    Source: Wang et al., "Propagating Facial Prior Knowledge for Multitask Learning in Face Super-Resolution", TCSVT
    2022.

    Args:
        loss_weight: Factor on the loss.

    Example:
        >>> FeatureL1Loss(loss_weight=0.5)(torch.zeros(1, 64, 4, 4), torch.full((1, 64, 4, 4), 3.0))
        tensor(1.5000)
    """

    needs_equal_widths = True

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Weighted loss, a scalar, from two features (B, C, h, w) of one shape."""
        return self.loss_weight * feature_l1(student, teacher)


@LOSS_REGISTRY.register()
class FeatureL2Loss(nn.Module):
    r"""Mean squared difference of features: the hint loss of FitNets (its 1x1 regressor belongs to the model).

    .. math:: L = \frac{1}{BChw} \sum_{b,c,y,x} (s_{bcyx} - t_{bcyx})^2

    Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, where it is half a squared norm; the
    mean is our choice, so that levels of different size weigh the same.

    Args:
        loss_weight: Factor on the loss.
    """

    needs_equal_widths = True

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Weighted loss, a scalar, from two features (B, C, h, w) of one shape."""
        return self.loss_weight * feature_l2(student, teacher)


@LOSS_REGISTRY.register()
class AttentionTransferLoss(nn.Module):
    r"""Difference of where two features are strong, whatever their channels and scale.

    .. math::
        q(f)_{b,yx} = \frac{1}{C} \sum_c f_{bcyx}^2, \qquad \hat q_b = q_b / \lVert q_b \rVert_2, \qquad
        L = \frac{1}{B} \sum_b \lVert \hat q(s)_b - \hat q(t)_b \rVert_2^2

    The norm is over the h·w positions of one image, so L lies in [0, 2] whatever the size of the level. An all-zero
    feature has an all-zero map and gets no gradient.

    Source: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017 (activation-based transfer); the
    square of the distance is our choice: its gradient is smooth at zero.

    Args:
        loss_weight: Factor on the loss.

    Example:
        A student that looks where its teacher looks has no loss, however weak its features are:

        >>> teacher = torch.rand(1, 64, 4, 4)
        >>> AttentionTransferLoss()(0.1 * teacher, teacher).item() < 1e-6
        True
    """

    needs_equal_widths = False

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Weighted loss, a scalar, from two features (B, C, h, w); C may differ."""
        return self.loss_weight * attention_transfer(student, teacher)


@LOSS_REGISTRY.register()
class AffinityLoss(nn.Module):
    r"""Difference of how alike the positions of one image are to each other, whatever the channels.

    .. math::
        \hat f_{b,i} = f_{b,i} / \lVert f_{b,i} \rVert_2, \qquad A(f)_{b,ij} = \hat f_{b,i} \cdot \hat f_{b,j}, \qquad
        L = \frac{1}{B(hw)^2} \sum_{b,ij} |A(s)_{b,ij} - A(t)_{b,ij}|

    The norm is over the channels of position i. L lies in [0, 2]. The matrix grows with the fourth power of the side
    (1 GiB an image at 128x128), so larger features are average-pooled first (our choice). A position that is zero in
    every channel has no direction: its affinities are 0 and it gets no gradient (our choice; it would be unbounded).

    Source: He et al., "FAKD: Feature-Affinity Based Knowledge Distillation for Efficient Image Super-Resolution", ICIP
    2020.

    Args:
        loss_weight: Factor on the loss.
        max_size: Features are pooled to at most this many positions a side.

    Example:
        A student of 8 channels needs no adapter; strength does not count, only which positions are alike:

        >>> AffinityLoss()(torch.full((1, 8, 4, 4), 0.5), torch.full((1, 64, 4, 4), 3.0)).item() < 1e-6
        True
    """

    needs_equal_widths = False

    def __init__(self, loss_weight: float = 1.0, max_size: int = _MAX_AFFINITY_SIZE) -> None:
        super().__init__()
        if max_size < 1:
            raise ValueError(f'max_size must be at least 1, but is {max_size}')
        self.loss_weight = loss_weight
        self.max_size = max_size

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Weighted loss, a scalar, from two features (B, C, h, w); C may differ."""
        return self.loss_weight * affinity(student, teacher, self.max_size)


def _checked_pair(student: Tensor, teacher: Tensor, same_channels: bool) -> tuple[Tensor, Tensor]:
    """Both features in float32 or better and the teacher's detached; ValueError where the shapes do not fit."""
    found = f'student {tuple(student.shape)} and teacher {tuple(teacher.shape)}'
    if student.dim() != 4 or teacher.dim() != 4:
        raise ValueError(f'expected features of shape (B, C, h, w), found {found}')
    if same_channels and student.shape != teacher.shape:
        raise ValueError(f'expected features of one shape, found {found}: an adapter must match the channels')
    if student.shape[0] != teacher.shape[0] or student.shape[2:] != teacher.shape[2:]:
        raise ValueError(f'expected features of one batch and size (only the channels may differ), found {found}')
    return _at_least_float32(student), _at_least_float32(teacher.detach())


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _attention_map(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h·w) of unit length. 1e-12 is the square of `_affinity_matrix`'s smallest norm."""
    return _unit_vectors(x.square().mean(dim=1).flatten(1), smallest=1e-12)


def _affinity_matrix(x: Tensor, max_size: int) -> Tensor:
    """(B, C, h, w) -> (B, n, n), n = the number of positions after pooling."""
    # Windows, not adaptive pooling: the gradient of the latter is not deterministic on CUDA.
    window = [-(-side // max_size) for side in x.shape[2:]]
    x = F.avg_pool2d(x, window, ceil_mode=True)
    x = _unit_vectors(x.flatten(2).transpose(1, 2), smallest=1e-6)
    with torch.autocast(x.device.type, enabled=False):  # autocast would round the products to half precision
        return x @ x.transpose(1, 2)


def _unit_vectors(x: Tensor, smallest: float) -> Tensor:
    """Vectors along the last dimension at unit length; one not longer than `smallest` becomes 0, without gradient.

    (`F.normalize` multiplies the gradient of a zero vector by 1e12.) NaN stays NaN, so that divergence is seen.
    """
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return torch.where(norm <= smallest, 0.0, x / norm.clamp_min(smallest))
