"""Shared by all tests."""

import logging
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny
from hypothesis import settings

import pkdn_basicsr  # noqa: F401  (installs the shims, so that a test may import basicsr in any order)
from pkdn_basicsr.cli import main
from pkdn_basicsr.errors import UsageError

settings.register_profile('busy_machine', deadline=None)
settings.load_profile('busy_machine')


def pytest_addoption(parser):
    parser.addoption('--all-faults', action='store_true', help='tests/faults: every case, which takes minutes')


def pytest_configure(config):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores Ctrl-C
    config.addinivalue_line('markers', 'slow: only with --all-faults')


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker('slow') and not config.getoption('all_faults'):
            item.add_marker(pytest.mark.skip(reason='slow, see --all-faults'))


@pytest.fixture(scope='session')
def all_faults(request):
    """Whether every case of the fault suite is wanted."""
    return request.config.getoption('all_faults')


@pytest.fixture(scope='session')
def shared_data():
    """The real faces beside the repository; a test that asks for them is skipped elsewhere."""
    folder = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip('the real faces (shared/data beside the repository) are not on this machine')
    return folder


@pytest.fixture(scope='session')
def shared_weights(shared_data):
    """Real detectors and embedders beside the real faces."""
    return shared_data.with_name('weights')


@pytest.fixture
def install_plugin(tmp_path, monkeypatch):
    """Put a package with the given source on the path, a plugin of the command until the test ends."""
    def install(source=tiny.PLUGIN):
        monkeypatch.syspath_prepend(tiny.write_plugin(tmp_path / 'site', source))
    yield install
    from basicsr.utils.registry import ARCH_REGISTRY, MODEL_REGISTRY
    sys.modules.pop('faces_plugin', None)
    for registry in (ARCH_REGISTRY, MODEL_REGISTRY):
        for name in [name for name, cls in registry if cls.__module__ == 'faces_plugin']:
            del registry._obj_map[name]


@pytest.fixture
def usage_error():
    """`with usage_error(word, ...):` expects a UsageError of one line that has every word in it."""
    @contextmanager
    def expect(*words):
        with pytest.raises(UsageError) as caught:
            yield
        message = str(caught.value)
        assert '\n' not in message
        for word in words:
            assert str(word) in message
    return expect


@pytest.fixture(scope='session')
def tiny_faces(tmp_path_factory):
    """A folder with `gt`, `lq` and `parsing` of eight smooth 32x32 pictures; leave it as it is."""
    return tiny.make_faces(tmp_path_factory.mktemp('tiny') / 'faces')


@pytest.fixture
def train_until(monkeypatch, basicsr_command):
    """Train in a folder, resuming if there is something; `stop_at` an iteration, before it is trained."""
    from basicsr.models.base_model import BaseModel

    def run(folder, opt, stop_at=None):
        folder.mkdir(exist_ok=True)
        flags = ['--auto_resume'] if (folder / 'experiments').exists() else []
        update = BaseModel.update_learning_rate

        def update_or_stop(self, current_iter, *args, **kwargs):
            if current_iter == stop_at:
                raise tiny.Killed
            update(self, current_iter, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(BaseModel, 'update_learning_rate', update_or_stop)
            arguments = folder, 'train', '-opt', tiny.write_options(opt, folder / 'tiny.yml'), *flags
            if stop_at is None:
                assert basicsr_command(*arguments)[0] == 0
            else:
                with pytest.raises(tiny.Killed):
                    basicsr_command(*arguments)
        return folder
    return run


@pytest.fixture
def basicsr_command(monkeypatch, capsys):
    """Run the `basicsr` command in this process: `(cwd, 'train', '-opt', file) -> (status, stdout, stderr)`."""
    def run(cwd, *arguments):
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, 'argv', ['basicsr', *map(str, arguments)])
        _forget_log_file()
        try:
            status = main()
        except SystemExit as leave:
            status = leave.code
        finally:
            _forget_log_file()
        return status, *capsys.readouterr()
    return run


def _forget_log_file():
    """The host opens one log file per process, and so would write every run into the first one's."""
    from basicsr.utils.logger import initialized_logger
    initialized_logger.clear()
    logger = logging.getLogger('basicsr')
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


@pytest.fixture(scope='session')
def console_script():
    """The installed `basicsr` command."""
    script = Path(sys.executable).with_name('basicsr')
    if not script.is_file():
        pytest.skip('the package is not installed (pip install -e .)')
    return script
