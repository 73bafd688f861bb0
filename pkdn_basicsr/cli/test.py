"""`basicsr test -opt FILE`: BasicSR's test pipeline."""

from basicsr.test import test_pipeline

from pkdn_basicsr.host.failure.sudden_ends import explain_sudden_ends
from pkdn_basicsr.host.pipeline import run_pipeline


def run(arguments: list[str]) -> int:
    """Test; takes every flag of BasicSR's `parse_options`."""
    with explain_sudden_ends():
        return run_pipeline(test_pipeline, 'test', arguments)
