import sys
from pathlib import Path
from types import ModuleType

import pytest
import tiny

from pkdn_basicsr.host import torchvision_compat
from pkdn_basicsr.host.torchvision_compat import provide_functional_tensor

FUNCTIONAL_TENSOR = 'torchvision.transforms.functional_tensor'

# torchvision_compat.py alone, since importing the package would import the whole of torchvision
LOAD = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location('compat', {str(Path(torchvision_compat.__file__))!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
"""

REGISTERS_TWO_OPERATORS = """
import torch
torch.library.register_fake('torchvision::nms')(lambda *args: None)
torch.library.register_fake('torchvision::roi_align')(lambda *args: None)
"""


@pytest.fixture
def fake_torchvision(tmp_path):
    """Write a torchvision whose `__init__` is `init`, with or without `functional_tensor`."""
    def write(init, with_functional_tensor):
        transforms = tmp_path / 'torchvision' / 'transforms'
        transforms.mkdir(parents=True)
        (tmp_path / 'torchvision' / '__init__.py').write_text(init)
        (transforms / '__init__.py').touch()
        (transforms / 'functional.py').write_text('def rgb_to_grayscale(): pass\n')
        if with_functional_tensor:
            (transforms / 'functional_tensor.py').write_text('def rgb_to_grayscale(): pass\n')
        return tmp_path
    return write


def run_with(torchvision, code):
    done = tiny.run_python('-c', LOAD + code, cwd=torchvision, python_path=torchvision)
    assert done.returncode == 0, done.stderr


def test_declares_the_operators_that_a_mismatched_torchvision_lacks(fake_torchvision):
    run_with(fake_torchvision(REGISTERS_TWO_OPERATORS, with_functional_tensor=False), """
import torch
try:
    import torchvision
    raise AssertionError('the fake is not broken')
except RuntimeError as error:
    assert 'torchvision::nms does not exist' in str(error), error

compat.import_torchvision()
import torchvision
assert len(compat._libraries) == 2
try:
    torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    raise AssertionError('an operator without kernel was called')
except NotImplementedError as error:
    assert 'torchvision::nms' in str(error), error

compat.provide_functional_tensor()
from torchvision.transforms import functional
from torchvision.transforms.functional_tensor import rgb_to_grayscale
assert rgb_to_grayscale is functional.rgb_to_grayscale
assert [name for name in dir(sys.modules['torchvision.transforms.functional_tensor']) if name[0] != '_'] == \\
    ['rgb_to_grayscale']
""")


def test_a_torchvision_that_imports_and_has_functional_tensor_is_untouched(fake_torchvision):
    run_with(fake_torchvision('', with_functional_tensor=True), """
import torchvision
compat.import_torchvision()
compat.provide_functional_tensor()
assert sys.modules['torchvision'] is torchvision and compat._libraries == []
from torchvision.transforms import functional, functional_tensor
assert functional_tensor.rgb_to_grayscale is not functional.rgb_to_grayscale
""")


def test_another_failure_of_torchvision_is_passed_on(fake_torchvision):
    run_with(fake_torchvision('raise RuntimeError("something else")', with_functional_tensor=False), """
try:
    compat.import_torchvision()
    raise AssertionError('no error')
except RuntimeError as error:
    assert str(error) == 'something else'
""")


def test_a_stand_in_of_another_package_is_kept(monkeypatch):
    theirs = ModuleType(FUNCTIONAL_TENSOR)
    monkeypatch.setitem(sys.modules, FUNCTIONAL_TENSOR, theirs)
    provide_functional_tensor()
    assert sys.modules[FUNCTIONAL_TENSOR] is theirs


def test_the_package_imports_on_a_torchvision_that_is_broken_and_lacks_functional_tensor(tmp_path):
    done = tiny.run_python('-c', """
import sys
import torch

class Break:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == 'torchvision' and not hasattr(torch.ops.torchvision, 'made_up'):
            raise RuntimeError('operator torchvision::made_up does not exist')

sys.meta_path.insert(0, Break)
import pkdn_basicsr
assert hasattr(torch.ops.torchvision, 'made_up')
from basicsr.data import degradations
from torchvision.transforms import functional
assert degradations.rgb_to_grayscale is functional.rgb_to_grayscale
""", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_package_imports_on_a_torchvision_that_works_and_has_functional_tensor(tmp_path):
    own = tmp_path / 'own_functional_tensor.py'
    own.write_text('def rgb_to_grayscale(): pass\n')
    done = tiny.run_python('-c', f"""
import importlib.util, re, sys
import torch

class Provide:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {FUNCTIONAL_TENSOR!r}:
            return importlib.util.spec_from_file_location(name, {str(own)!r})

sys.meta_path.insert(0, Provide)
libraries = []
while 'torchvision' not in sys.modules:  # a machine whose torchvision does not match its torch: mend that first
    try:
        import torchvision
    except RuntimeError as error:
        libraries.append(torch.library.Library('torchvision', 'FRAGMENT'))
        libraries[-1].define(re.search(r'torchvision::(\\w+)', str(error))[1] + '() -> ()')
        for name in [name for name in sys.modules if name.split('.')[0] == 'torchvision']:
            del sys.modules[name]

import pkdn_basicsr
from basicsr.data import degradations
assert sys.modules['torchvision'] is torchvision
assert pkdn_basicsr.host.torchvision_compat._libraries == []
assert degradations.rgb_to_grayscale.__code__.co_filename == {str(own)!r}
""", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
