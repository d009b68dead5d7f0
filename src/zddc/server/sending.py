"""Sends an answer by the callables of an ASGI server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any

from zddc.server.answer import Answer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_STALLED_SECONDS = 300  # of a reader who takes nothing

_logger = logging.getLogger(__name__)


# Most answers have most headers in common.
@lru_cache(maxsize=1 << 10)
def _encode(header: tuple[str, str]) -> tuple[bytes, bytes]:
    name, value = header
    return name.encode("latin-1"), value.encode("latin-1")


def first_messages(answer: Answer, entry: dict[str, Any]) -> list[Message]:
    """Return what is sent of an answer before anything is waited for: its head, and the body that is at hand."""
    headers = list(map(_encode, answer.headers))
    head: Message = {"type": "http.response.start", "status": answer.status, "headers": headers}
    if not isinstance(answer.body, bytes):
        return [head]
    body = b"" if entry["method"] == "HEAD" else answer.body
    entry["bytes"] = len(body)
    return [head, {"type": "http.response.body", "body": body}]


async def send_answer(answer: Answer, receive: Receive, send: Send, entry: dict[str, Any]) -> None:
    """Send an answer; where it cannot be sent to its end, the connection is cut, and the entry says so.

    The server cuts a connection whose application returns before the end of what it sends.
    """
    for message in first_messages(answer, entry):
        await send(message)
    if isinstance(answer.body, bytes):
        return
    left = asyncio.create_task(_wait_until_left(receive))
    try:
        async for piece in answer.body:
            if left.done():
                break
            async with asyncio.timeout(_STALLED_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            entry["bytes"] += len(piece)
        else:
            await send({"type": "http.response.body", "body": b""})
            return
        entry["cut"] = "the client left"
    except TimeoutError:
        entry["cut"] = "the client took nothing"
    except OSError as error:
        entry["cut"] = str(error)
        _logger.warning("%s: %s", entry["path"], error)
    finally:
        left.cancel()
        await answer.body.aclose()  # type: ignore[attr-defined]


async def _wait_until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
