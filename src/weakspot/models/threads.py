"""Chooses how many CPU threads generate a token: all or one, whichever is faster at the moment."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_TRIES = 2
"""Timed steps for each number of threads; the fastest counts."""
_PERIOD = 64
"""Steps between two trials."""


class FasterThreads:
    """Times steps with all of torch's threads and with one, and uses the faster number until the next trial.

    A second thread gains little for a matrix with few rows on an idle machine. If another process is busy, it waits
    for a processor at every matrix product and slows down the whole step. Nothing is tried on a GPU or with a single
    thread.
    """

    def __init__(self, device: "torch.device") -> None:
        import torch

        self._torch = torch
        self._all = torch.get_num_threads()
        self._tried = device.type == "cpu" and self._all > 1
        self._step = 0
        self._seconds: dict[int, float] = {}

    def __enter__(self) -> "FasterThreads":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tried:
            self._torch.set_num_threads(self._all)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run the block with the number of threads that is on trial, or with the faster one."""
        if not self._tried:
            yield
            return
        place = self._step % _PERIOD
        self._step += 1
        if place == 0:
            self._seconds = {}
        trial = place < 2 * _TRIES
        count = (self._all, 1)[place // _TRIES] if trial else min(self._seconds, key=self._seconds.__getitem__)
        if count != self._torch.get_num_threads():
            self._torch.set_num_threads(count)
        started = time.perf_counter()
        yield
        if trial:
            took = time.perf_counter() - started
            self._seconds[count] = min(took, self._seconds.get(count, took))
