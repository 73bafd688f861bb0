"""Lets Python 3.13 build BasicSR 1.4.2 (XPixelGroup/BasicSR issue 749) while PYTHONPATH has this folder.

BasicSR's setup.py calls `exec(code)` in a function and then looks for the result in `locals()`. Since Python 3.13 it
does not arrive there (PEP 667), unless `exec` is given the frame's own variables.
"""

import builtins
import sys

_exec = builtins.exec


def _exec_into_frame(code, *scopes, **named):
    if not scopes and not named:
        caller = sys._getframe(1)
        scopes = caller.f_globals, caller.f_locals
    _exec(code, *scopes, **named)


builtins.exec = _exec_into_frame
