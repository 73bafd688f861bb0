"""Why weights do not fit a network, in words."""

import inspect
import re
import textwrap
from collections.abc import Collection, Mapping

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn

_TORCH_S_WORDS = ('Missing key', 'Unexpected key', 'size mismatch')
_SHOWN = 3
_ALIKE = 0.5  # share of common names from which on a network is worth naming


def explain_mismatch(net: nn.Module, weights: Mapping[str, Tensor], error: Exception) -> str:
    """List what is missing, unexpected and of another size, and guess the cause.

    Args:
        net: The network.
        weights: What could not be loaded into it.
        error: What `load_state_dict` said, which lists all names; a network may have added a line of its own, as ours
            do about weights of another scale.

    Returns:
        One line.
    """
    own = net.state_dict()
    missing = [name for name in own if name not in weights]
    unexpected = [name for name in weights if name not in own]
    resized = [name for name in own if name in weights and _size(own[name]) != _size(weights[name])]
    parts = []
    if resized:
        parts.append(f'size mismatch in {_count(resized, own)}: ' + _list(
            [f'{name}: expected {_size(own[name])}, found {_size(weights[name])}' for name in resized], '; '))
    if missing:
        parts.append(f'missing {_count(missing, own)}: {_list(missing)}')
    if unexpected:
        parts.append(f'unexpected {_count(unexpected, weights)}: {_list(unexpected)}')
    causes = _causes(net, own, weights, missing + unexpected, resized)
    if causes:
        parts.append(f'likely cause: {" and ".join(causes)}')
    parts += _own_words(error)
    return '; '.join(parts) or textwrap.shorten(str(error), 200)


def _causes(net: nn.Module, own: Mapping[str, Tensor], weights: Mapping[str, Tensor], differing: list[str],
            resized: list[str]) -> list[str]:
    if not weights:
        return ['there are no weights in the file']
    other = _other_network(net, own, weights)
    if other:
        return [other]
    causes = []
    layers = [name for name in own if isinstance(own[name], Tensor) and own[name].dim() > 1]
    of_other_width = [name for name in layers if name in resized and weights[name].dim() == own[name].dim()]
    first = next((name for name in of_other_width if len(weights[name]) != len(own[name])), None)
    if first and 2 * len(of_other_width) > len(layers):  # a few only: another number of classes or the like
        argument = 'num_feat' if 'num_feat' in inspect.signature(type(net)).parameters else 'width'
        causes.append(f'another {argument} ({first} makes {len(weights[first])} features, here '
                      f'{len(own[first])})')
    repeated = _patterns(own) & _patterns(weights)
    blocks = [name for name in differing if _pattern(name) in repeated]
    if blocks:
        causes.append(f'another number of blocks in {_stems(blocks)}')
    parts = [name for name in differing if _pattern(name) not in repeated]
    if parts:
        causes.append(f'another variant of {type(net).__name__} (only one of the two has all these '
                      f'parts in {_stems(parts)})')
    return causes


def _other_network(net: nn.Module, own: Collection[str], weights: Collection[str]) -> str | None:
    """Say which network of ours the weights resemble more than `net`, whatever its number of blocks."""
    name, found = type(net).__name__, _patterns(weights)
    alike = {name: _share(_patterns(own), found)}
    if alike[name] == 1:
        return None
    for other, cls in ARCH_REGISTRY:
        if cls.__module__.startswith('pkdn_basicsr.') and other != name:
            alike[other] = _share(_patterns(_default_names(cls)), found)
    best = max(alike, key=alike.get)
    if best != name and alike[best] > _ALIKE:
        return f'these are the weights of a {best}'
    return 'these are the weights of another kind of network' if alike[name] < _ALIKE else None


def _default_names(cls: type[nn.Module]) -> Collection[str]:
    try:
        with torch.device('meta'):  # without memory
            return cls().state_dict()
    except (RuntimeError, TypeError, ValueError):  # it has no defaults
        return ()


def _patterns(names: Collection[str]) -> set[str]:
    return {_pattern(name) for name in names}


def _pattern(name: str) -> str:
    return re.sub(r'\d+', '#', name)


def _share(first: set[str], second: set[str]) -> float:
    return len(first & second) / max(1, len(first | second))


def _own_words(error: Exception) -> list[str]:
    lines = [line.strip() for line in str(error).split('\n\t')[1:]]
    return [textwrap.shorten(line, 250) for line in lines if not line.startswith(_TORCH_S_WORDS)]


def _stems(names: list[str]) -> str:
    return _list(list(dict.fromkeys(re.split(r'\.\d', name, maxsplit=1)[0] for name in names)))


def _size(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return 'x'.join(map(str, value.shape)) or 'one number'


def _count(names: list[str], of: Collection[str]) -> str:
    return f'{len(names)} of {len(of)} key{"s" if len(of) > 1 else ""}'


def _list(names: list[str], separator: str = ', ') -> str:
    return separator.join(names[:_SHOWN]) + (f'{separator}...' if len(names) > _SHOWN else '')
