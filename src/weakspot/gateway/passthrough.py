"""Passes requests on to the local model's server unchanged, and its answers back."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from weakspot.gateway.content_encoding import EncodingError, plain_body, read_body
from weakspot.gateway.paths import canonical_path
from weakspot.gateway.upstream import Upstream, end_to_end, headers_of_new_body
from weakspot.protocols.reading import SECONDS_BEHIND_THE_END, SECONDS_BEHIND_THE_REASON, in_time

if TYPE_CHECKING:
    from aiohttp import ClientResponse, web

_LONGEST_HEARD = 4_000_000
_DONE = re.compile(rb"(?:\A|[\r\n])data: ?\[DONE\]\s*[\r\n]")
# Behind a reason a piece of another of several answers may come. In a text the quotes are escaped.
_REASON = re.compile(rb'finish_reason"\s{0,9}:\s{0,9}"\w')
_SIGN = re.compile(rb'(?<!\\)"(?:(?P<reason>%b)|delta")' % _REASON.pattern)
_LONGEST_END = 48

AnswerCallback = Callable[[bytes], None]


async def forward_request(
    upstream: Upstream, request: "web.Request", data: bytes, hear: AnswerCallback | None = None
) -> "web.StreamResponse":
    """Send a request on, and the answer back to the client byte for byte; give a complete good one to ``hear``.

    ``hear`` gets the body, a whole one or a stream's. Raises :class:`GatewayError` as long as nothing was sent to the
    client; later the connection is closed, so that the client sees that the answer is incomplete.
    """
    from aiohttp import web

    headers = upstream.headers(request)
    if hear is not None:
        headers["Accept-Encoding"] = "identity"  # ``hear`` needs an uncompressed body
    async with upstream.request(request.method, canonical_path(request.raw_path), headers, data) as answer:
        if answer.status >= 400 and upstream.key:
            return await _error(upstream, answer)
        status, reason, kept = answer.status, answer.reason, end_to_end(answer.headers)
        whole = answer.content.read_nowait() if answer.content.is_eof() else b""
        response = (  # a short answer comes with its head, and goes on with it
            web.Response(status=status, reason=reason, headers=kept, body=whole)
            if whole
            else web.StreamResponse(status=status, reason=reason, headers=kept)
        )
        await response.prepare(request)
        heard = whole or await _copy_body(answer, response, request, until_done=hear is not None)
        if heard is None:
            return response
        await response.write_eof()
        if hear is not None and answer.status == 200 and len(heard) <= _LONGEST_HEARD:
            with contextlib.suppress(EncodingError):
                hear(plain_body(bytes(heard), answer.headers.get("Content-Encoding", "")))
    return response


async def _error(upstream: Upstream, answer: "ClientResponse") -> "web.StreamResponse":
    """Return the server's error unchanged, except that our key is removed."""
    from aiohttp import web

    headers = headers_of_new_body(answer.headers)
    return web.Response(
        status=answer.status, reason=answer.reason, headers=headers, body=upstream.without_key(await read_body(answer))
    )


class EndOfStream:
    """Tells from the pieces of a completion's stream when it ends, though the server may keep the connection open.

    ``deadline`` is the time of the event loop until which something may come; None where anything may.
    """

    def __init__(self, *, has_events: bool) -> None:
        self.deadline: float | None = None
        self._has_events = has_events
        self._tail, self._done = b"", False

    def feed(self, piece: bytes) -> None:
        """Take note of the next piece; the events may be cut anywhere."""
        if self._done:
            return
        before, seen = len(self._tail), self._tail + piece
        self._tail = seen[-_LONGEST_END:]
        if b"[DONE]" in seen and _DONE.search(seen):
            self._done, self.deadline = True, asyncio.get_running_loop().time() + SECONDS_BEHIND_THE_END
        elif self._has_events and (self.deadline is not None or _REASON.search(seen)):
            now = asyncio.get_running_loop().time()
            for sign in _SIGN.finditer(seen):
                if sign.end() > before:
                    self.deadline = now + SECONDS_BEHIND_THE_REASON if sign["reason"] else None


async def _copy_body(
    answer: "ClientResponse", response: "web.StreamResponse", request: "web.Request", *, until_done: bool
) -> bytearray | None:
    """Copy the body as it arrives; return its beginning, or None where the server closed the connection early.

    With ``until_done`` it ends where a completion's stream does.
    """
    from aiohttp import ClientPayloadError

    heard, content = bytearray(), answer.content
    end = EndOfStream(has_events=answer.content_type == "text/event-stream")
    try:
        while piece := await in_time(content.readany(), end.deadline):
            # The end of the answer, where that is here as well, goes along with its last piece.
            await (response.write_eof if content.at_eof() else response.write)(piece)
            if len(heard) <= _LONGEST_HEARD:
                heard += piece
            if until_done:
                end.feed(piece)
    except ClientPayloadError:
        if request.transport is not None:
            request.transport.close()
        return None
    return heard
