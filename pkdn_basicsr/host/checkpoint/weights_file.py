"""Reading weights from files of other people without running what is in them."""

import logging
import os
import re
import textwrap
import zipfile
from collections.abc import Mapping

import torch
from safetensors.torch import load_file

from pkdn_basicsr.errors import UsageError

_LAYOUTS = ('params', 'params_ema', 'state_dict', 'model')
# what torch says of a pickle that would run something, in all releases since 2.4
_NEEDS_CODE = re.compile(r'(?i:unsupported global)|Unsupported class|unrecognized function|Can only (?:build|create)')
_CODE = re.compile(r'GLOBAL (\S+) (?:was not an allowed global|whose module)')
_ADVICE = re.compile(r'Weights only load failed.*WeightsUnpickler error: | Check the documentation of torch.load.*')


def read_weights(path: str, param_key: str | None = 'params') -> tuple[dict, str | None]:
    """Read the weights of one network as plain tensors, on the CPU.

    Args:
        path: `.safetensors`, or anything that `torch.save` has written.
        param_key: Under which key they lie. Where the file lacks it, or for None, what is there is taken: `params`,
            `params_ema`, `state_dict`, `model`, or bare weights; the log says what.

    Returns:
        The weights, without `module.` at the front of their names, and the key they were found under (None: bare).

    Raises:
        UsageError: No such file, a damaged one, one that needs code to be read, or one without weights. The message
            says what is wrong with the file and leaves it to the caller to name it.
    """
    saved = read_plain(path)
    key = _choose(saved, param_key)
    weights = saved if key is None else saved[key]
    for name in [name for name in weights if name.startswith('module.')]:
        weights[name.removeprefix('module.')] = weights.pop(name)  # in place: it may carry versions in _metadata
    return weights, key


def read_plain(path: str) -> object:
    """Read what `torch.save` or safetensors has written, tensors on the CPU, and nothing that would run.

    Raises:
        UsageError: As `read_weights`.
    """
    try:
        if os.path.splitext(path)[1].lower() == '.safetensors':
            return load_file(path)
        _check_sums(path)
        return torch.load(path, map_location='cpu', weights_only=True)  # torch < 2.6 would run what is in it
    except FileNotFoundError:
        raise UsageError('no such file') from None
    except Exception as error:  # a damaged file can raise anything
        details = ' '.join(str(error).split())
        if _NEEDS_CODE.search(details):
            found = _CODE.search(details)
            raise UsageError(f'the file holds Python objects{f" ({found[1]})" if found else ""}, which would run code '
                             'when read; ask its owner for one that holds weights only '
                             "(torch.save({'params': net.state_dict()}, path)), or for .safetensors") from error
        details = textwrap.shorten(_ADVICE.sub('', details), 150)
        raise UsageError('the file holds no plain weights, was cut off or is damaged '
                         f'({type(error).__name__}: {details})') from error


def _check_sums(path: str) -> None:
    """Look at the checksums of all tensors, which torch writes and does not look at again."""
    if zipfile.is_zipfile(path):  # older ones are no archives and have none
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f'wrong checksum of {damaged}')


def _choose(saved: object, param_key: str | None) -> str | None:
    """Return the key of the weights, or None for bare ones."""
    present = [key for key in (param_key, *_LAYOUTS) if isinstance(saved, Mapping) and key in saved]
    for key in present:
        if _is_weights(saved[key]):
            if param_key not in (key, None):
                logging.getLogger('basicsr').info(f'Loading: {param_key} does not exist, use {key}.')
            return key
    if saved and _is_weights(saved):
        if param_key is not None:
            logging.getLogger('basicsr').info(f'Loading: {param_key} does not exist, use the bare weights of the file.')
        return None
    raise UsageError(f'expected weights, bare or under one of {", ".join(_LAYOUTS)}, found {_describe(saved)} '
                     f'(KeyError: {param_key!r})')


def _is_weights(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and (isinstance(entry, torch.Tensor) or name.endswith('_extra_state'))
        for name, entry in value.items())


def _describe(saved: object) -> str:
    if not isinstance(saved, Mapping):
        return type(saved).__name__
    return textwrap.shorten(f'the keys {", ".join(map(str, saved))}', 150) if saved else 'nothing'
