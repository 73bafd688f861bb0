"""`basicsr train -opt FILE`: BasicSR's training pipeline."""

from basicsr.train import train_pipeline

from pkdn_basicsr.host.pipeline import run_pipeline


def run(arguments: list[str]) -> int:
    """Train; takes every flag of BasicSR's `parse_options`."""
    return run_pipeline(train_pipeline, 'train', arguments)
