"""Has most requests answered by threads alone: the event loop takes as long for one as all else does together.

granian hands each request to a coroutine of the loop. Most are answered by reading a disk, and need none; so the thread
in which granian has them answers them. What hands something in, what has a token, and a body that is sent in pieces
need the loop, and go through it.
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from zddc.server.answer import Answer
from zddc.server.sending import first_messages

if TYPE_CHECKING:
    from zddc.server.app import App
    from zddc.server.asked import Asked
    from zddc.server.threads import Threads

# The part of it that is used here is not what granian promises to keep.
_GRANIAN = "2.8."
# Of granian's: one that answers, and one that is free while that one waits for a disk.
_THREADS = 2
# As long as an answer may take that others wait for, and how many such answers are looked back on.
_QUICK_SECONDS, _LATELY = 0.001, 8
_MOST_UNSENT = 128 * 1024  # bytes of a connection

_logger = logging.getLogger(__name__)


def worker_of(app: "App", threads: "Threads") -> Callable[..., None] | None:
    """Return what granian's server has to start in the place of its own worker; None where that is another granian."""
    import granian
    from granian import _granian
    from granian.server.embed import AsyncWorker

    if not granian.__version__.startswith(_GRANIAN):
        return None

    internal: Any = _granian  # its types are those of another release

    class Scheduler(internal.CallbackScheduler):  # type: ignore[misc]
        def __init__(self, *_: object) -> None:
            super().__init__()
            self._schedule_fn = Direct(app, threads).take

    @AsyncWorker.wrap_target  # type: ignore[untyped-decorator]
    async def work(number: int, ending: Any, _: object, held: Any, loop: asyncio.AbstractEventLoop, *more: Any) -> None:
        runtime, blocking, _one, idle, most, _task, mode, http1, http2, has_websockets, static, _log, tls, _scope = more
        limits = runtime, blocking, _THREADS, idle, most
        ended = loop.create_future()
        ending.add_cb(lambda: loop.call_soon_threadsafe(ended.set_result, None))
        place = held[1] or held[0].build()
        if not place.is_uds():
            _keep_little_unsent(place.get_fd())
        worker = internal.ASGIWorker(
            number, (None, place), None, *limits, mode, http1, http2, has_websockets, static, *tls, (None, None)
        )
        serve = worker.serve_async_uds if place.is_uds() else worker.serve_async
        serve(Scheduler(loop, None, None, None, None), loop, ending)
        await ended

    return work  # type: ignore[no-any-return]


def _keep_little_unsent(listener: int) -> None:
    """Have the system take no more of an answer than its reader does; connections have it from where they come in.

    By itself it takes some megabytes of each, and the server is busy with nothing else until many readers have them.
    """
    with socket.socket(fileno=os.dup(listener)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT)


class Direct:
    """Takes requests in granian's threads; what is made for each there, with its callables, is a ``watcher``.

    One thread at a time answers, for only one runs Python at a time, and two that take turns at each call of the system
    need twice as long. What comes meanwhile is left to it; where it does not come to that soon, since a disk does not
    answer, the other thread hands it to the threads of the loop, which are as many as disks that hang make necessary.
    So one of granian's threads, through which all requests come, never waits for a disk.
    """

    def __init__(self, app: "App", threads: "Threads") -> None:
        self._app, self._threads, self._loop = app, threads, asyncio.get_running_loop()
        self._waiting: deque[tuple[Any, Asked]] = deque()
        self._answering, self._usual_seconds = threading.Lock(), 0.0

    def take(self, watcher: Any) -> None:
        """Have a request answered."""
        try:
            asked = self._app.take(watcher.scope)
            if asked is None:
                self._run(watcher, lambda: self._app(watcher.scope, watcher.proto.receive, watcher.proto.send))
            elif isinstance(asked.found, Answer):
                self._send(watcher, asked, asked.found)
            else:
                self._waiting.append((watcher, asked))
                self._see_to_what_waits()
        except Exception as error:
            _logger.exception("a request was not taken")
            watcher.err(error)

    def _see_to_what_waits(self) -> None:
        """Answer what waits, or leave it to the thread that does so now; that one looks once more when it is done."""
        while self._waiting:
            if self._answering.acquire(blocking=False):
                try:
                    self._answer_what_waits()
                finally:
                    self._answering.release()
            else:
                if self._usual_seconds < _QUICK_SECONDS:
                    time.sleep(_QUICK_SECONDS)
                while one := self._next():
                    self._threads.put(self._answer, *one)

    def _answer_what_waits(self) -> None:
        before = time.monotonic()
        while one := self._next():
            self._answer(*one)
            now = time.monotonic()
            self._usual_seconds += (now - before - self._usual_seconds) / _LATELY
            before = now

    def _next(self) -> "tuple[Any, Asked] | None":
        try:
            return self._waiting.popleft()
        except IndexError:  # the other thread has taken it
            return None

    def _answer(self, watcher: Any, asked: "Asked") -> None:
        try:
            self._send(watcher, asked, self._app.answer(asked))
        except Exception as error:
            _logger.exception("a request was not answered")
            watcher.err(error)

    def _send(self, watcher: Any, asked: "Asked", answer: Answer) -> None:
        if not isinstance(answer.body, bytes):
            self._run(watcher, lambda: self._app.send(asked, answer, watcher.proto.receive, watcher.proto.send))
            return
        try:
            asked.entry["status"] = answer.status
            for message in first_messages(answer, asked.entry):
                watcher.proto.send(message)  # sent by the call itself: only what has more to come has to be awaited
        except Exception as error:
            watcher.err(error)
        else:
            watcher.done()
        finally:
            self._app.end(asked)

    def _run(self, watcher: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have the loop do what takes a coroutine."""

        async def run() -> None:
            try:
                await work()
            except BaseException as error:
                watcher.err(error)
            else:
                watcher.done()

        self._loop.call_soon_threadsafe(lambda: watcher.taskref(self._loop.create_task(run())))
