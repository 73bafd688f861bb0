import re
from pathlib import Path

import pytest

import pkdn_basicsr


@pytest.mark.parametrize(('file', 'version'), [('setup.py', r"version='([^']+)'"),
                                               ('CITATION.cff', r'(?m)^version: (.+)$')])
def test_a_file_has_the_version_of_the_package(file, version):
    text = (Path(__file__).resolve().parents[1] / file).read_text()
    assert re.search(version, text).group(1) == pkdn_basicsr.__version__
