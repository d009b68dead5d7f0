"""Receives the body of a request, before anything else is done for it: in time, and not too large."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

# What is done for a longer body takes more than a moment: it is done in a thread, for one body at a time, so that
# other requests need not wait for it.
LONG_BYTES = 262_144
long_bodies = ThreadPoolExecutor(1, "weakspot-long-bodies")
# A body has this long, and as much more as what came of it takes at the least rate.
BODY_SECONDS = 20.0
LEAST_BYTES_PER_SECOND = 16_384


def time_for_body(size: int) -> float:
    """Return in how many seconds from its beginning a body must be whole, if ``size`` bytes of it are here."""
    return BODY_SECONDS + size / LEAST_BYTES_PER_SECOND


@functools.cache
def _key() -> "web.RequestKey[bytes]":
    from aiohttp import web

    return web.RequestKey("weakspot.body", bytes)


async def receive_body(request: "web.Request", most: int) -> bool:
    """Receive a request's body, which :func:`body_of` returns then; False where it is larger than ``most`` bytes.

    Raises TimeoutError for one that comes too slowly: it has some seconds, and more with each piece that came.
    """
    content = request.content
    if (request.content_length or 0) > most:
        return False
    if content.is_eof():  # most bodies come with their head: they need no clock
        request[_key()] = content.read_nowait()
        return len(body_of(request)) <= most
    pieces: list[bytes] = []
    size, loop = 0, asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.timeout_at(started + time_for_body(0)) as limit:
        while piece := await content.readany():
            pieces.append(piece)
            size += len(piece)
            if size > most:
                return False
            limit.reschedule(started + time_for_body(size))
    if size > LONG_BYTES:  # Python lets other threads go on while it joins long pieces
        request[_key()] = await loop.run_in_executor(long_bodies, b"".join, pieces)
    else:
        request[_key()] = b"".join(pieces)
    return True


def body_of(request: "web.Request") -> bytes:
    """Return the body that was received."""
    return request[_key()]
