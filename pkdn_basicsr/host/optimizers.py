"""Every optimizer of torch by its name, where basicsr 1.4.2 knows Adam alone."""

import difflib

import torch
from basicsr.models.base_model import BaseModel

from pkdn_basicsr.errors import UsageError


def offer_every_torch_optimizer() -> None:
    """Let `optim_g.type` name any optimizer of `torch.optim`.

    `BaseModel.get_optimizer` of the PyPI release raises NotImplementedError for anything but Adam (`models/
    base_model.py:103-108`); BasicSR's master added six more, unreleased (no issue known).
    """

    def get_optimizer(self: BaseModel, optim_type: str, params, lr: float, **kwargs) -> torch.optim.Optimizer:
        return _optimizer_class(optim_type)(params, lr, **kwargs)

    BaseModel.get_optimizer = get_optimizer


def torch_optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """Return every optimizer of torch by its name."""
    return {
        key: value
        for key, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    }


def _optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    known = torch_optimizers()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1) or ['Adam']
        raise UsageError(f"optimizer type '{name}' is not in torch.optim; did you mean '{nearest[0]}'? "
                         f"Known: {', '.join(sorted(known))}")
    return known[name]
