"""Where MMEngine looks for the networks of a `type: pkdn_basicsr.<name>`: it imports `<scope>.registry` by itself."""

from pkdn_basicsr.integrations.mmengine_registry import MODELS

__all__ = ['MODELS']
