"""`python -m pkdn_basicsr` is `basicsr`."""

import sys

from pkdn_basicsr.cli import main

if __name__ == '__main__':
    # Without a spec a spawned loader worker runs this file again, as it runs the `basicsr` script, and so gets the
    # shims before it imports a dataset of BasicSR; a main module that was started by `-m` on a package it leaves out
    # (multiprocessing/spawn.py, _fixup_main_from_name).
    __spec__ = None
    sys.exit(main())
