import sys

import pytest
import tiny

FAULTS = """
import resource, sys
import torch
from pkdn_basicsr.host.allocator import keep_large_blocks
if sys.argv[1] == 'keep':
    assert keep_large_blocks()
def use():
    for _ in range(10):
        torch.ones(16_000_000)  # 64 MB: glibc by itself keeps blocks up to 32
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc is on Linux')
def test_the_second_tensor_gets_the_pages_of_the_first(tmp_path):
    faults = {how: int(tiny.run_python('-c', FAULTS, how, cwd=tmp_path).stdout.split()[-1])
              for how in ('keep', 'plain')}
    assert faults['keep'] < 100
    assert faults['plain'] > 1000  # 64 MB in pages of 4 kB, ten times
