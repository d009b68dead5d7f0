"""The JSON objects of a file, one at a time: those of its lines, of its list, or the one that it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from weakspot.records.parsing import parse_json_object
from weakspot.storage import append_log

_CHUNK_BYTES = 1 << 20
# A list by itself, or as a server's answer holds it: {"data": [...]}.
_LIST = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*"data"\s*:\s*)?\[')
_INDENTED = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{\s*\n")
_MARKS = re.compile(rb'\\.|["\[\]{},]', re.DOTALL)
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


@dataclass(frozen=True)
class BadLine:
    """What could not be taken from ``file``: the number of its line, or its own in a list or a database."""

    line: int
    reason: str
    detail: str
    file: str


class Entry(NamedTuple):
    """One object's bytes, where they begin in the file, and its 1-based number: its line's, or its own."""

    number: int
    offset: int
    data: bytes

    def value(self) -> dict[str, Any]:
        """Decode the object; raise :class:`RecordError` as :func:`parse_json_object` does.

        Half a character, as programs leave it that cut texts by length, becomes U+FFFD here.
        """
        data = self.data
        if b"\\ud" in data or b"\\uD" in data:
            data = _SURROGATES.sub(lambda found: rb"\ufffd" if found[1] else found[0], data)
        return parse_json_object(data)


def entries(file: Path) -> Iterator[Entry]:
    """Yield the objects of ``file``, whichever way they are laid out, without holding all of it in memory."""
    with file.open("rb") as stream:
        head = stream.read(4096)
        if found := _LIST.match(head):
            stream.seek(found.end())
            yield from _elements(stream, found.end())
            return
        if _INDENTED.match(head):
            stream.seek(0)
            yield Entry(1, 0, stream.read().removeprefix(b"\xef\xbb\xbf"))
            return
    for line in append_log.read_lines(file):
        yield Entry(line.number, line.offset, line.data)


def _elements(stream: Any, position: int) -> Iterator[Entry]:
    """Yield the elements of a list whose opening bracket ends at ``position``; a torn last one as it is."""
    depth, quoted, number = 1, False, 0
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
                if element.strip():
                    number += 1
                    yield Entry(number, begin, bytes(element))
                element.clear()
                start = mark.end()
                begin = position + start
                if depth == 0:
                    return
        element += chunk[start:]
        position += len(chunk)
    if element.strip():
        yield Entry(number + 1, begin, bytes(element))


def _chunk(stream: Any) -> bytes:
    """Read some of the stream, never half of an escape."""
    data = bytes(stream.read(_CHUNK_BYTES))
    while data.endswith(b"\\") and (more := stream.read(1)):
        data += more
    return data
