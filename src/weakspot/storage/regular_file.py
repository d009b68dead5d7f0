"""Opens files that somebody else made: no pipe that never ends, and no line that fills the memory."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from zddc.errors import UserError

LONGEST_BYTES = 64 << 20
"""The most that one line, one element of a list or one document of such a file may have."""

_CHUNK_BYTES = 1 << 20


class BoundedLine(NamedTuple):
    """A line: its number (from 1), its offset, and its bytes without line end; None if it is too long."""

    number: int
    offset: int
    data: bytes | None


def open_regular(file: Path) -> BinaryIO:
    """Open a file for reading; raise :class:`UserError` for a folder, a pipe or a device, without waiting for it."""
    stream = open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise UserError(file, "a pipe or a device, not a file", "write its content to a file first, or use '-'")
    return stream


def bounded_lines(stream: BinaryIO, end: int, longest: int = LONGEST_BYTES) -> Iterator[BoundedLine]:
    """Yield the lines up to the offset ``end``; nothing of one that is longer than ``longest`` stays in memory."""
    offset = number = 0
    stream.seek(0)
    while piece := stream.readline(min(longest + 1, end - offset)):
        number, begin = number + 1, offset
        offset += len(piece)
        whole = len(piece) <= longest or piece.endswith(b"\n")
        data = piece.rstrip(b"\r\n") if whole else None
        while not whole and (piece := stream.readline(min(_CHUNK_BYTES, end - offset))):
            offset += len(piece)
            whole = piece.endswith(b"\n")
        yield BoundedLine(number, begin, data)
