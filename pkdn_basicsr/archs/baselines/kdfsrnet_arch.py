"""KDFSRNet: Wang, Jiang, Zhong, Liu, "Propagating Facial Prior Knowledge for Multitask Learning in Face
Super-Resolution", IEEE Transactions on Circuits and Systems for Video Technology 32(11), 2022.

The ancestor of PKDN: a teacher that sees the true parsing map hands its features, level by level, to a student that
sees the low-resolution face alone. Both are one autoencoder without skip connections or global residual; the student
is the larger one (6 blocks a stage against 2). Re-implemented from a description, no code was taken over.

Deviations from what the authors run: the native low-resolution face goes in and is enlarged inside (they feed a
bicubic enlargement made beforehand); the frozen mean-shift layers, which nothing uses, are left out; the colours of
the teacher's parsing picture are ours.
"""  # noqa: D205

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import RCAB, BicubicUpsample, Down, Up, check_hr_size

_NUM_LEVELS = 4


class _Autoencoder(nn.Module):
    """Head, four halvings, neck, four doublings, tail; every stage is a row of RCABs of one width."""

    def __init__(self, num_in: int, num_feat: int, num_blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(num_in, num_feat, 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.Sequential(Down(num_feat, num_feat), *_stage(num_feat, num_blocks)) for _ in range(_NUM_LEVELS)
        )
        self.neck = nn.Sequential(*_stage(num_feat, num_blocks))
        self.decoder = nn.ModuleList(
            nn.Sequential(Up(num_feat, num_feat), *_stage(num_feat, num_blocks)) for _ in range(_NUM_LEVELS)
        )
        self.tail = nn.Conv2d(num_feat, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Take `(B, num_in, H, W)` to the image `(B, 3, H, W)` and the nine stage outputs in the order they come."""
        features = {}
        x = self.head(x)
        for level, stage in enumerate(self.encoder, start=1):
            x = features[f'enc{level}'] = stage(x)
        x = features['neck'] = self.neck(x)
        for level, stage in zip(range(_NUM_LEVELS, 0, -1), self.decoder, strict=True):
            x = features[f'dec{level}'] = stage(x)
        return self.tail(x).contiguous(), features


def _stage(num_feat: int, num_blocks: int) -> list[RCAB]:
    return [RCAB(num_feat, squeeze_factor=16) for _ in range(num_blocks)]


@ARCH_REGISTRY.register()
class KDFSRNetStudent(nn.Module):
    """KDFSRNet's student, 5.20 M parameters: low-resolution face in, high-resolution face out.

    Published training: L1 to the ground truth, plus 10 times the mean L1 distance of the nine features to the
    teacher's (falling linearly to 0 over ten epochs), plus 0.1 times L1 to the teacher's image while that lasts.

    Args:
        scale: enlargement; 8 in the paper.
        num_feat: width of every feature map.
        num_blocks: RCABs in each of the nine stages.
    """

    def __init__(self, scale: int = 8, num_feat: int = 64, num_blocks: int = 6) -> None:
        super().__init__()
        self.scale = scale
        self.upsample = BicubicUpsample(scale)
        self.autoencoder = _Autoencoder(3, num_feat, num_blocks)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to `(B, 3, s*h, s*w)`; `s*h` and `s*w` must be multiples of 16."""
        return self.forward_features(lq)[0]

    def forward_features(self, lq: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """As `forward`, with the stage outputs `enc1`..`enc4`, `neck`, `dec4`..`dec1`; `num_feat` channels each.

        `enc`i is `2**i` times smaller than the output, `neck` as `enc4`; `dec`i is `2**(i - 1)` times smaller.
        """
        check_hr_size(self, lq, self.scale, multiple=2**_NUM_LEVELS)
        return self.autoencoder(self.upsample(lq))


@ARCH_REGISTRY.register()
class KDFSRNetTeacher(nn.Module):
    """KDFSRNet's teacher, 2.53 M parameters: low-resolution face and true parsing map in, high-resolution face out.

    The published teacher is fed the map as a three-channel colour picture beside the face. Its colours are not
    published; ours are the PASCAL VOC palette (background black), applied here to the one-hot map, so that a teacher
    has the same shape whatever the number of classes. Published training: L1.

    Args:
        num_classes: parsing classes K, at most 256.
        scale: enlargement; 8 in the paper.
        num_feat: width of every feature map.
        num_blocks: RCABs in each of the nine stages.
    """

    def __init__(self, num_classes: int = 19, scale: int = 8, num_feat: int = 64, num_blocks: int = 2) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.scale = scale
        self.upsample = BicubicUpsample(scale)
        self.register_buffer('palette', voc_palette(num_classes), persistent=False)
        self.autoencoder = _Autoencoder(3 + 3, num_feat, num_blocks)

    def forward(self, lq: torch.Tensor, parsing: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] and one-hot `parsing` `(B, K, s*h, s*w)` to `(B, 3, s*h, s*w)`.

        A pixel of no class (all zero) is painted black. `s*h` and `s*w` must be multiples of 16.
        """
        return self.forward_features(lq, parsing)[0]

    def forward_features(
        self, lq: torch.Tensor, parsing: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """As `forward`, with the stage outputs named and shaped as in `KDFSRNetStudent.forward_features`."""
        check_hr_size(self, lq, self.scale, multiple=2**_NUM_LEVELS)
        enlarged = self.upsample(lq)
        expected = (enlarged.shape[0], self.palette.shape[1], *enlarged.shape[2:])
        if parsing.shape != expected:
            raise ValueError(f'Expected a one-hot parsing map of shape {expected}. Got {tuple(parsing.shape)}.')
        painted = F.conv2d(parsing, self.palette[:, :, None, None])
        return self.autoencoder(torch.cat([enlarged, painted], dim=1))


def voc_palette(num_classes: int) -> torch.Tensor:
    """The PASCAL VOC colours of classes 0..num_classes-1, `(3, num_classes)` in [0, 1]; class 0 is black.

    The bits of a class index are dealt in turn to red, green and blue, and within a channel from the highest bit
    down, which keeps neighbouring classes far apart and all of the first 256 different.
    """
    if not 1 <= num_classes <= 256:
        raise ValueError(f'Expected 1 to 256 parsing classes, one colour each. Got {num_classes}.')
    classes = torch.arange(num_classes)
    channels = [sum((classes >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3)]
    return torch.stack(channels) / 255
