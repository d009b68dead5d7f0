"""Middleware of the gateway: refuses who may not call, limits requests at once, and formats errors."""

import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from weakspot.access.adapters import facts_of_request, headers_for_page, note_client
from weakspot.access.bodies import receive_body
from weakspot.access.request_guard import Rules, find_client, find_refusal, is_preflight
from weakspot.capture.consultation import UnknownTeacherError
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.paths import MESSAGES, canonical_path
from weakspot.gateway.upstream import GatewayError
from weakspot.protocols import anthropic_messages, openai_chat
from weakspot.settings import Gateway
from weakspot.teachers import TeacherError

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Middleware

# The official clients of both protocols obey this header.
_NO_RETRY = {"x-should-retry": "false"}
_log = logging.getLogger(__name__)

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class Guard:
    """Admits whom ``rules`` allow, as many requests at once as the settings say; ``exempt`` paths are not counted.

    A request counts from when its body is here: one that comes slowly keeps nobody out.

    Endpoints that are not in ``named`` are counted as ``other``.
    """

    def __init__(
        self, metrics: Metrics, rules: Rules, settings: Gateway, named: tuple[str, ...], exempt: tuple[str, ...]
    ) -> None:
        self._metrics, self._rules, self._named, self._exempt = metrics, rules, named, exempt
        self._most, self._most_bytes = settings.max_in_flight, settings.max_body_bytes
        self._in_flight = 0
        metrics.in_flight.set_function(lambda: self._in_flight)

    def middleware(self) -> "Middleware":
        """Return the middleware, which aiohttp calls for each request."""
        from aiohttp import web

        @web.middleware
        async def guard_request(request: web.Request, handler: Handler) -> web.StreamResponse:
            path, started, status = canonical_path(request.path), time.monotonic(), 499
            facts = facts_of_request(request, path)
            refusal = find_refusal(self._rules, facts)
            if refusal is None and request.path in self._exempt:
                return await handler(request)
            endpoint = path if path in self._named else "other"
            try:
                if refusal is not None:
                    response = _error(request, refusal.status, refusal.message)
                elif is_preflight(facts):
                    response = web.Response(status=204)
                else:
                    note_client(request, find_client(self._rules, facts))
                    response = await self._answer(request, handler)
                status = response.status
                return response
            finally:
                self._metrics.requests.labels(endpoint, str(status)).inc()
                self._metrics.seconds.labels(endpoint).observe(time.monotonic() - started)

        return guard_request

    async def open_to_page(self, request: "web.Request", response: "web.StreamResponse") -> None:
        """Let a listed page read the answer that is about to be sent: a signal of aiohttp's."""
        if "Origin" in request.headers:
            response.headers.update(headers_for_page(self._rules, facts_of_request(request, request.path)))

    async def _answer(self, request: "web.Request", handler: Handler) -> "web.StreamResponse":
        from aiohttp import web

        try:
            if not await receive_body(request, self._most_bytes):
                remedy = "send less, or raise [gateway] max_body_bytes"
                return _error(request, 413, f"the body is larger than {self._most_bytes} bytes; {remedy}")
            return await self._admit(request, handler)
        except TimeoutError:
            return _error(request, 408, "the body came too slowly; send it again")
        except ConnectionError:
            return web.Response(status=499)  # to nobody: the client went away
        except Exception as error:
            return _answer_error(request, error)

    async def _admit(self, request: "web.Request", handler: Handler) -> "web.StreamResponse":
        """Answer a request whose body is here, if not too many are in progress."""
        if self._in_flight >= self._most:
            self._metrics.shed.inc()
            return _error(request, 503, "too many requests in progress; try again", {"Retry-After": "1"})
        self._in_flight += 1
        try:
            return await handler(request)
        finally:
            self._in_flight -= 1


def _answer_error(request: "web.Request", error: Exception) -> "web.StreamResponse":
    from aiohttp import web

    headers = None
    match error:
        case GatewayError():
            return _error(request, error.status, str(error), code=error.code, param=error.param)
        case UnknownTeacherError():
            status, message = 404, str(error)
        case TeacherError():
            status, message = error.status, str(error)
            headers = {"Retry-After": error.retry_after} if error.retry_after else _NO_RETRY
            _log.warning("%s", error)
        case web.HTTPException():
            status, message = error.status, error.reason
        case _:
            status, message, headers = 500, "a bug of the gateway; its log says where", _NO_RETRY
            # The error's text may quote the conversation.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s %s: %s\n%s", request.method, request.path, type(error).__name__, where)
    return _error(request, status, message, headers)


def _error(
    request: "web.Request",
    status: int,
    message: str,
    headers: dict[str, str] | None = None,
    code: str = "",
    param: str | None = None,
) -> "web.StreamResponse":
    from aiohttp import web

    dialect = anthropic_messages if canonical_path(request.path).startswith(MESSAGES) else openai_chat
    return web.json_response(dialect.error(status, message, code, param), status=status, headers=headers)


class SecretFreeLogFilter(logging.Filter):
    """Keeps only the type of an error that the HTTP server logs: its text may quote headers, and so a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the error by its type; never drop a line."""
        if record.exc_info and record.exc_info[0] is not None:
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[0].__name__}", ()
            record.exc_info = record.exc_text = None
        return True
