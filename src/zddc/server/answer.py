"""Holds what is asked of the server, and what it answers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from zddc.server.threads import run_in_thread

if TYPE_CHECKING:
    from starlette.datastructures import Headers

# What every answer has, whoever wrote its body.
EVERYWHERE = (
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
)
REVALIDATED = ("cache-control", "private, no-cache")
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


# Of a body that is sent some seven pieces are in memory while its reader takes nothing. Four at once get the largest;
# the more there are, the smaller they get, so that many who read slowly take little more memory than a few.
_LARGEST_PIECE, _SMALLEST_PIECE, _FEW_BODIES = 512 * 1024, 8 * 1024, 4  # bytes, bytes


class Path(NamedTuple):
    """The names of a path from the root on, decoded, and whether it ended in a slash; the root is a folder."""

    names: tuple[str, ...]
    is_folder: bool


@dataclass(slots=True)
class Request:
    """What is asked: ``method`` is GET or HEAD; ``email`` is None for who has not said who they are."""

    method: str
    path: Path
    query: Mapping[str, str]
    headers: "Headers"
    email: str | None
    raw_path: bytes

    def field(self, name: str) -> str | None:
        """Return the value of a header that is a list: its lines, joined by commas; None where there is none."""
        lines = self.headers.getlist(name)
        return ", ".join(lines) if lines else None


class CutError(OSError):
    """What is sent has become another since its length was told: the connection must be cut, and nothing made up."""


class Pieces(AsyncIterator[bytes]):
    """A body that is read piece by piece in threads.

    ``aclose`` waits for a thread that reads, and then lets go what the pieces are read from, also where nobody has
    asked for the first piece. Raises what reading raises: :class:`CutError`, or another OSError.
    """

    _open, _counting = 0, threading.Lock()

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces, self._let_go = pieces, close
        self._reading, self._closed = threading.Lock(), False
        self._count(1)

    @classmethod
    def size(cls) -> int:
        """Return the bytes that a piece should have now."""
        return max(_SMALLEST_PIECE, _LARGEST_PIECE * _FEW_BODIES**2 // max(_FEW_BODIES, cls._open) ** 2)

    @classmethod
    def _count(cls, change: int) -> None:
        with cls._counting:
            cls._open += change

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await run_in_thread(self._next)
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Let the file go; once is enough, and more do no harm."""
        await asyncio.shield(run_in_thread(self.close))

    def close(self) -> None:
        """Let the file go, from a thread."""
        with self._reading:
            if not self._closed:
                self._closed = True
                self._count(-1)
                self._let_go()

    def _next(self) -> bytes | None:
        with self._reading:
            return None if self._closed else next(self._pieces, None)


@dataclass(slots=True)
class Answer:
    """What is answered. The names of ``headers`` are in lower case; the server itself adds ``date``.

    ``body`` is empty for HEAD. Where it is an iterator, who sends it calls ``aclose``, whatever happens.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] = b""


def answer_text(status: int, line: str, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Answer with one line of text, the same for GET and HEAD: whoever sends it leaves the body out for HEAD."""
    body = f"{line}\n".encode()
    own = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
    return Answer(status, [*own, *page_headers(), ("cache-control", "no-store"), *headers], body)


def page_headers(style: str = "") -> list[tuple[str, str]]:
    """Return the headers that keep a page of ours apart from all others; ``style`` is the source of its style sheet."""
    policy = f"{_NOTHING}; style-src {style}" if style else _NOTHING
    return [*EVERYWHERE, ("content-security-policy", policy), ("cross-origin-opener-policy", "same-origin")]
