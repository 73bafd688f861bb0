"""Errors of the thread that reads ahead."""

from collections.abc import Iterator
from typing import Any

from basicsr.data.prefetch_dataloader import PrefetchGenerator


def pass_on_errors_of_prefetching() -> None:
    """Replace `PrefetchGenerator.run` and `__next__`, which `prefetch_mode: cpu` uses.

    In BasicSR 1.4.2 (`data/prefetch_dataloader.py:27-37`) an error ends the thread alone, and training waits for the
    next batch for ever; no issue known.
    """
    PrefetchGenerator.run = run
    PrefetchGenerator.__next__ = next_item


def run(self: PrefetchGenerator) -> None:
    """Put the batches into the queue, and at the end None or the error."""
    try:
        for item in self.generator:
            self.queue.put(item)
        self.queue.put(None)
    except Exception as error:
        self.queue.put(error)


def next_item(self: Iterator) -> Any:
    """Return the next batch, or raise what happened to it."""
    item = self.queue.get()
    if item is None:
        raise StopIteration
    if isinstance(item, Exception):
        raise item
    return item
