"""An entry of `methods:`: which network, with which weights."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.checkpoint.weights_file import read_weights
from pkdn_basicsr.host.checkpoint.weights_mismatch import explain_mismatch
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.report.provenance import FileRecord, record_file
from pkdn_basicsr.weights.card import card_of_file
from pkdn_basicsr.weights.shipped import shipped_or_path

_KEYS = {'opt', 'checkpoint', 'maps'}
_FORMS = 'the path of an option file or {opt: PATH, checkpoint: PATH, maps: ...}'


@dataclass(frozen=True)
class Entry:
    """What an entry says.

    Attributes:
        opt: Options, with `network_g`.
        option_file: Where they are from; None where the weights themselves tell what network they are of.
        checkpoint: Path of the weights; None where the options tell it.
        maps: Where parsing maps come from; None for those of the data set, or none.
    """

    opt: Mapping
    option_file: str | None
    checkpoint: str | None
    maps: Mapping | None


class MissingCheckpointError(UsageError):
    """A method of a comparison has not been trained yet."""


def read_entry(name: str, entry: str | Mapping | None) -> Entry:
    """Read what an entry names.

    Args:
        name: The entry's key.
        entry: Path of an option file, or `{opt: PATH, checkpoint: PATH, maps: ...}`. Weights that `basicsr export` has
            written as safetensors, and shipped ones, need no `opt`, and may stand in the place of the mapping.

    Raises:
        UsageError: No such option file, an unknown key, or weights that do not tell what network they are of.
        MissingCheckpointError: No such weights, where they alone are named.
    """
    if isinstance(entry, str):
        entry = {'checkpoint' if shipped_or_path(entry).endswith(('.safetensors', '.pth', '.pt')) else 'opt': entry}
    entry = {} if entry is None else entry
    if not isinstance(entry, Mapping) or not (entry.get('opt') or entry.get('checkpoint')) or set(entry) - _KEYS \
            or not all(isinstance(entry.get(key, ''), str) for key in ('opt', 'checkpoint')):
        raise UsageError(f"method '{name}': expected {_FORMS}, found {entry}")
    checkpoint = os.path.expanduser(shipped_or_path(entry['checkpoint'])) if entry.get('checkpoint') else None
    option_file = os.path.expanduser(entry['opt']) if entry.get('opt') else None
    opt = read_option_file(option_file) if option_file else {'network_g': _network_of(name, checkpoint)}
    if 'network_g' not in opt:
        raise UsageError(f"method '{name}': {option_file} has no network_g")
    return Entry(opt, option_file, checkpoint, entry.get('maps'))


def load_checkpoint(name: str, net: nn.Module, entry: Entry) -> tuple[FileRecord, str | None]:
    """Load the weights of an entry into its network.

    Without `checkpoint` they are those that the options start from, or else what training with them ends with.

    Returns:
        The file, and under which of its keys the weights lie; None: bare ones.

    Raises:
        UsageError: They are of another network or damaged.
        MissingCheckpointError: There are none yet.
    """
    path = entry.checkpoint or _path_in(name, entry)
    _check_there(name, path)
    wished = (entry.opt.get('path') or {}).get('param_key_g')
    try:
        weights, found = read_weights(path, wished or 'params_ema')
        other = wished not in (None, found) and read_weights(path, 'params_ema')[1]
    except UsageError as error:
        raise UsageError(f"method '{name}': {path}: {error}") from None
    if other and other != found:  # where there is one kind, BasicSR takes that as well
        raise UsageError(f"method '{name}': {path} has no {wished!r}, which path.param_key_g names, but {found!r} and "
                         f'{other!r}; name one of them')
    try:
        net.load_state_dict(weights)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"method '{name}': {path} does not fit {type(net).__name__}: "
                         f'{explain_mismatch(net, weights, error)}') from None
    return record_file(path), found


def _network_of(name: str, checkpoint: str | None) -> Mapping:
    """Return `network_g` as the file of weights tells it."""
    _check_there(name, str(checkpoint))
    try:
        return card_of_file(str(checkpoint)).network
    except UsageError as error:
        raise UsageError(f"method '{name}': {checkpoint}: {error}; or name its option file as well: {{opt: PATH, "
                         'checkpoint: PATH}') from None


def _path_in(name: str, entry: Entry) -> str:
    path_opt = entry.opt.get('path') or {}
    if path_opt.get('pretrain_network_g'):
        return os.path.expanduser(shipped_or_path(path_opt['pretrain_network_g']))
    if not isinstance(entry.opt.get('name'), str):
        raise UsageError(f"method '{name}': {entry.option_file}: name: expected that of the training, whose folder has "
                         f"the weights, found {entry.opt.get('name')!r}; add it, path.pretrain_network_g, or the "
                         "method's checkpoint")
    root = os.path.expanduser(path_opt.get('experiments_root') or 'experiments')
    return os.path.join(root, entry.opt['name'], 'models', 'net_g_latest.pth')


def _check_there(name: str, path: str) -> None:
    if not os.path.isfile(path):
        raise MissingCheckpointError(f"method '{name}': no such checkpoint: {os.path.abspath(path)}; train it first, "
                                     'or go on without it by --allow-missing')
