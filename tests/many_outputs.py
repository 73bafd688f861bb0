"""A network of several supervised outputs, without BatchNorm, which would see other batches in other processes."""

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import nn
from torch.nn import functional as F

from pkdn_basicsr.models import multi_output_model  # noqa: F401


@ARCH_REGISTRY.register()
class ManyOutputs(nn.Module):
    """`sr`, `prior` of `num_prior` channels at half its size, and `picture`, of three, at that of `lq`."""

    def __init__(self, scale=4, num_prior=11):
        super().__init__()
        self.scale = scale
        self.body = nn.Conv2d(3, 4 * scale**2, 3, padding=1)
        self.tail = nn.Conv2d(4, 3, 3, padding=1)
        self.prior_head = nn.Conv2d(4, num_prior, 1)
        self.picture_head = nn.Conv2d(4, 3, 1)
        self.register_buffer('shift', torch.rand(1))

    def forward(self, lq):
        return self.forward_outputs(lq)['sr']

    def forward_outputs(self, lq):
        x = F.pixel_shuffle(self.body(lq) + self.shift, self.scale).relu()
        return {'sr': self.tail(x), 'prior': self.prior_head(F.avg_pool2d(x, 2)),
                'picture': self.picture_head(F.avg_pool2d(x, self.scale))}
