"""DIC: Ma, Jiang, Rao, Lu, Zhou, "Deep Face Super-Resolution with Iterative Collaboration between Attentive Recovery
and Landmark Estimation", CVPR 2020.

Two recurrent networks help each other over four steps: one recovers the image, the other estimates landmarks on what
was recovered, and the landmarks, merged to five facial components, say in the next step which of five groups of
features counts where. Re-implemented from a description of the released network, no code was taken over.

Deviations from what the authors run: they compare 68 landmark heatmaps with Gaussians around annotated landmarks.
Data sets of parsing maps have none, so here the five merged components are what is supervised, with heatmaps made
from the parsing map (the target `components`), and which of a component's landmarks is which stays open. Images are in
[0, 1] outside, the authors' mean shift is inside. Scales other than 8, by another enlargement in the head, are ours.
"""  # noqa: D205

from collections.abc import Sequence

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import check_hr_size

_MEAN = (0.509, 0.424, 0.378)  # RGB in [0, 1], as released
_PROJECTION = {'kernel_size': 12, 'stride': 8, 'padding': 2}  # between the features and their eightfold size
_HEATMAP_STRIDE = 4  # features and heatmaps are as many times smaller than the image

_NUM_LANDMARKS = 68
_COMPONENTS = {  # by the usual numbers of 68 landmarks; the target, not the number, says which eye is the left one
    'left_eye': slice(36, 42),
    'right_eye': slice(42, 48),
    'nose': slice(27, 36),
    'mouth': slice(48, 68),
    'contour': slice(0, 27),
}


class _Merge(nn.Module):
    """1x1 convolution of several features as if concatenated.

    The concatenation is not made: at the eightfold size it would add 60 % to the memory that training needs.
    """

    def __init__(self, num_parts: int, num_feat: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_parts * num_feat, num_feat, 1)
        self.activation = _prelu()

    def forward(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        weights = self.conv.weight.chunk(len(parts), dim=1)
        merged = F.conv2d(parts[0], weights[0], self.conv.bias)
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            merged += F.conv2d(part, weight)
        return self.activation(merged)


class _FeedbackBlock(nn.Module):
    """Features go up to eightfold size and down again, group after group, each seeing what all before it found."""

    def __init__(self, num_in: int, num_feat: int, num_groups: int) -> None:
        super().__init__()
        self.compress_in = nn.Sequential(nn.Conv2d(num_in, num_feat, 1), _prelu())
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(num_feat, num_feat, **_PROJECTION), _prelu()) for _ in range(num_groups)
        )
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(num_feat, num_feat, **_PROJECTION), _prelu()) for _ in range(num_groups)
        )
        self.merge_low = nn.ModuleList(_Merge(num, num_feat) for num in range(2, num_groups + 1))
        self.merge_high = nn.ModuleList(_Merge(num, num_feat) for num in range(2, num_groups + 1))
        self.compress_out = _Merge(num_groups, num_feat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.project(self.compress_in(x))

    def project(self, x: torch.Tensor) -> torch.Tensor:
        high = [self.up[0](x)]
        low = [x, self.down[0](high[0])]
        later_groups = zip(self.merge_low, self.up[1:], self.merge_high, self.down[1:], strict=True)
        for merge_low, up, merge_high, down in later_groups:
            high.append(up(merge_low(low)))
            low.append(down(merge_high(high)))
        return self.compress_out(low[1:])


class _AttentiveFeedbackBlock(_FeedbackBlock):
    """A feedback block that also sees its previous output, and where the facial components are."""

    def __init__(self, num_feat: int, num_groups: int) -> None:
        super().__init__(2 * num_feat, num_feat, num_groups)
        self.fusion = _AttentiveFusion(num_feat)

    def forward(self, x: torch.Tensor, previous: torch.Tensor, components: torch.Tensor) -> torch.Tensor:
        x = self.compress_in(torch.cat([x, previous], dim=1))
        return self.project(self.fusion(x, components))


class _AttentiveFusion(nn.Module):
    """One feature for each component, and their sum, weighed at every pixel by how much of the component is there."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        num_wide = len(_COMPONENTS) * num_feat
        self.branches = nn.Sequential(
            nn.Conv2d(num_feat, num_wide, 1),
            nn.LeakyReLU(0.2, inplace=True),
            *(_GroupedResidual(num_wide) for _ in range(7)),
        )

    def forward(self, x: torch.Tensor, components: torch.Tensor) -> torch.Tensor:
        branches = self.branches(x).unflatten(1, (len(_COMPONENTS), -1))
        weights = components.softmax(1).unsqueeze(2)
        return (branches * weights).sum(1)


class _GroupedResidual(nn.Module):
    """Residual block whose convolutions keep the components apart."""

    def __init__(self, num_wide: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(num_wide, num_wide, 3, padding=1, groups=len(_COMPONENTS)),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(num_wide, num_wide, 3, padding=1, groups=len(_COMPONENTS)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.residual(x)


class _LandmarkNet(nn.Module):
    """An hourglass with memory: heatmaps `(B, 68, H / 4, W / 4)` of an image `(B, 3, H, W)`, and its hidden state."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, num_feat // 4, 7, 2, padding=3),
            nn.ReLU(inplace=True),
            _Bottleneck(num_feat // 4, num_feat // 2),
            nn.MaxPool2d(2),
            _Bottleneck(num_feat // 2, num_feat // 2),
            _Bottleneck(num_feat // 2, num_feat),
        )
        self.recall = nn.Conv2d(2 * num_feat, 2 * num_feat, 1)
        self.hourglass = _Hourglass(2 * num_feat, depth=4)
        self.heatmaps = nn.Sequential(
            _Bottleneck(num_feat, num_feat),
            nn.Conv2d(num_feat, num_feat, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_feat, _NUM_LANDMARKS, 1),
        )

    def forward(self, image: torch.Tensor, hidden: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.features(image)
        x = self.recall(torch.cat([x, x if hidden is None else hidden], dim=1))
        x, hidden = self.hourglass(x).chunk(2, dim=1)
        return self.heatmaps(x), hidden


class _Hourglass(nn.Module):
    """`depth` halvings and enlargements; what was enlarged is added to what was kept at that size."""

    def __init__(self, num_feat: int, depth: int) -> None:
        super().__init__()
        self.keep = nn.ModuleList(_Bottleneck(num_feat, num_feat) for _ in range(depth))
        self.down = nn.ModuleList(_Bottleneck(num_feat, num_feat) for _ in range(depth))
        self.middle = _Bottleneck(num_feat, num_feat)
        self.up = nn.ModuleList(_Bottleneck(num_feat, num_feat) for _ in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for keep, down in zip(self.keep, self.down, strict=True):
            kept.append(keep(x))
            x = down(F.max_pool2d(x, 2))
        x = self.middle(x)
        for up in self.up:
            skip = kept.pop()
            x = skip + F.interpolate(up(x), size=skip.shape[-2:], mode='bilinear', align_corners=True)
        return x


class _Bottleneck(nn.Module):
    """Residual unit of half the inner width, without norm and, as released, with one activation only."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(num_in, num_out, 1) if num_in != num_out else nn.Identity()
        self.residual = nn.Sequential(
            nn.Conv2d(num_in, num_out // 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_out // 2, num_out // 2, 3, padding=1),
            nn.Conv2d(num_out // 2, num_out, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.residual(x)


@ARCH_REGISTRY.register()
class DIC(nn.Module):
    """DIC, 21.8 M parameters: low-resolution face in, high-resolution face out.

    Published training: the sum over the steps of L1 to the ground truth and 0.1 times the mean squared error of the
    heatmaps; Adam 1e-4, halved after 10,000, 20,000, 40,000 and 80,000 of 150,000 iterations, batch 8.

    Args:
        scale: enlargement, a multiple of 4; 8 in the paper.
        num_feat: width of the recovery network.
        num_groups: pairs of an up- and a down-projection in a feedback block.
        num_steps: times that image and landmarks are found, at least 2.
        num_landmark_feat: width of the landmark network, a multiple of 4; its hourglass is twice as wide.
    """

    def __init__(
        self,
        scale: int = 8,
        num_feat: int = 48,
        num_groups: int = 6,
        num_steps: int = 4,
        num_landmark_feat: int = 256,
    ) -> None:
        super().__init__()
        if scale % _HEATMAP_STRIDE:
            raise ValueError(f'Expected a scale that is a multiple of {_HEATMAP_STRIDE}. Got {scale}.')
        if num_steps < 2:
            raise ValueError(f'Expected at least 2 steps, the first works without landmarks. Got {num_steps}.')
        self.scale = scale
        self.num_steps = num_steps
        enlargement = scale // _HEATMAP_STRIDE
        self.register_buffer('mean', torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.head = nn.Sequential(
            nn.Conv2d(3, num_feat * enlargement**2, 3, padding=1), _prelu(), nn.PixelShuffle(enlargement)
        )
        self.first_block = _FeedbackBlock(num_feat, num_feat, num_groups)
        self.block = _AttentiveFeedbackBlock(num_feat, num_groups)
        self.tail = nn.Sequential(
            nn.ConvTranspose2d(num_feat, num_feat, 8, 4, padding=2), _prelu(), nn.Conv2d(num_feat, 3, 3, padding=1)
        )
        self.landmarks = _LandmarkNet(num_landmark_feat)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`, each side at least 64; the last step's image."""
        return self.forward_outputs(lq)['sr']

    def forward_outputs(self, lq: torch.Tensor) -> dict[str, torch.Tensor]:
        """As `forward`, with what every step found.

        Returns:
            `sr1`, `sr2`, ... and for the last step `sr`: images `(B, 3, s*h, s*w)`. `components1`, `components2`, ...:
            `(B, 5, s*h/4, s*w/4)`, where left eye, right eye, nose, mouth and contour are: 1 where there is a
            landmark, more where several meet.
        """
        check_hr_size(self, lq, self.scale, multiple=_HEATMAP_STRIDE, least=64)
        lq = lq - self.mean
        enlarged = F.interpolate(lq, scale_factor=self.scale, mode='bilinear')
        x = self.head(lq)
        outputs = {}
        feature = components = hidden = None
        for step in range(1, self.num_steps + 1):
            feature = self.first_block(x) if step == 1 else self.block(x, feature, components)
            sr = enlarged + self.tail(feature)
            heatmaps, hidden = self.landmarks(sr, hidden)
            components = merge_landmarks(heatmaps)
            name = 'sr' if step == self.num_steps else f'sr{step}'
            outputs |= {name: (sr + self.mean).contiguous(), f'components{step}': components}
        return outputs


def merge_landmarks(heatmaps: torch.Tensor) -> torch.Tensor:
    """Five component heatmaps `(B, 5, H, W)`, in the order of `DIC.forward_outputs`, of 68 landmark heatmaps.

    Each landmark's map is divided by its maximum, or by 0.05 where the maximum is less, and those of a component are
    added up.
    """
    heatmaps = heatmaps / heatmaps.amax((2, 3), keepdim=True).clamp_min(0.05)
    return torch.stack([heatmaps[:, landmarks].sum(1) for landmarks in _COMPONENTS.values()], dim=1)


def _prelu() -> nn.PReLU:
    return nn.PReLU(init=0.2)
