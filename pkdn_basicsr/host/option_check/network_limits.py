"""What BasicSR's own networks cannot do, said before they fail or, worse, do something else."""

from collections.abc import Mapping

from pkdn_basicsr.errors import UsageError

# name -> its argument, the default, and what works: MSRResNet fails at all else, RRDBNet silently enlarges 4 times
_FACTORS = {'MSRResNet': ('upscale', 4, (2, 3, 4)), 'RRDBNet': ('scale', 4, (1, 2, 4))}


def check_factor(where: str, component: Mapping) -> None:
    """Check that a network of BasicSR can enlarge as much as it is told to.

    Args:
        where: Its place in the option file, e.g. `network_g`.
        component: Its `type` and arguments.

    Raises:
        UsageError: `MSRResNet` or `RRDBNet` with a factor that they do not have.
    """
    if component['type'] not in _FACTORS:
        return
    argument, default, factors = _FACTORS[component['type']]
    factor = component.get(argument, default)
    if factor not in factors:
        raise UsageError(f"{where}.{argument}: BasicSR's {component['type']} enlarges only by "
                         f'{", ".join(map(str, factors))}, found {factor}; take another network, like EDSR or RCAN')


def check_windows(opt: Mapping, key: str) -> None:
    """Check that BasicSR's `SwinIR` can cut the faces of every data set into windows; any other network passes.

    `SwinIRModel` pads them in validation and testing, but not in training.

    Args:
        opt: Options of a run.
        key: The network's place in them.

    Raises:
        UsageError: Low-resolution faces, or `img_size`, are no multiples of the window.
    """
    component = opt[key]
    if component['type'] != 'SwinIR':
        return
    sides = {f'datasets.{phase}.gt_size / scale': dataset_opt['gt_size'] // opt['scale']
             for phase, dataset_opt in opt['datasets'].items() if dataset_opt.get('gt_size') and 'scale' in opt
             and (phase == 'train' or opt['model_type'] != 'SwinIRModel')}
    img_size = component.get('img_size', 64)
    smallest = min(img_size) if isinstance(img_size, list) else img_size
    window = min(component.get('window_size', 7), smallest)
    if window < smallest:  # else its windows are not shifted, and nothing is made for img_size in advance
        sides[f'{key}.img_size'] = smallest
    for name, side in sides.items():
        if side % window:
            raise UsageError(f"{key}: SwinIR's windows are {window}x{window} pixels of the low-resolution image: "
                             f'{name} must be a multiple of {window}, found {side}')
