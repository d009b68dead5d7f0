"""Runs what waits for a disk in threads, so that no other answer waits with it, at a fraction of asyncio's own cost."""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

# How often it is looked at whether jobs wait, and after which time a thread is no longer needed.
_LOOK_SECONDS, _IDLE_SECONDS = 0.02, 1.0
# How long a job may wait, while there are few threads and later.
_FEW, _SHORT_WAIT_SECONDS, _LONG_WAIT_SECONDS = 4, 0.01, 0.1

_Result = TypeVar("_Result")
_Job = tuple["asyncio.Future[Any] | None", float, Callable[..., Any], tuple[Any, ...]]

_logger = logging.getLogger(__name__)

_of_loops: dict[asyncio.AbstractEventLoop, "Threads"] = {}


def run_in_thread(function: Callable[..., _Result], *args: Any) -> Awaitable[_Result]:
    """Call a function in a thread; who awaits what this returns gets, or has raised, what the function does.

    The threads are those of :meth:`Threads.of_this_loop`, and asyncio's own where there are none.
    """
    threads = _of_loops.get(asyncio.get_running_loop())
    return threads.run(function, *args) if threads else asyncio.to_thread(function, *args)


class Threads:
    """Threads of one event loop. One does all that is quick; more are started while jobs have to wait for a disk.

    Every thread that runs beside others makes all of them slower, for only one of them runs Python at a time. What is
    done at the same time is told to the loop at once: it is woken up once for many results.
    """

    def __init__(self, most: int) -> None:
        self._loop, self._most = asyncio.get_running_loop(), most
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_loop_told = self._is_looking = False
        self._under_way = self._started = 0
        self._counting = threading.Lock()
        self._taken, self._taken_before, self._waited = 0, 0, 0.0
        self._all_busy_at = 0.0

    @classmethod
    @contextlib.contextmanager
    def of_this_loop(cls, most: int) -> Iterator["Threads"]:
        """Let threads work for the running loop within a block; those that wait then end, and the others after it."""
        threads = cls(most)
        threads._start()
        _of_loops[threads._loop] = threads
        try:
            yield threads
        finally:
            del _of_loops[threads._loop]
            threads._end(threads._started)

    @property
    def count(self) -> int:
        """How many there are now."""
        return self._started

    def run(self, function: Callable[..., _Result], *args: Any) -> "asyncio.Future[_Result]":
        """Call a function in one of the threads, and return the future of what it returns or raises."""
        future: asyncio.Future[_Result] = self._loop.create_future()
        self._put(future, function, args)
        self._look_later()
        return future

    def put(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function, which raises nothing, in one of the threads; unlike :meth:`run`, from any thread."""
        self._put(None, function, args)
        if not self._is_looking and self._needs_look:
            self._loop.call_soon_threadsafe(self._look_later)

    def _put(self, future: "asyncio.Future[Any] | None", function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._count(1)
        self._jobs.put((future, time.monotonic(), function, args))

    def _count(self, change: int) -> None:
        with self._counting:
            self._under_way += change

    @property
    def _needs_look(self) -> bool:
        return self._under_way > self._started or self._started > 1

    def _start(self) -> None:
        self._started += 1
        threading.Thread(target=self._work, name=f"disk-{self._started}", daemon=True).start()

    def _end(self, count: int) -> None:
        self._started -= count
        for _ in range(count):
            self._jobs.put(None)

    def _look_later(self) -> None:
        if self._is_looking or not self._needs_look:
            return
        self._is_looking, self._taken_before = True, self._taken
        self._loop.call_later(_LOOK_SECONDS if self._under_way else _IDLE_SECONDS, self._look)

    def _look(self) -> None:
        """Start a thread where jobs wait for those that are there, and end one that was not needed for a while."""
        self._is_looking = False
        waiting = self._jobs.qsize()
        longest = _SHORT_WAIT_SECONDS if self._started < _FEW else _LONG_WAIT_SECONDS
        if waiting and (self._taken == self._taken_before or self._waited > longest):
            self._all_busy_at = self._loop.time()
            if self._started < self._most:
                self._start()
        elif not waiting and self._started > 1 and self._loop.time() > self._all_busy_at + _IDLE_SECONDS:
            self._all_busy_at = self._loop.time()
            self._end(1)
        self._look_later()

    def _work(self) -> None:
        while job := self._jobs.get():
            future, since, function, args = job
            self._taken += 1
            self._waited = time.monotonic() - since
            if future is None:
                self._do(function, args)
                del job, function, args
                continue
            try:
                self._done.append((future, function(*args), None))
            except BaseException as error:
                self._done.append((future, None, error))
            del job, future, function, args  # they may hold what is large
            if not self._is_loop_told:
                self._is_loop_told = True
                with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                    self._loop.call_soon_threadsafe(self._tell)

    def _do(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Do what nobody waits for."""
        try:
            function(*args)
        except Exception:
            _logger.exception("a job of a thread failed")
        finally:
            self._count(-1)

    def _tell(self) -> None:
        self._is_loop_told = False  # before what is done is taken: what is done after that is told of again
        while self._done:
            future, result, error = self._done.popleft()
            self._count(-1)
            if future.done():
                continue  # who waited was cancelled
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
