"""ParsingNet of FishFSRNet: Wang, Jiang, Zhong, Zhai, Liu, "Super-Resolving Face Image by Facial Parsing Information",
IEEE Transactions on Biometrics, Behavior, and Identity Science 5(4), 2023.

It guesses the parsing map from the low-resolution face, is trained first and on its own, and stays frozen inside
`FishFSRNet`. Re-implemented from a description, no code was taken over.
"""  # noqa: D205

import os

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.checkpoint.weights_file import read_weights
from pkdn_basicsr.host.checkpoint.weights_mismatch import explain_mismatch

_NUM_BLOCKS = 8
_RESIDUAL_SCALE = 0.2


class ResidualBlock(nn.Module):
    """conv3, ReLU, conv3, times a constant, plus the input (as in EDSR).

    Args:
        num_feat: channels in and out.
        scale: the constant.
    """

    def __init__(self, num_feat: int, scale: float = 1) -> None:
        super().__init__()
        self.scale = scale
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `(B, C, H, W)`."""
        return torch.add(x, self.conv2(F.relu(self.conv1(x), inplace=True)), alpha=self.scale)


@ARCH_REGISTRY.register()
class FishParsingNet(nn.Module):
    """Low-resolution face in, parsing map as a colour picture of the same size out; 0.59 M parameters.

    Published training: L1 to the parsing picture of the high-resolution face at low resolution.

    Args:
        num_feat: width of every feature map.
    """

    def __init__(self, num_feat: int = 64) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(num_feat, _RESIDUAL_SCALE) for _ in range(_NUM_BLOCKS)))
        self.tail = nn.Conv2d(num_feat, 3, 3, padding=1)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Take `lq` `(B, 3, h, w)` in [0, 1] to RGB class colours in [0, 1], not clamped, `(B, 3, h, w)`."""
        return self.tail(self.body(self.head(lq)))

    def forward_outputs(self, lq: torch.Tensor) -> dict[str, torch.Tensor]:
        """As `forward`, the picture under 'parsing'."""
        return {'parsing': self(lq)}


def load_parsing_net(net: FishParsingNet, path: str) -> None:
    """Give `net` the weights of a BasicSR checkpoint, the averaged ones where there are some.

    Raises:
        UsageError: There is no such file, it holds no weights, or they do not fit.
    """
    file = os.path.abspath(os.path.expanduser(path))
    if not os.path.isfile(file):
        raise UsageError(f'parsing_net: no such file: {file}; train it first: '
                         'basicsr train -opt options/baselines/fish_parsing_net.yml')
    try:
        weights, _ = read_weights(file, 'params_ema')
    except UsageError as error:
        raise UsageError(f'parsing_net: {file}: {error}') from error.__cause__
    device = next(net.parameters()).device  # torch's meta device where an option file is only looked at
    try:
        net.load_state_dict({name: value.to(device) for name, value in weights.items()})
    except RuntimeError as error:
        raise UsageError(f'parsing_net: {file} does not fit FishParsingNet of num_feat {net.head.out_channels}: '
                         f'{explain_mismatch(net, weights, error)}') from error
