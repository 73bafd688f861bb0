"""scripts/python313/sitecustomize.py, with which any Python runs what BasicSR's setup.py does."""

import os
import subprocess
import sys

SETUP = """
def get_version():
    exec(compile("__version__ = '1.4.2'", 'version.py', 'exec'))
    return locals()['__version__']

names = {}
exec('a = 1', names)
exec('b = 2')
print(get_version(), names['a'], b)
"""


def test_what_is_executed_in_a_function_is_among_its_locals(request):
    environment = {**os.environ, 'PYTHONPATH': str(request.config.rootpath / 'scripts' / 'python313')}
    done = subprocess.run([sys.executable, '-c', SETUP], env=environment, capture_output=True, text=True)
    assert done.stdout == '1.4.2 1 2\n', done.stderr
