"""`basicsr train -opt FILE`: BasicSR's training pipeline."""

from basicsr.train import train_pipeline

from pkdn_basicsr.host.failure.bad_files import list_bad_files
from pkdn_basicsr.host.failure.sudden_ends import explain_sudden_ends
from pkdn_basicsr.host.interruption import save_on_signals
from pkdn_basicsr.host.pipeline import run_pipeline


def run(arguments: list[str]) -> int:
    """Train as the option file says; takes every flag of BasicSR's own `train.py`. Signals: see `save_on_signals`."""
    with save_on_signals(), explain_sudden_ends(), list_bad_files():
        return run_pipeline(train_pipeline, 'train', arguments)
