import torch

from pkdn_basicsr.bench.memory import peak_memory

MEGABYTE = 1 << 18  # float32 values


def test_blocks_that_are_given_back_count_while_they_are_there():
    def call():
        for _ in range(3):
            first = torch.ones(2 * MEGABYTE)
            second = first + 1
            del first, second
        return torch.ones(MEGABYTE)

    assert 4 << 20 <= peak_memory(call, torch.device('cpu')) < 5 << 20


def test_what_was_there_before_does_not_count():
    before = torch.ones(8 * MEGABYTE)
    assert peak_memory(before.sum, torch.device('cpu')) < 1 << 20
