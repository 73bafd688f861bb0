"""A small face parser: which part of the face a pixel shows.

Our choice throughout: a residual encoder and decoder with additive skip connections, in the manner of U-Net
(Ronneberger et al., MICCAI 2015) and LinkNet (Chaurasia and Culurciello, VCIP 2017). It works at half resolution and
coarser, which is where a small network for one CPU core has its time well spent: pixels are folded into channels on the
way in and unfolded into class scores on the way out.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn import functional as F

from pkdn_basicsr.archs.layers import ChannelAttention


class ResidualBlock(nn.Module):
    """conv3, BatchNorm, ReLU, conv3, BatchNorm, plus the input, ReLU (He et al., CVPR 2016)."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(num_feat, num_feat),
            nn.Conv2d(num_feat, num_feat, 3, padding=1, bias=False),
            nn.BatchNorm2d(num_feat),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refine `(B, C, H, W)`."""
        return F.relu(x + self.body(x))


@ARCH_REGISTRY.register()
class FaceParser(nn.Module):
    """Face in, scores of the parsing classes out: 1.29 M parameters, 0.68 G multiply-accumulates at 128x128.

    Args:
        num_classes: parsing classes K.
        num_feat: width of each level, fine to coarse; the first is at half the input's resolution.
        num_blocks: residual blocks of the encoder at each level; the decoder has one a level.
    """

    input_size = 128
    """Side of the faces that it is trained with; larger ones are labelled worse (see `parsing_logits`)."""

    def __init__(self, num_classes: int = 19, num_feat: Sequence[int] = (32, 64, 96, 128),
                 num_blocks: Sequence[int] = (1, 2, 2, 1)) -> None:
        super().__init__()
        if not (isinstance(num_feat, Sequence) and isinstance(num_blocks, Sequence)) \
                or len(num_feat) != len(num_blocks) or not num_feat:
            raise ValueError(f'Expected num_feat and num_blocks of the same levels. Got {num_feat} and {num_blocks}.')
        self.num_classes = num_classes
        self.multiple = 2**len(num_feat)
        self.encoder = nn.ModuleList()
        for level, (num_in, num_out) in enumerate(pairwise([3 * 4, *num_feat])):
            blocks = [ResidualBlock(num_out) for _ in range(num_blocks[level])]
            self.encoder.append(nn.Sequential(_conv(num_in, num_out, stride=2 if level else 1), *blocks))
        self.attention = ChannelAttention(num_feat[-1], squeeze_factor=4)
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(num_feat))
        self.decoder = nn.ModuleList(ResidualBlock(fine) for fine in num_feat[:-1])
        self.tail = nn.Conv2d(num_feat[0], 4 * num_classes, 3, padding=1)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> 'FaceParser':
        """Rebuild a trained network from its weights alone.

        Args:
            state: what `state_dict()` returned, in any floating point type.

        Raises:
            KeyError, RuntimeError: these are not the weights of a `FaceParser`.
        """
        places = [key.split('.')[1:3] for key in state if key.startswith('encoder.')]
        levels = range(len({level for level, _ in places}))
        net = cls(
            num_classes=len(state['tail.bias']) // 4,
            num_feat=[len(state[f'encoder.{level}.0.0.weight']) for level in levels],
            num_blocks=[len({block for at, block in places if int(at) == level}) - 1 for level in levels],
        )
        net.load_state_dict(state)
        return net

    def forward(self, img: Tensor) -> Tensor:
        """Take `img` `(B, 3, H, W)`, RGB in [0, 1], to logits `(B, K, H, W)`.

        H and W must be multiples of 2 to the number of levels (16 by default). It was trained on faces of 128x128.
        """
        if any(side % self.multiple for side in img.shape[2:]):
            raise ValueError(f'FaceParser needs sides that are multiples of {self.multiple}. Got '
                             f'{img.shape[2]}x{img.shape[3]}.')
        x = F.pixel_unshuffle(img - 0.5, 2).contiguous(memory_format=torch.channels_last)
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        x = self.attention(skips.pop())
        for narrow, refine in zip(reversed(self.narrow), reversed(self.decoder), strict=True):
            x = F.interpolate(narrow(x), scale_factor=2, mode='bilinear')
            x = refine(x + skips.pop())
        return F.pixel_shuffle(self.tail(x), 2).contiguous()


@torch.no_grad()
def parsing_logits(net: nn.Module, images: Tensor, size: int | None = None) -> Tensor:
    """Score the classes of faces with a parser.

    A parser knows faces of the size that it was trained with. Others are resized to it, and its scores back.

    Args:
        net: any network of images to logits, such as `FaceParser`, in eval mode.
        images: `(B, 3, H, W)`, RGB in [0, 1], on the network's device.
        size: the side in pixels of the square that the parser sees. Default: its `input_size`.

    Returns:
        Logits `(B, K, H, W)`.
    """
    size = size or net.input_size
    shape = images.shape[2:]
    if shape != (size, size):
        images = F.interpolate(images, (size, size), mode='bicubic', antialias=True).clamp(0, 1)
    logits = net(images)
    return logits if shape == logits.shape[2:] else F.interpolate(logits, shape, mode='bilinear', antialias=True)


def predict_parsing(net: nn.Module, images: Tensor, size: int | None = None) -> Tensor:
    """Label faces with a parser; arguments as in `parsing_logits`.

    Returns:
        uint8 `(B, H, W)`: the class of the highest score.
    """
    return parsing_logits(net, images, size).argmax(1).to(torch.uint8)


def _conv(num_in: int, num_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(num_out),
        nn.ReLU(inplace=True),
    )
