"""Base class of the answers' readers: turns a body into parts, and refuses what it cannot read."""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Iterator
from typing import Any

from weakspot.protocols.parts import Finished, Part, StreamError, Text, Thought
from weakspot.protocols.sse import Decoder
from weakspot.protocols.thoughts import ThoughtSplitter

# Some servers neither end a stream nor close the connection. Usage may come behind the reason; behind the end there is
# only the end of the connection's use, which must be read for it to be used again.
SECONDS_BEHIND_THE_REASON, SECONDS_BEHIND_THE_END = 1.0, 0.2
_BODY_STARTS = (b"{", b"[", b"<")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class StreamReader(ABC):
    """Reads the parts of an answer from its bytes, as they come: from a stream of events, or from a whole body.

    Which of both a server sends shows in the first byte: not every server sends what it was asked for.
    ``ended`` is set when nothing more can come, though the connection may stay open.
    Raises :class:`StreamError` for an error that the server reports, and for what is not in the protocol.
    """

    def __init__(self) -> None:
        self.ended = False
        self._decoder, self._thoughts = Decoder(), ThoughtSplitter()
        self._begun = False
        self._whole: bytearray | None = bytearray()
        self._reason = self._model = ""

    @property
    def finishing(self) -> bool:
        """Whether the reason why the answer ended has come: only the numbers of tokens may follow."""
        return bool(self._reason)

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the parts that ``data`` completes."""
        if self._whole is not None:
            self._whole += data
            start = self._whole.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
            if not start or bytes(start) in _BODY_STARTS:
                return
            data, self._whole = bytes(self._whole), None
        for one in self._decoder.feed(data):
            yield from self._parts(one)

    def end(self) -> Iterator[Part]:
        """Yield what is left; no :class:`Finished` comes where the stream was cut."""
        if self._whole is not None:
            yield from self._whole_parts(self._whole.decode("utf-8-sig", "replace").strip())
        for one in self._decoder.feed(b"", last=True):
            try:
                json.loads(one)
            except ValueError:
                continue  # the stream was cut in the middle of an event
            yield from self._parts(one)
        yield from self._thoughts.flush()
        if (finished := self._final_part()) is not None:
            yield finished

    def _parts(self, data: str) -> Iterator[Part]:
        if self.ended:
            return
        if data.strip() == "[DONE]":
            self.ended = True
            return
        try:
            yield from self._split(self._event(json.loads(data)))
        except StreamError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StreamError("an event that is not in the protocol") from None

    def _whole_parts(self, data: str) -> Iterator[Part]:
        if not data:
            return
        if data.startswith("<"):
            title = _TITLE.search(data)
            line = " ".join((title[1] if title else data).split())
            raise StreamError(f"a web page instead of an answer: {line[:200]}")
        try:
            yield from self._split(self._body(json.loads(data)))
        except StreamError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StreamError("a body that is not in the protocol") from None

    def _split(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts with the thoughts taken out of their text."""
        for part in parts:
            if isinstance(part, Text):
                yield from self._thoughts.feed(part.text)
            elif isinstance(part, Thought):
                yield part
            else:
                yield from self._thoughts.flush()
                yield part

    @abstractmethod
    def _event(self, event: dict[str, Any]) -> Iterator[Part]: ...

    def _body(self, body: dict[str, Any]) -> Iterator[Part]:
        """Yield the parts of a whole answer, which in some protocols has the shape of an event."""
        return self._event(body)

    @abstractmethod
    def _final_part(self) -> Finished | None: ...


async def in_time(piece: Awaitable[bytes | None], deadline: float | None) -> bytes | None:
    """Return the piece that is waited for; None where there is none, or none before the deadline, if there is one.

    The deadline is a time of the event loop.
    """
    if deadline is None:  # no timer for each piece of a stream
        return await piece
    try:
        async with asyncio.timeout_at(deadline) as limit:
            return await piece
    except TimeoutError:
        if not limit.expired():
            raise
        return None


async def read_parts(reader: StreamReader, pieces: AsyncIterator[bytes]) -> AsyncGenerator[Part]:
    """Yield the parts of an answer until its end, which may come before the server closes the connection."""
    clock = asyncio.get_running_loop()
    deadline: float | None = None
    while (data := await in_time(anext(pieces, None), deadline)) is not None:
        said = False
        for part in reader.feed(data):
            said = True
            yield part
        if reader.ended:
            end = clock.time() + SECONDS_BEHIND_THE_END
            deadline = end if deadline is None else min(deadline, end)
        elif reader.finishing and (said or deadline is None):
            # Some servers give a reason with each piece: the answer goes on as long as it says something.
            deadline = clock.time() + SECONDS_BEHIND_THE_REASON
    for part in reader.end():
        yield part


def error_text(error: Any) -> str:
    """Return the text of an error as servers report it: an object with a message, or a text."""
    return str(error.get("message") or error) if isinstance(error, dict) else str(error)


def token_count(value: Any) -> int | None:
    """Return a number of tokens, None where the server gives none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
