"""What must be true of torchvision before `import basicsr` can succeed."""

import importlib
import importlib.util
import re
import sys
from types import ModuleType

import torch

_MISSING_OPERATOR = re.compile(r'operator torchvision::(\w+) does not exist')
_NMS_SCHEMA = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
_libraries: list[torch.library.Library] = []  # a Library takes its definitions with it when it is collected


def import_torchvision() -> None:
    """Import torchvision even where its compiled operators do not match torch.

    A CPU build of torch beside the CUDA build of torchvision leaves `torchvision._C` unloadable, and then
    `import torchvision` itself raises, because it registers a meta kernel for an operator nobody defined
    (https://github.com/pytorch/pytorch/issues/122494). Declaring the operator is enough: BasicSR never calls it, and a
    call still fails with torch's own "no kernel" error. A torchvision that imports is left untouched.
    """
    while True:
        try:
            import torchvision  # noqa: F401
            return
        except RuntimeError as error:
            missing = _MISSING_OPERATOR.search(str(error))
            if missing is None:
                raise
        library = torch.library.Library('torchvision', 'FRAGMENT')
        library.define(missing.group(1) + _NMS_SCHEMA)
        _libraries.append(library)
        _forget_half_imported('torchvision')


def _forget_half_imported(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(package + '.')]:
        del sys.modules[name]


def provide_functional_tensor() -> None:
    """Give torchvision >= 0.17 the module `transforms.functional_tensor` that basicsr 1.4.2 imports.

    `basicsr/data/degradations.py` imports `rgb_to_grayscale` from there; torchvision removed the module
    (https://github.com/XPixelGroup/BasicSR/issues/533 and 663; mended in master by #650, never released). Only that
    one name is provided, and only where neither torchvision nor another package's stand-in has the module.
    """
    name = 'torchvision.transforms.functional_tensor'
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        return
    module = ModuleType(name, 'Stand-in made by pkdn_basicsr for basicsr 1.4.2.')
    module.rgb_to_grayscale = importlib.import_module('torchvision.transforms.functional').rgb_to_grayscale
    sys.modules[name] = module
