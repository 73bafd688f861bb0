"""Times of parts that lie within each other, on the processor or on a GPU."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch

REST = 'rest'
"""What is in no part."""


class Stopwatch:
    """Laps, and where the time of each went.

    Every moment counts for the innermost part that is open, so that the parts of a lap add up to the lap. On a GPU
    moments are events in its stream: they say when the work was done, not when it was handed over, and taking them
    waits for nothing.

    Args:
        device: Where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._laps: list[list[tuple[str, object]]] = []  # of a lap: when it began, then each piece's part and end
        self._open = [REST]

    def lap(self) -> None:
        """End the lap that runs, and begin another."""
        moment = self._moment()
        self._end_piece(moment)
        self._laps.append([(REST, moment)])

    def pause(self) -> None:
        """End the lap that runs; `lap` goes on."""
        self._end_piece(self._moment())
        self._laps.append([])

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Whatever happens inside, and in no part within, is part `name` of the lap."""
        self._end_piece(self._moment())
        self._open.append(name)
        try:
            yield
        finally:
            self._end_piece(self._moment())
            self._open.pop()

    def laps(self) -> list[dict[str, float]]:
        """Wait for the device; return the seconds of each part, lap by lap, in the order in which they first ran."""
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
        return [self._seconds(pieces) for pieces in self._laps if len(pieces) > 1]

    def _seconds(self, pieces: list[tuple[str, object]]) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for (_, begin), (part, end) in pairwise(pieces):
            elapsed = end - begin if self.device.type != 'cuda' else begin.elapsed_time(end) / 1e3
            seconds[part] = seconds.get(part, 0.) + elapsed
        return seconds

    def _end_piece(self, moment: object) -> None:
        if self._laps and self._laps[-1]:
            self._laps[-1].append((self._open[-1], moment))

    def _moment(self) -> object:
        if self.device.type != 'cuda':
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event
