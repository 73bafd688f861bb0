"""One network of a comparison, with its weights."""

import os
from dataclasses import dataclass

import torch
from basicsr.archs import build_network
from basicsr.utils import tensor2img
from numpy import ndarray
from torch import nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.component_check import check_components
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.models.prior import one_hot_prior, takes_parsing


@dataclass(frozen=True)
class Method:
    """A network ready to be run.

    Attributes:
        name: What tables and figures call it.
        net: The network, in eval mode, with its weights.
        uses_prior: It sees the true parsing map, so it is no fair rival of networks that see the face alone.
        parsing_scheme: The scheme of the maps it was trained with, as far as its option file tells.
    """

    name: str
    net: nn.Module
    uses_prior: bool
    parsing_scheme: str | None = None

    @torch.no_grad()
    def super_resolve(self, batch: dict) -> ndarray:
        """Run the network on a batch of one.

        Args:
            batch: `lq` (1, 3, h, w) and, for a teacher, `parsing` (1, H, W).

        Returns:
            uint8 (H, W, 3), BGR, as BasicSR's metrics take it.
        """
        device = next((parameter.device for parameter in self.net.parameters()), torch.device('cpu'))
        inputs = [batch['lq'].to(device)]
        if self.uses_prior:
            inputs.append(one_hot_prior(batch, self.net, device))
        return tensor2img([self.net(*inputs)])


def load_method(name: str, entry: str | dict, device: torch.device) -> Method:
    """Build the network of a `methods:` entry and load its weights.

    Args:
        name: The entry's key.
        entry: Path of an option file, or `{opt: PATH, checkpoint: PATH}`.
        device: Where the network shall lie.

    Raises:
        UsageError: No such option file, an unknown network or key, or weights of another network.
        MissingCheckpointError: No checkpoint.
    """
    entry = {'opt': entry} if isinstance(entry, str) else dict(entry or {})
    if 'opt' not in entry or set(entry) - {'opt', 'checkpoint'}:
        raise UsageError(f"method '{name}': expected the path of an option file or {{opt: PATH, checkpoint: PATH}}, "
                         f'found {entry}')
    opt = read_option_file(entry['opt'])
    if 'network_g' not in opt:
        raise UsageError(f"method '{name}': {entry['opt']} has no network_g")
    check_components({'network_g': opt['network_g']})
    net = build_network(opt['network_g'])
    if any(True for _ in net.parameters()):
        _load_weights(name, net, entry.get('checkpoint') or _checkpoint_path(opt), opt)
    schemes = [dataset_opt.get('parsing_scheme') for dataset_opt in (opt.get('datasets') or {}).values()]
    return Method(name, net.to(device).eval(), takes_parsing(net), next(filter(None, schemes), None))


class MissingCheckpointError(UsageError):
    """A method of a comparison has not been trained yet."""


def _checkpoint_path(opt: dict) -> str:
    """What the option file starts from, or else what training with it ends with."""
    path_opt = opt.get('path') or {}
    if path_opt.get('pretrain_network_g'):
        return os.path.expanduser(path_opt['pretrain_network_g'])
    root = path_opt.get('experiments_root') or 'experiments'
    return os.path.join(os.path.expanduser(root), opt['name'], 'models', 'net_g_latest.pth')


def _load_weights(name: str, net: nn.Module, path: str, opt: dict) -> None:
    if not os.path.isfile(path):
        raise MissingCheckpointError(f"method '{name}': no such checkpoint: {os.path.abspath(path)}; train it first, "
                                     'or go on without it by --allow-missing')
    saved = torch.load(path, map_location='cpu', weights_only=True)
    wished = (opt.get('path') or {}).get('param_key_g')
    keys = [key for key in (wished, 'params_ema', 'params') if key in saved]
    try:
        net.load_state_dict(saved[keys[0]] if keys else saved)
    except RuntimeError as error:
        reason = ' '.join(str(error).split())[:300]
        raise UsageError(f"method '{name}': {path} does not fit {type(net).__name__}: {reason}") from None
