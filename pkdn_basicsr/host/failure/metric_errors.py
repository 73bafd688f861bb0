"""Metrics that cannot be computed, in models that validate as BasicSR does."""

from basicsr.models import sr_model

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host import run


def name_metric_and_picture() -> None:
    """Wrap `calculate_metric` where `SRModel` validates; our own models name both themselves.

    BasicSR 1.4.2 (`models/sr_model.py:197-200`) lets the metric's error through, which knows neither; no issue known.
    """
    calculate = sr_model.calculate_metric

    def calculate_metric(data: dict, opt: dict) -> float:
        try:
            return calculate(data, opt)
        except Exception as error:
            words = ' '.join(str(error).split())
            raise UsageError(f'{", ".join(run.current.files)}: {opt["type"]} of val.metrics cannot be computed: '
                             f'{type(error).__name__}: {words}') from error

    sr_model.calculate_metric = calculate_metric
