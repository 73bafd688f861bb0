"""The face parsers that other face restoration code uses, BiSeNet and ParseNet, through facexlib (extra `parsers`)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pkdn_basicsr.errors import MissingError

# a key that only the network's checkpoints have -> which one it is, its class scheme, mean and deviation
_NETWORKS = {
    # face-parsing.PyTorch's network; images with ImageNet's mean and deviation
    'cp.resnet.conv1.weight': ('bisenet', 'face_parsing', (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    # PSFRGAN's and GPEN's network; images in [-1, 1]
    'encoder.0.conv2d.weight': ('parsenet', 'celebamask_hq', (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


def is_facexlib_parser(state: Mapping[str, object]) -> bool:
    """Tell whether these weights are a BiSeNet's or a ParseNet's."""
    return any(key in state for key in _NETWORKS)


class FacexlibParser(nn.Module):
    """BiSeNet or ParseNet behind the interface of `FaceParser`, for the 19 classes of `scheme`.

    Args:
        state: Weights, as facexlib's `parsing_bisenet.pth` and `parsing_parsenet.pth` and face-parsing.PyTorch's
            `79999_iter.pth` hold them.

    Raises:
        MissingError: facexlib is not installed.
        RuntimeError: The weights do not fit the network that their names are from.
    """

    input_size = 512
    num_classes = 19

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        kind, self.scheme, mean, std = next(value for key, value in _NETWORKS.items() if key in state)
        self.net = _build(kind)
        self.net.load_state_dict(state)
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1))
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1))

    def forward(self, img: Tensor) -> Tensor:
        """Take `img` `(B, 3, H, W)`, RGB in [0, 1], to scores `(B, 19, H, W)`; both sides multiples of 32."""
        return self.net((img - self.mean) / self.std)[0]


def _build(kind: str) -> nn.Module:
    try:
        from facexlib.parsing import bisenet, parsenet
    except ImportError:
        raise MissingError('these weights of a BiSeNet or ParseNet need facexlib, which is not installed; run: pip '
                           "install 'pkdn_basicsr[parsers]'") from None
    if kind == 'bisenet':
        return bisenet.BiSeNet(num_class=19)
    return parsenet.ParseNet(in_size=512, out_size=512, parsing_ch=19)
