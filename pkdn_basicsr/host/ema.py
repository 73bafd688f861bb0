"""The moving average of a network must carry its buffers too."""

import torch
from basicsr.models.base_model import BaseModel


def copy_buffers_into_average() -> None:
    """Copy buffers (BatchNorm statistics) from the network into its moving average at every step.

    `BaseModel.model_ema` of basicsr 1.4.2 averages `named_parameters` alone (`models/base_model.py:75-82`), so a
    network with BatchNorm validates and is saved with the statistics of its initialisation (no issue known; the same
    mistake elsewhere: https://github.com/open-mmlab/mmgeneration/pull/362). Copying, not averaging, is what mmengine's
    EMAHook does: running statistics are averages already.
    """
    average_parameters = BaseModel.model_ema

    @torch.no_grad()
    def model_ema(self: BaseModel, decay: float = 0.999) -> None:
        average_parameters(self, decay)
        net_buffers = dict(self.get_bare_model(self.net_g).named_buffers())
        for name, buffer in self.net_g_ema.named_buffers():
            buffer.copy_(net_buffers[name])

    BaseModel.model_ema = model_ema
