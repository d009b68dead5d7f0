"""Limits of a server's connections: how many of one address, and how long one may send nothing or next to nothing."""

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from aiohttp import web
    from aiohttp.typedefs import Middleware

# From the connection, or the first byte behind an answer, to the end of a request's head.
HEAD_SECONDS = 20.0
# From an answer to the next request on the same connection.
IDLE_SECONDS = 75.0
_SWEEP_SECONDS = 1.0
_REFUSED = (
    b'{"error": {"message": "too many connections of this address: close some, or raise [gateway] max_connections"}}'
)
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_REFUSED), _REFUSED)
)


class Connection(asyncio.Protocol):
    """Stands between a transport and the protocol of a server, and knows since when a request is waited for."""

    def __init__(self, all_: "Connections", inner: asyncio.Protocol) -> None:
        self._all, self._inner = all_, inner
        self._transport: asyncio.Transport | None = None
        self._is_admitted = self.works = self._has_answered = self._hears = False
        self._since = all_.now()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass the connection on to the server, or refuse it."""
        self._transport = cast(asyncio.Transport, transport)
        self._is_admitted = self._all.admit(self, transport.get_extra_info("peername"))
        if self._is_admitted:
            self._inner.connection_made(transport)
        else:
            self._transport.write(_REFUSAL)
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass on what came; what comes of a connection that was refused is dropped."""
        if self._is_admitted:
            if not self.works and not self._hears:
                # A connection's first request is waited for since its beginning.
                self._hears, self._since = True, self._all.now() if self._has_answered else self._since
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on that nothing more comes."""
        return self._inner.eof_received() if self._is_admitted else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the connection is gone."""
        if self._is_admitted:
            self._all.dismiss(self)
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the client reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client reads again."""
        self._inner.resume_writing()

    def begin_work(self) -> None:
        """Stop the clock: a request's head is here, and the server answers it, however long that takes."""
        self.works = True

    def end_work(self) -> None:
        """Start the clock: the next request is waited for."""
        self.works, self._has_answered, self._hears, self._since = False, True, False, self._all.now()

    def close_if_late(self, now: float) -> None:
        """Close a connection on which a request has not come in time."""
        limit = IDLE_SECONDS if self._has_answered and not self._hears else HEAD_SECONDS
        if not self.works and now - self._since > limit and self._transport is not None:
            self._transport.abort()


class Connections:
    """All connections of one server: at most ``most`` of one address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[Connection, tuple[str, int]] = {}
        self._of_host: Counter[str] = Counter()
        self._by_peer: dict[tuple[str, int], Connection] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def watch(self, inner: asyncio.Protocol) -> Connection:
        """Return the protocol of a new connection, in front of the server's own."""
        return Connection(self, inner)

    def now(self) -> float:
        """Return the time of the event loop."""
        return asyncio.get_running_loop().time()

    def admit(self, one: Connection, peer: Any) -> bool:
        """Count a connection; return whether it is one of not too many."""
        key = _address_and_port(peer)
        if self._of_host[key[0]] >= self._most:
            return False
        self._of_host[key[0]] += 1
        self._open[one] = key
        self._by_peer[key] = one
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._close_late)
        return True

    def dismiss(self, one: Connection) -> None:
        """Forget an admitted connection, which is gone."""
        host, port = self._open.pop(one)
        self._by_peer.pop((host, port), None)
        self._of_host[host] -= 1
        if not self._of_host[host]:
            del self._of_host[host]

    @contextlib.contextmanager
    def at_work(self, peer: Any) -> "Iterator[None]":
        """Stop the clock of the connection of an address and a port during the block."""
        one = self._by_peer.get(_address_and_port(peer))
        if one is not None:
            one.begin_work()
        try:
            yield
        finally:
            if one is not None:
                one.end_work()

    def middleware(self) -> "Middleware":
        """Return a middleware of aiohttp's that stops a connection's clock while a request is answered."""
        from aiohttp import web

        @web.middleware
        async def stop_clock(
            request: web.Request, handler: "Callable[[web.Request], Awaitable[web.StreamResponse]]"
        ) -> web.StreamResponse:
            with self.at_work(request.transport.get_extra_info("peername") if request.transport else None):
                return await handler(request)

        return stop_clock

    def _close_late(self) -> None:
        self._sweep, now = None, self.now()
        for one in list(self._open):
            one.close_if_late(now)
        if self._open:
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._close_late)


def _address_and_port(peer: Any) -> tuple[str, int]:
    return (str(peer[0]), int(peer[1])) if peer else ("", 0)
