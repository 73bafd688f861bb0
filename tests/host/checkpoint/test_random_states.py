import random

import numpy as np
import torch

from pkdn_basicsr.host.checkpoint.random_states import get_random_states, set_random_states, undisturbed_random_states


def draws():
    return [random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(3).tolist()]


def test_generators_go_on_where_they_were(tmp_path):
    draws()  # an odd number of normal draws: NumPy and Python keep the second one of a pair
    torch.save(get_random_states(), tmp_path / 'states.pth')
    expected = draws()
    draws()
    set_random_states(torch.load(tmp_path / 'states.pth', weights_only=True))
    assert draws() == expected


def test_what_happens_inside_draws_from_copies():
    with undisturbed_random_states():
        inside = draws()
    assert draws() == inside
