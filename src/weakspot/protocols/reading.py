"""Base class of the stream readers: turns events into parts, and refuses an event that it cannot read."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from weakspot.protocols.parts import Finished, Part, StreamError
from weakspot.protocols.sse import Decoder


class StreamReader(ABC):
    """Reads the parts of an answer from the bytes of its stream, as they come.

    Raises :class:`StreamError` for an error that the server reports, and for an event that is not in the protocol.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the parts that ``data`` completes."""
        for one in self._decoder.feed(data):
            yield from self._parts(one)

    def end(self) -> Iterator[Part]:
        """Yield what is left; no :class:`Finished` comes where the stream was cut."""
        for one in self._decoder.feed(b"", last=True):
            try:
                json.loads(one)
            except ValueError:
                continue  # the stream was cut in the middle of an event
            yield from self._parts(one)
        if (finished := self._final_part()) is not None:
            yield finished

    def _parts(self, data: str) -> Iterator[Part]:
        if data.strip() == "[DONE]":
            return
        try:
            event = json.loads(data)
            yield from self._event(event)
        except StreamError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StreamError("an event that is not in the protocol") from None

    @abstractmethod
    def _event(self, event: dict[str, Any]) -> Iterator[Part]: ...

    @abstractmethod
    def _final_part(self) -> Finished | None: ...


def error_text(error: Any) -> str:
    """Return the text of an error as servers report it: an object with a message, or a text."""
    return str(error.get("message") or error) if isinstance(error, dict) else str(error)


def token_count(value: Any) -> int | None:
    """Return a number of tokens, None where the server gives none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
