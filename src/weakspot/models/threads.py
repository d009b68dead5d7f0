"""How many threads write a token: all or one, whichever is found to be faster while other processes come and go."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_TRIES = 2
"""Steps that are timed with each number of threads; the best of them counts."""
_PERIOD = 64
"""Steps until both are tried again."""


class FasterThreads:
    """Times steps with all of torch's threads and with one, and takes the faster until the next trial.

    For a matrix with few rows a second thread gains a little on an idle machine; beside another process it has to wait
    for a processor at every product, and makes the whole slower. On a GPU, and with one thread, nothing is tried.
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
        """Run the block with the number of threads that is tried, or was found to be the faster."""
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
