"""Streams the JSON objects of a file: one per line, the elements of a list, or a single object."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from weakspot.records.parsing import RecordError, parse_json_object
from weakspot.storage import append_log, locks
from weakspot.storage.regular_file import LONGEST_BYTES, bounded_lines, open_regular

_T = TypeVar("_T")
_CHUNK_BYTES = 1 << 20
_SHOWN_BYTES = 200
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A list by itself, or as a server's answer holds it: {"data": [...]}.
_LIST = re.compile(rb'\s*(?:\{\s*"data"\s*:\s*)?\[(?=\s*(?:[{\[\]"0-9tfn-]|\Z))')
_INDENTED = re.compile(rb"\s*\{\s*\n")
# A program's own words in front of its export: no line of JSON, and JSON behind them.
_WORDS = re.compile(rb'\s*(?![{"])[^{}"]{1,1000}?(?=\{\s*"|\[\s*\{\s*")')
_MARKS = re.compile(rb'\\.|["\[\]{},]', re.DOTALL)
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


@dataclass(frozen=True)
class BadLine:
    """What could not be imported from ``file``; ``line`` is its line's number, or its own in a list or a database."""

    line: int
    reason: str
    detail: str
    file: str


@dataclass(frozen=True)
class LeftOut:
    """What a reader passed over on purpose, with the reason; the number is as that of a :class:`BadLine`."""

    line: int
    reason: str


class JsonEntry(NamedTuple):
    """One object: its 1-based number or that of its line, its offset in the file, and its bytes; None if too long."""

    number: int
    offset: int
    stored: bytes | None

    @property
    def data(self) -> bytes:
        """The bytes of the object; raises :class:`RecordError` for one that is too long."""
        if self.stored is None:
            raise RecordError("too-large", f"longer than {LONGEST_BYTES >> 20} MiB")
        return self.stored

    def value(self) -> dict[str, Any]:
        """Decode the object; raise :class:`RecordError` as :func:`parse_json_object` does.

        Half of a surrogate pair, left by programs that cut texts by length, becomes U+FFFD.
        """
        data = self.data
        if b"\\ud" in data or b"\\uD" in data:
            data = _SURROGATES.sub(lambda found: rb"\ufffd" if found[1] else found[0], data)
        return parse_json_object(data)


def entries(file: Path) -> Iterator[JsonEntry]:
    """Yield the objects of ``file`` in any of its layouts; lines and lists are not held in memory as a whole."""
    with open_regular(file) as stream:
        head = stream.read(4096)
        start = _start(head)
        if found := _LIST.match(head, start):
            stream.seek(found.end())
            yield from _elements(stream, found.end())
            return
        if _INDENTED.match(head, start):
            yield document(file, start)
            return
        if b"\n" in head[:start]:
            start = 0  # a whole line of words among lines is reported as a bad one
        # It may be the raw file of another workspace, in use: no line of it is erased while it is read.
        for number, offset, line in bounded_lines(stream, locks.share_content(stream.fileno()), LONGEST_BYTES):
            data = line if line is None else line[max(0, start - offset) :].removeprefix(_BYTE_ORDER_MARK)
            if data is None or append_log.holds_something(data):
                yield JsonEntry(number, offset + len(line or b"") - len(data or b""), data)


def read_each(file: Path, convert: Callable[[int, dict[str, Any]], Iterable[_T]]) -> Iterator[_T | BadLine]:
    """Yield what ``convert`` makes of the number and the value of each object of ``file``; of one that is none, why."""
    for entry in entries(file):
        try:
            value = entry.value()
        except RecordError as error:
            yield BadLine(entry.number, error.reason, error.detail, str(file))
            continue
        yield from convert(entry.number, value)


def document(file: Path, start: int = 0) -> JsonEntry:
    """Return the one object that a file holds from ``start`` on."""
    with open_regular(file) as stream:
        stream.seek(start)
        data = stream.read(LONGEST_BYTES + 1)
    return JsonEntry(1, start, None if len(data) > LONGEST_BYTES else data.removeprefix(_BYTE_ORDER_MARK))


def _start(head: bytes) -> int:
    """Return where the JSON of a file begins: behind a byte-order mark, and behind a program's words."""
    mark = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    if _LIST.match(head, mark):
        return mark
    words = _WORDS.match(head, mark)
    return words.end() if words else mark


def parse_json_text(text: str) -> Any:
    """Return a text parsed as JSON; raise :class:`RecordError` where it is none."""
    try:
        return JsonEntry(0, 0, b'{"value":' + text.encode("utf-8", "replace") + b"}").value()["value"]
    except KeyError:
        raise RecordError("not-json", "no value") from None


def _elements(stream: Any, position: int) -> Iterator[JsonEntry]:
    """Yield the elements of a list whose opening bracket ends at ``position``; an incomplete last one as it is."""
    depth, quoted, number, too_long = 1, False, 0, False
    element, begin = bytearray(), position
    while chunk := _chunk(stream):
        start = 0
        for mark in _MARKS.finditer(chunk):
            sign = mark[0]
            if sign == b'"':
                quoted = not quoted
            elif quoted or sign.startswith(b"\\"):
                continue
            elif sign in b"[{":
                depth += 1
            elif sign in b"]}":
                depth -= 1
            if depth == 0 or (depth == 1 and sign == b"," and not quoted):
                element += chunk[start : mark.start()]
                if too_long or element.strip():
                    number += 1
                    yield JsonEntry(number, begin, None if too_long else bytes(element))
                element.clear()
                too_long = False
                start = mark.end()
                begin = position + start
                if depth == 0:
                    rest = chunk[start : start + _SHOWN_BYTES].lstrip()
                    if rest and rest[:1] not in b",}":  # a bracket too many ended the list early
                        blanks = min(len(chunk) - start, _SHOWN_BYTES) - len(rest)
                        yield JsonEntry(number + 1, begin + blanks, rest.rstrip())
                    return
        element += chunk[start:]
        if too_long := too_long or len(element) > LONGEST_BYTES:
            element.clear()
        position += len(chunk)
    if too_long or element.strip():
        yield JsonEntry(number + 1, begin, None if too_long else bytes(element))


def _chunk(stream: Any) -> bytes:
    """Read the next chunk of the stream, which never ends within an escape sequence."""
    data = bytes(stream.read(_CHUNK_BYTES))
    while data.endswith(b"\\") and (more := stream.read(1)):
        data += more
    return data
