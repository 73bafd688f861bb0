import os
import subprocess
import sys
import venv
from types import SimpleNamespace

import pytest


def _run(*command, cwd):
    """Run a command, without a path of packages that this process may have got; return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f'{done.args}\n{done.stdout}\n{done.stderr}'
    return done.stdout


@pytest.fixture(scope='session')
def source_files(request):
    """The files of this checkout, by their names in it."""
    root = request.config.rootpath
    if not (root / '.git').exists():
        pytest.skip('only a git checkout can tell which files belong to the project')
    names = _run('git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', cwd=root).split('\0')
    return {name: root / name for name in names if (root / name).is_file()}


@pytest.fixture(scope='session')
def built(source_files, tmp_path_factory):
    """From a copy of this checkout in which somebody has worked: a wheel, and a source distribution with its wheel."""
    copy, dist, again = map(tmp_path_factory.mktemp, ('checkout', 'dist', 'again'))
    junk = ('experiments/a/models/net_g_latest.pth', 'datasets/a/images/a.png', 'results/a/table.md',
            'pkdn_basicsr/__pycache__/a.cpython-311.pyc', 'options/mmagic/__pycache__/a.cpython-311.pyc')
    for name in (*source_files, *junk):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(source_files[name].read_bytes() if name in source_files else b'junk')
    _run(sys.executable, '-c', 'import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])',
         dist, cwd=copy)
    sdist, = dist.iterdir()
    return SimpleNamespace(sdist=sdist, wheel=_wheel_of('.', dist, copy), wheel_of_sdist=_wheel_of(sdist, again, again))


def _wheel_of(source, folder, cwd):
    _run(sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-index', '--no-build-isolation', '-w', folder, source,
         cwd=cwd)
    wheel, = folder.glob('*.whl')
    return wheel


@pytest.fixture(scope='session')
def environment(built, tmp_path_factory):
    """A new environment with the wheel, which borrows all other packages and knows nothing of this checkout."""
    folder = tmp_path_factory.mktemp('environment')
    venv.create(folder, symlinks=True)
    _run(sys.executable, '-m', 'pip', '--python', folder / 'bin' / 'python', 'install', '--no-deps', '--no-index',
         built.wheel, cwd=folder)
    packages, = folder.glob('lib/python*/site-packages')
    # only now, or pip would find an editable install there. A folder that a .pth file names lends its packages but not
    # its own .pth files, and so not this checkout
    (packages / 'borrowed.pth').write_text('\n'.join(path for path in sys.path if path.endswith('-packages')))
    return folder


@pytest.fixture
def basicsr(environment, tmp_path):
    """Run the installed command in an empty folder: `('infer', '-i', 'faces') -> stdout`."""
    return lambda *arguments: _run(environment / 'bin' / 'basicsr', *arguments, cwd=tmp_path)
