import re
from pathlib import Path

import pkdn_basicsr


def test_setup_and_package_have_one_version():
    setup = (Path(__file__).resolve().parents[1] / 'setup.py').read_text()
    assert re.search(r"version='([^']+)'", setup).group(1) == pkdn_basicsr.__version__
