"""The content of a request, which is read to its end also where nobody wants it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.datastructures import Headers

_MOST_BYTES, _LONGEST_SECONDS = 64 * 1024**2, 30


class Content:
    """Receives the content of a request, as the server's own callable does, and knows whether all of it came."""

    def __init__(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
        self._receive, self._is_read = receive, False

    async def __call__(self) -> MutableMapping[str, Any]:
        """Return the next message."""
        message = await self._receive()
        self._is_read = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def pass_over(self, headers: "Headers") -> None:
        """Read what is left of the content of a request that is refused, up to 64 MiB and 30 seconds.

        Browsers and proxies send all of it before they read an answer, and a connection that is closed under them is
        all that they tell of it. Who asks first whether to go on does read it.
        """
        if self._is_read or headers.get("expect", "").lower() == "100-continue":
            return
        left = _MOST_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_SECONDS):
                while left > 0 and not self._is_read:
                    left -= len((await self()).get("body", b""))
