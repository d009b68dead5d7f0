"""Answers with a file, whole or in parts, by the rules of HTTP and with headers that keep it harmless in a browser."""

import base64
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from zddc.file_identity import identity
from zddc.server.answer import EVERYWHERE, REVALIDATED, Answer, CutError, Pieces, Request
from zddc.server.conditions import (
    NOT_MODIFIED,
    Range,
    UnsatisfiableError,
    Validators,
    format_date,
    ranges,
    status_of_conditions,
)
from zddc.server.content_types import content_type, is_shown, with_charset

START = 64 * 1024  # bytes: what is read at once, in the thread that has opened the file
_LAST_DATE = 253_402_300_799  # the end of the year 9999
_Headers = tuple[tuple[str, str], ...]

# What somebody has put into the archive has no rights of its own: no script runs, nothing is asked of the network. It
# counts as a page of nobody, which would be refused even the images beside it; so it does not ask for them either.
SANDBOX = (
    "content-security-policy",
    "sandbox allow-downloads allow-popups; default-src 'none'; "
    "img-src data:; style-src 'unsafe-inline'; font-src data:",
)
# A browser asks for sound and film a second time, from a page that it makes itself and that nobody can write into.
_PLAYED = ("content-security-policy", "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$&'()+,.;=@^_`{}~-]*")
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"


@dataclass(slots=True)
class Content:
    """Bytes under a name: ``read`` yields those of a range, ``close`` lets go what they are read from.

    ``read`` raises :class:`CutError` where they are not all there.
    """

    name: str
    size: int
    validators: Validators
    read: Callable[[Range], Iterator[bytes]]
    close: Callable[[], None]


def answer_file(request: Request, name: str, file: int, status: os.stat_result) -> Answer:
    """Answer with an open regular file under a name; the descriptor is closed with the answer's body, or at once.

    To be called in the thread that has opened the file, with what ``os.fstat`` says of it: a small file is read here.
    Raises :class:`CutError` where it has become shorter meanwhile, and another OSError where it cannot be read.
    """
    validators = Validators(tag_of(status), header_time(status.st_mtime_ns))
    return answer_content(
        request,
        Content(name, status.st_size, validators, lambda part: read_range(file, part), lambda: os.close(file)),
    )


def answer_content(request: Request, content: Content) -> Answer:
    """Answer with some content; what it is read from is let go with the answer's body, or at once."""
    kept = False
    try:
        answer = _answer(request, content)
        kept = not isinstance(answer.body, bytes)
        return answer
    finally:
        if not kept:
            content.close()


def tag_of(status: os.stat_result, *more: object) -> str:
    """Return the entity tag of a file, another whenever it may have changed; ``more`` names a part of it."""
    return _tag((*identity(status), *more))


# The same file is asked for many times.
@lru_cache(maxsize=1 << 12)
def _tag(place: tuple[object, ...]) -> str:
    return format_tag(hashlib.blake2b(repr(place).encode("utf-8", "surrogatepass"), digest_size=15).digest())


def format_tag(digest: bytes) -> str:
    """Return a digest, of a multiple of five bytes, as an entity tag."""
    return f'"{base64.b32encode(digest).decode().lower()}"'


def header_time(mtime_ns: int) -> int | None:
    """Return the seconds of a time that a header can tell: None in the future, and before 1970."""
    seconds = mtime_ns // 1_000_000_000
    return seconds if 0 <= seconds <= min(time.time(), _LAST_DATE) else None


def read_range(file: int, part: Range) -> Iterator[bytes]:
    """Yield the bytes of a part of an open file; raises :class:`CutError` where they are not all there."""
    position = part.start
    while position < part.stop:
        piece = os.pread(file, min(Pieces.size(), part.stop - position), position)
        if not piece:
            raise CutError("the file has become shorter")
        position += len(piece)
        yield piece


def disposition(name: str, *, is_shown: bool) -> str:
    """Return how a file is to be taken, and under which name: RFC 6266."""
    kind = "inline" if is_shown else "attachment"
    if _PLAIN_NAME.fullmatch(name):
        return f'{kind}; filename="{name}"'
    plain = "".join(one if _PLAIN_NAME.fullmatch(one) else "_" for one in name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTRIBUTE_CHARACTERS)}"


@lru_cache(maxsize=1 << 12)
def _headers_of(name: str, validators: Validators) -> tuple[str, _Headers, _Headers, tuple[str, str]]:
    """Return the type of a file, its headers in any answer, those where it is sent, and how it is to be taken."""
    kind = content_type(name)
    rights = _PLAYED if kind.startswith(("audio/", "video/")) else SANDBOX
    more = [("accept-ranges", "bytes")]
    if validators.modified is not None:
        more.insert(0, ("last-modified", format_date(validators.modified)))
    shown = "content-disposition", disposition(name, is_shown=is_shown(kind))
    return kind, (rights, *EVERYWHERE, REVALIDATED, ("etag", validators.tag)), tuple(more), shown


def _answer(request: Request, content: Content) -> Answer:
    kind, first, more, shown = _headers_of(content.name, content.validators)
    headers = [*first]
    failed = status_of_conditions(request, content.validators)
    if failed == NOT_MODIFIED:
        return Answer(failed, headers)
    if failed:
        return _refusal(request, failed, "the file is not the one that the request's condition names", headers)
    headers += more
    try:
        parts = ranges(request, content.validators, content.size)
    except UnsatisfiableError:
        headers.append(("content-range", f"bytes */{content.size}"))
        return _refusal(request, 416, f"the file has {content.size} bytes, and none of those asked for", headers)
    headers.append(shown)
    start = b""
    is_small = content.size <= START and not parts and request.method == "GET"
    if is_small or kind.startswith("text/"):
        start = b"".join(content.read(Range(0, min(content.size, START))))
        kind = with_charset(kind, start, content.size <= START)
    if len(parts) > 1:
        return _answer_parts(content, parts, kind, headers)
    part = parts[0] if parts else Range(0, content.size)
    if parts:
        headers.append(("content-range", _content_range(part, content)))
    headers += [("content-type", kind), ("content-length", str(part.stop - part.start))]
    status = 206 if parts else 200
    if request.method == "HEAD" or is_small:
        return Answer(status, headers, b"" if request.method == "HEAD" else start)
    return Answer(status, headers, Pieces(content.read(part), content.close))


def _answer_parts(content: Content, parts: list[Range], kind: str, headers: list[tuple[str, str]]) -> Answer:
    boundary = secrets.token_hex(16)
    heads = [
        f"\r\n--{boundary}\r\ncontent-type: {kind}\r\ncontent-range: {_content_range(part, content)}\r\n\r\n".encode()
        for part in parts
    ]
    tail = f"\r\n--{boundary}--\r\n".encode()

    def pieces() -> Iterator[bytes]:
        for head, part in zip(heads, parts, strict=True):
            yield head
            yield from content.read(part)
        yield tail

    length = sum(map(len, heads)) + sum(part.stop - part.start for part in parts) + len(tail)
    headers += [("content-type", f"multipart/byteranges; boundary={boundary}"), ("content-length", str(length))]
    return Answer(206, headers, Pieces(pieces(), content.close))


def _content_range(part: Range, content: Content) -> str:
    return f"bytes {part.start}-{part.stop - 1}/{content.size}"


def _refusal(request: Request, status: int, line: str, headers: list[tuple[str, str]]) -> Answer:
    body = f"{line}\n".encode()
    own = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
    return Answer(status, [*headers, *own], b"" if request.method == "HEAD" else body)
