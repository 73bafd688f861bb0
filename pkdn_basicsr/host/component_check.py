"""Networks and losses of an option file against what their constructors accept."""

import difflib
import inspect

from basicsr.utils.registry import ARCH_REGISTRY, LOSS_REGISTRY, Registry

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.network_limits import check_factor

_TAKEN_OUT_BY_THE_MODEL = {'feature_opt': ('levels', 'schedule'), 'soft_opt': ('schedule',)}


def check_components(opt: dict) -> None:
    """Check `network_*` and `train.*_opt` before anything is built.

    Raises:
        UsageError: An unknown type or key, or a missing required one, with the nearest valid name.
    """
    for key, component in opt.items():
        if key.startswith('network_'):
            _check(key, component, ARCH_REGISTRY)
            check_factor(key, component)
            _check_scale(key, component, opt)
    for key, component in (opt.get('train') or {}).items():
        if key.endswith('_opt') and isinstance(component, dict) and 'type' in component:
            _check(f'train.{key}', component, LOSS_REGISTRY, _TAKEN_OUT_BY_THE_MODEL.get(key, ()))


def _check_scale(key: str, component: dict, opt: dict) -> None:
    if key not in ('network_g', 'network_t') or 'scale' not in opt:
        return
    parameters = _parameters(ARCH_REGISTRY.get(component['type'])) or {}
    for name in ('scale', 'upscale'):  # ours, and BasicSR's for the same
        if name in parameters or name in component:
            scale = component[name] if name in component else parameters[name].default
            if scale != opt['scale']:
                raise UsageError(f"{key}.{name} is {scale}, but scale is {opt['scale']}; make them equal")


def _check(where: str, component: dict, registry: Registry, extra_keys: tuple[str, ...] = ()) -> None:
    if not isinstance(component, dict):
        raise UsageError(f'{where}: expected a type and its arguments, found {component!r}')
    keys = dict(component)
    name = str(keys.pop('type', None) or '')
    if not name:
        raise UsageError(f'{where} has no type; expected one of {", ".join(sorted(registry.keys()))}')
    if name not in registry and f'{name}_basicsr' not in registry:
        raise UsageError(f"{where}.type: '{name}' is not registered{_suggest(name, list(registry.keys()))}")
    parameters = _parameters(registry.get(name))
    if parameters is None:
        return
    accepted = [*parameters, *extra_keys]
    for key in keys:
        if key not in accepted:
            raise UsageError(f"{where}.{key}: {name} has no argument '{key}'{_suggest(key, accepted)} It takes "
                             f'{", ".join(accepted)}')
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in keys:
            raise UsageError(f'{where}: {name} needs the argument {key}')


def _parameters(cls: type) -> dict[str, inspect.Parameter] | None:
    """Return the constructor's named arguments, or None when it takes any keyword."""
    parameters = inspect.signature(cls).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    return {name: parameter for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_POSITIONAL}


def _suggest(name: str, candidates: list[str]) -> str:
    nearest = difflib.get_close_matches(name, candidates, n=1)
    return f"; did you mean '{nearest[0]}'?" if nearest else '.'
