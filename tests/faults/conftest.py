"""The table of outcomes that the fuzzers fill."""

from collections import Counter

import pytest

_OUTCOMES: Counter = Counter()


@pytest.fixture
def outcomes():
    """Count one case by (suite, kind of damage, outcome)."""
    def count(suite, kind, outcome):
        _OUTCOMES[suite, kind, outcome] += 1
    return count


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption('all_faults') or not _OUTCOMES:
        return
    terminalreporter.section('outcomes of the fuzzers')
    for (suite, kind, outcome), cases in sorted(_OUTCOMES.items()):
        terminalreporter.write_line(f'{suite:12} {kind:42} {outcome:60} {cases:4}')
    for suite in sorted({suite for suite, _, _ in _OUTCOMES}):
        total = sum(cases for (other, _, _), cases in _OUTCOMES.items() if other == suite)
        terminalreporter.write_line(f'{suite:12} {total} cases')
