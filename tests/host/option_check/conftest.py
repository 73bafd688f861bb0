"""An option file, and all that is wrong in it."""

from types import SimpleNamespace

import pytest
import tiny

from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.host.options import check_option_file


@pytest.fixture
def run_options(tiny_faces):
    """Options of two iterations that can run."""
    return tiny.train_options(tiny_faces)


@pytest.fixture
def check(tmp_path):
    """Write options to `o.yml` and check them: `(opt, is_train=True, force=(), **flags) -> result`."""
    def run(opt, is_train=True, force=(), **flags):
        text = opt if isinstance(opt, str) else tiny.write_options(opt, tmp_path / 'o.yml').read_text()
        (tmp_path / 'o.yml').write_text(text)
        file = OptionFile(str(tmp_path / 'o.yml'))
        file.force(list(force))
        found = check_option_file(file, is_train, **flags)
        errors = [line.removeprefix(f'{tmp_path}/') for line in found.error_lines()]
        warnings = [line.removeprefix(f'{tmp_path}/') for line in found.warning_lines()]
        by_key = {key: text for _, key, text in (line.split(': ', 2) for line in errors if line.count(': ') > 1)}
        return SimpleNamespace(errors=errors, warnings=warnings, by_key=by_key)
    return run
