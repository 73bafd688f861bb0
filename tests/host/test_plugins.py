import sys

import pytest

from pkdn_basicsr.host.plugins import import_plugins


def test_an_installed_plugin_is_imported(install_plugin):
    install_plugin('answer = 42')
    assert 'faces' in import_plugins()
    assert sys.modules['faces_plugin'].answer == 42


@pytest.mark.parametrize(('source', 'reason'), [
    ('import no_such_module', 'ModuleNotFoundError'),
    ('raise OSError("two\\nlines")', 'OSError: two lines'),
])
def test_a_broken_plugin_is_named_in_one_line(install_plugin, source, reason, usage_error):
    install_plugin(source)
    with usage_error("plugin 'faces' (faces_plugin)", reason):
        import_plugins()


def test_an_entry_point_to_nothing_is_named(install_plugin, tmp_path, usage_error):
    install_plugin('')
    (tmp_path / 'site' / 'faces_plugin.py').unlink()
    with usage_error("plugin 'faces'", 'faces_plugin'):
        import_plugins()


def test_without_plugins_nothing_happens():
    assert 'faces' not in import_plugins()
