import pytest

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.failure import together


@pytest.fixture
def other_process(monkeypatch):
    """Set what a second process has to say."""
    def say(message):
        monkeypatch.setattr(together, 'get_dist_info', lambda: (0, 2))
        monkeypatch.setattr(together.dist, 'all_gather_object',
                            lambda messages, mine: messages.__setitem__(slice(None), [mine, message]))
    return say


def test_one_process_fails_as_it_is(usage_error):
    with usage_error('a.png'), together.fail_together():
        raise UsageError('a.png: broken')


def test_nothing_to_say_is_no_error(other_process):
    with together.fail_together():
        pass
    other_process(None)
    with together.fail_together():
        pass


def test_the_fault_of_another_process_is_raised_here(other_process, usage_error):
    other_process('b.png: broken')
    with usage_error('b.png: broken'), together.fail_together():
        pass


def test_faults_of_both_are_told_and_the_same_one_once(other_process):
    other_process('b.png: broken')
    with pytest.raises(UsageError, match=r'^a\.png: broken; b\.png: broken$'):
        together.raise_in_all('a.png: broken')
    with pytest.raises(UsageError, match=r'^b\.png: broken$'):
        together.raise_in_all('b.png: broken')


def test_bugs_pass():
    with pytest.raises(ZeroDivisionError), together.fail_together():
        raise ZeroDivisionError
