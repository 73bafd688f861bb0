"""Networks and losses of an option file against what their constructors accept."""

import copy
import inspect
from collections.abc import Collection, Iterable, Mapping

from basicsr.utils.registry import ARCH_REGISTRY, LOSS_REGISTRY, Registry

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.frame import registered
from pkdn_basicsr.host.option_check.known_keys import MODELS, of_any
from pkdn_basicsr.host.option_check.network_limits import check_factor
from pkdn_basicsr.host.option_check.problems import Problems, section, suggest

_TAKEN_OUT_BY_THE_MODEL = {'feature_opt': ('levels', 'schedule'), 'soft_opt': ('schedule',)}
_LOADS_FILES = ('PerceptualLoss',)


def check_components(opt: Mapping) -> None:
    """Check `network_*` and `train.*_opt` before anything is built.

    Raises:
        OptionFileError: Unknown types or keys, or missing required ones, with the nearest valid names.
    """
    problems = Problems()
    look_at_components(opt, problems)
    problems.refuse()


def look_at_components(opt: Mapping, problems: Problems) -> None:
    """Check as `check_components` does, and note what is wrong."""
    for key, component in opt.items():
        if str(key).startswith('network_'):
            cls = _look_at(key, component, ARCH_REGISTRY, problems)
            if cls:
                with problems.caught(key, opt):
                    check_factor(key, component)
                _look_at_scale(key, component, cls, opt, problems)
    for key, component in section(opt, 'train').items():
        is_loss = f'train.{key}' in of_any(MODELS)
        if str(key).endswith('_opt') and isinstance(component, Mapping) and (is_loss or 'type' in component):
            own = {name: value for name, value in component.items() if name not in _TAKEN_OUT_BY_THE_MODEL.get(key, ())}
            cls = _look_at(f'train.{key}', own, LOSS_REGISTRY, problems)
            if cls and not problems.has_errors(f'train.{key}'):
                _look_at_values(f'train.{key}', cls, own, opt, problems)


def look_at_arguments(where: str, name: str, arguments: Iterable[str], cls: type, problems: Problems,
                      given_by_others: Collection[str] = ()) -> None:
    """Note arguments that a constructor does not take, and those that it needs and does not get.

    Args:
        where: The section that the arguments are from.
        name: The class's name in the file.
        arguments: Their names.
        cls: The class.
        problems: Where to note.
        given_by_others: Names of arguments that are no options.
    """
    if _takes_any(cls) and not cls.__module__.startswith('basicsr.'):
        return  # SwinIR takes any, too, and reads none
    parameters = _parameters(cls)
    accepted = [key for key in parameters if key not in given_by_others]
    arguments, meant = list(arguments), ''
    for key in arguments:
        if key not in accepted:
            text = suggest(key, accepted)
            meant += text.partition('known')[0]
            problems.error(f'{where}.{key}', f"{name} has no argument '{key}'; {text}")
    for key in accepted:
        if parameters[key].default is inspect.Parameter.empty and key not in arguments and f"'{key}'" not in meant:
            problems.error(f'{where}.{key}', f'{name} needs the argument {key}')


def _look_at(where: str, component: object, registry: Registry, problems: Problems) -> type | None:
    if not isinstance(component, Mapping):
        problems.error(where, f'expected a type and its arguments, found {component!r}')
        return None
    if not component.get('type'):
        problems.error(f'{where}.type', f'is missing; {suggest("", registry.keys())}')
        return None
    cls = registered(registry, component['type'], f'{where}.type', problems)
    if cls:
        look_at_arguments(where, component['type'], [str(key) for key in component if key != 'type'], cls, problems)
    return cls


def _look_at_scale(key: str, component: Mapping, cls: type, opt: Mapping, problems: Problems) -> None:
    if key not in ('network_g', 'network_t') or 'scale' not in opt or problems.has_errors('scale'):
        return
    parameters = {} if _takes_any(cls) else _parameters(cls)
    for name in ('scale', 'upscale'):  # ours, and BasicSR's for the same
        if name in parameters or name in component:
            scale = component[name] if name in component else parameters[name].default
            if scale != opt['scale'] and scale is not inspect.Parameter.empty:
                problems.error(f'{key}.{name}', f"is {scale}, but scale is {opt['scale']}; make them equal")


def _look_at_values(where: str, cls: type, component: Mapping, opt: Mapping, problems: Problems) -> None:
    """Build a loss, which is cheap, for what it says about its values."""
    if cls.__name__ in _LOADS_FILES or not cls.__module__.startswith(('basicsr.', 'pkdn_basicsr.')):
        return
    arguments = {key: copy.deepcopy(value) for key, value in component.items() if key != 'type'}
    with problems.caught(where, opt):
        try:
            cls(**arguments)
        except UsageError:
            raise
        except (TypeError, ValueError, NotImplementedError, AssertionError) as error:
            raise UsageError(f'{where}: {component["type"]}: {" ".join(str(error).split())}') from None


def _takes_any(cls: type) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(cls).parameters.values())


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    """Return the constructor's named arguments."""
    return {name: parameter for name, parameter in inspect.signature(cls).parameters.items()
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)}
