"""What is asked of the server, and what it answers."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from starlette.datastructures import Headers


class Path(NamedTuple):
    """The names of a path from the root on, decoded, and whether it ended in a slash; the root is a folder."""

    names: tuple[str, ...]
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: ``method`` is GET or HEAD; ``email`` is None for who has not said who they are."""

    method: str
    path: Path
    query: Mapping[str, str]
    headers: "Headers"
    email: str | None
    raw_path: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. The names of ``headers`` are in lower case; the server itself adds ``date``.

    ``body`` is empty for HEAD. Where it is an iterator, who sends it closes it, whatever happens.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] = b""
