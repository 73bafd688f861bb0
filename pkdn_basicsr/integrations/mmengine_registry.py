"""MMEngine: `MODELS.build(dict(type='pkdn_basicsr.PKDNStudent', num_feat=64))`, for MMagic and its kin, too.

MMEngine reads the part before the dot as a scope and imports `pkdn_basicsr.registry`, which brings this module: nothing
need be imported or named in `custom_imports` before. Arguments are those of an option file.

Example:
    >>> MODELS.build({'type': 'pkdn_basicsr.PKDNStudent', 'scale': 4, 'num_feat': 8}).upscale
    4
"""

from basicsr.utils.registry import ARCH_REGISTRY
from mmengine.registry import MODELS as ROOT
from mmengine.registry import Registry

MODELS = Registry('model', parent=ROOT, scope='pkdn_basicsr')
"""Every network of this package by its class name; those of BasicSR and of other plugins are left out."""

for _name, _network in ARCH_REGISTRY:
    if _network.__module__.startswith('pkdn_basicsr.'):
        MODELS.register_module(name=_name, module=_network)
