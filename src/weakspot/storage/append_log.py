"""Append-only log of records, one per line: durable appends by many processes at once, reading, replacing."""

import contextlib
import errno
import hashlib
import io
import itertools
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from weakspot.storage import atomic, filesystem, locks
from zddc.errors import UserError

Durability = Literal["process", "disk"]
"""What a stored record survives: "process" a killed writer, "disk" also a power cut."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The control character CAN (cancel): a line that begins with it is ignored. A single byte is never written in part.
_ERASED = b"\x18"
_REMEMBERED = 1000


@dataclass(frozen=True)
class Line:
    """A line: its ``number`` (from 1), its byte ``offset``, and its ``data`` without the line end."""

    number: int
    offset: int
    data: bytes


class JournalError(OSError):
    """The disk failed to store what was written: nothing is acknowledged until :meth:`Journal.reopen` succeeds."""


class Journal:
    """A file to which any number of processes and threads append records, one per line.

    A record is acknowledged when :meth:`append` returns; ``durability`` says what it survives from then on. Raises
    :class:`UserError` for a file on a network file system, where neither locks nor syncs can be relied on, unless
    ``allow_network``. No file descriptor stays open between calls: a journal may be used after a fork, and if its
    file was moved or removed, the next append creates a new one.
    """

    def __init__(self, file: Path, durability: Durability = "disk", *, allow_network: bool = False) -> None:
        _refuse_network(file, allow_network)
        self.file, self.durability = file, durability
        self.failed = False
        self._acknowledged: deque[tuple[int, int, int, bytes]] = deque(maxlen=_REMEMBERED)

    def append(self, records: Sequence[str]) -> None:
        """Append ``records``, one per line; return when they are as durable as ``durability`` promises.

        All are written with one call. If a killed writer left an incomplete last line, a newline is written first, so
        that no record is joined to it. On any error none is acknowledged: a failed write is undone, and if possible
        also a failed sync. After a failed sync every append raises :class:`JournalError` until :meth:`reopen`.
        Raises ValueError for a record that would not be read back unchanged: an empty one, or one with a line feed.
        """
        lines = [_encode_line(record) for record in records]
        if self.failed:
            raise JournalError(errno.EIO, "an earlier sync failed: nothing is stored until reopened", str(self.file))
        try:
            with locks.open_and_lock(self.file, create=True) as descriptor:
                offset = _write(descriptor, self.file, lines, self.durability)
                inode = os.fstat(descriptor).st_ino
        except JournalError:
            self.failed = True
            raise
        for line in lines:
            self._acknowledged.append((inode, offset, len(line), hashlib.sha256(line).digest()))
            offset += len(line)

    def reopen(self) -> None:
        """Accept appends again after a failed sync, if every acknowledged record is on the disk; else raise the error.

        Linux reports a failed write to the disk once, to each descriptor that is open at that time, and then marks the
        pages as clean: a second sync succeeds and writes nothing. Therefore the file is opened anew, the file and its
        folder are synced, its pages are dropped from memory, and the last 1,000 records acknowledged by this journal
        are read back from the disk and compared by offset, length and SHA-256. Older ones were synced long before and
        share no page with what failed. Records replaced in the meantime are skipped. Finally an incomplete last line
        is closed. A missing record stays an error: to continue without it, create a new journal.
        """
        with locks.open_and_lock(self.file, create=True) as descriptor:
            locks.release_end(descriptor)
            locks.lock_content(descriptor, self.file)
            with _journal_errors(self.file):
                os.fsync(descriptor)
                atomic.sync_folder(self.file.parent)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            inode = os.fstat(descriptor).st_ino
            for place, offset, length, digest in self._acknowledged:
                found = os.pread(descriptor, length, offset)
                erased = len(found) == length and not holds_something(found)
                if place == inode and not erased and hashlib.sha256(found).digest() != digest:
                    problem = f"the record that was stored at byte {offset} is not there any more"
                    raise JournalError(errno.EIO, problem, str(self.file))
            locks.lock_end(descriptor)
            _cut_lost_tail(descriptor)
            _write(descriptor, self.file, [], "disk")
        self.failed = False


def append(file: Path, records: Sequence[str], durability: Durability = "disk", *, allow_network: bool = False) -> None:
    """Append ``records`` to a file with a journal for this one call; see :meth:`Journal.append`."""
    Journal(file, durability, allow_network=allow_network).append(records)


def read_lines(file: Path) -> Iterator[Line]:
    """Yield the lines of ``file`` that are neither empty nor erased, without byte-order mark and without CR before LF.

    The lines are those of the moment when the reading began: a write in progress, and anything appended or replaced
    later, is not seen, not even in part. A last line without a newline is yielded too: since no write is in progress,
    it is the last record of an imported file, or what a killed writer left. A missing file has no lines.
    """
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return
    with stream:
        for line in _lines(stream, locks.share_content(stream.fileno())):
            if holds_something(line.data):
                yield line


def replace(
    file: Path,
    changes: Mapping[Line, str | None],
    durability: Durability = "disk",
    *,
    allow_network: bool = False,
) -> None:
    """Replace lines from :func:`read_lines` by new records, or remove them (None); others may append meanwhile.

    First the new records are appended, then the old lines are marked as erased by their first byte, then they are
    overwritten with spaces in place. Each step is on the disk before the next begins, no other line moves, and no
    reader sees a partial change. If the process is killed, no record is lost, but old and new may both be there:
    running the same changes again repairs that, since a record that exists already is not appended twice. Lines that
    were marked but not overwritten are no longer read, and the next call overwrites them, even one without changes.

    Raises :class:`UserError`, and changes nothing, if a line is no longer what was read, or if another process keeps
    reading the file for 10 seconds; OSErrors like :meth:`Journal.append`.
    """
    _refuse_network(file, allow_network)
    fresh = dict.fromkeys(_encode_line(record) for record in changes.values() if record is not None)
    with locks.open_and_lock(file) as descriptor:
        locks.release_end(descriptor)
        locks.lock_content(descriptor, file)
        found: list[Line] = []
        with open(descriptor, "rb", closefd=False) as stream:
            for line in _lines(stream, locks.measure_size(descriptor)):
                if line in changes or line.data.startswith(_ERASED):
                    found.append(line)
                else:
                    fresh.pop(line.data + b"\n", None)
        for line in changes.keys() - set(found):
            raise UserError(f"{file}:{line.number}", "the line has changed since it was read", "run the command again")
        locks.lock_end(descriptor)
        _write(descriptor, file, list(fresh), durability)
        _erase(descriptor, file, [(line.offset, len(line.data)) for line in found], durability)


def _refuse_network(file: Path, allowed: bool) -> None:
    if not allowed and (kind := filesystem.kind(file)) in filesystem.NETWORK:
        problem = f"lies on a network file system ({kind}), where locks and syncs cannot be relied on"
        raise UserError(file, problem, "keep it on a local disk, or set [collect] allow_network_filesystem")


@contextlib.contextmanager
def _journal_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(error.errno, error.strerror, str(file)) from None


def _write(descriptor: int, file: Path, lines: Sequence[bytes], durability: Durability) -> int:
    """Append lines under the append lock, release it, sync; return the byte offset of the first line."""
    end = os.fstat(descriptor).st_size
    if end == 0 and durability == "disk":
        # Before the first record: a reader who finds a record can then rely on the file's name being on the disk.
        with _journal_errors(file):
            atomic.sync_folder(file.parent)
    torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
    try:
        _write_at(descriptor, b"\n" * torn + b"".join(lines), end)
    except BaseException:  # Ctrl-C, too. Nobody has seen what was written under the lock.
        with contextlib.suppress(OSError):  # if it cannot be undone, the next writer closes the incomplete line
            os.ftruncate(descriptor, end)
        raise
    begin = end + torn
    # If the lock were held during the sync, all writers would wait for each other's syncs: bench/bench_store.py.
    locks.release_end(descriptor)
    if durability == "disk":
        try:
            with _journal_errors(file):
                os.fdatasync(descriptor)
        except JournalError:
            with contextlib.suppress(OSError, UserError):
                _take_back(descriptor, file, lines, begin)
            raise
    return begin


def _take_back(descriptor: int, file: Path, lines: Sequence[bytes], offset: int) -> None:
    """Erase lines that could not be synced, and cut them off if nobody has written after them yet.

    After a failed sync the kernel regards the pages as clean; overwriting the lines makes these pages, and the parts
    of neighbouring lines in them, dirty again. That does not protect the next writer: data added to a block that ext4
    has allocated but failed to write is lost although its sync succeeds (Linux 6.18: the block stays marked as
    unwritten). Therefore the lines are also cut off.
    """
    locks.lock_content(descriptor, file)
    for line in lines:
        # Another process that reopened the journal meanwhile may have cut the lines off and written there.
        if os.pread(descriptor, len(line), offset) == line:
            _write_at(descriptor, _ERASED * (len(line) - 1), offset)
        offset += len(line)
    locks.lock_end(descriptor)
    _cut_lost_tail(descriptor)
    locks.release_end(descriptor)
    os.fdatasync(descriptor)


def _cut_lost_tail(descriptor: int) -> None:
    """Under both locks, cut off erased lines at the end of the file and last bytes that never reached the disk."""
    end, size = os.fstat(descriptor).st_size, 65536
    tail = kept = b""
    while not kept and len(tail) < end:
        tail = os.pread(descriptor, size, max(0, end - size))
        kept = tail.rstrip(_ERASED + b"\n\0")
        size *= 2
    newline = tail.find(b"\n", len(kept)) if kept else -1  # of a file that holds nothing, nothing is left
    os.ftruncate(descriptor, end - len(tail) + (len(kept) if newline < 0 else newline + 1))


def _erase(descriptor: int, file: Path, spans: Sequence[tuple[int, int]], durability: Durability) -> None:
    """Overwrite lines, given by offset and length, with spaces; a reader never sees a part of one."""
    marks = [(offset, _ERASED) for offset, _ in spans]
    bodies = [(offset + 1, b" " * (length - 1)) for offset, length in spans]
    beginnings = [(offset, b" ") for offset, _ in spans]
    for step in (marks, bodies, beginnings):
        for offset, data in step:
            _write_at(descriptor, data, offset)
        if durability == "disk":
            with _journal_errors(file):
                os.fdatasync(descriptor)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        # Short writes happen: the disk may accept a part and refuse the rest with the next call.
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _lines(stream: BinaryIO, end: int) -> Iterator[Line]:
    """Yield every line up to the byte offset ``end``, including empty and erased ones."""
    offset = 0
    for number in itertools.count(1):
        raw = stream.readline(end - offset)
        if not raw:
            return
        bare = raw.removeprefix(_BYTE_ORDER_MARK)
        yield Line(number, offset + len(raw) - len(bare), bare.rstrip(b"\r\n"))
        offset += len(raw)


def _encode_line(record: str) -> bytes:
    """Return the bytes of a record's line; raise ValueError for a record that would not be read back unchanged."""
    data = record.encode()
    if list(_lines(io.BytesIO(data), len(data))) != [Line(1, 0, data)] or not holds_something(data):
        raise ValueError(f"a record is one line that is not empty, not {record[:40]!r}")
    return data + b"\n"


def holds_something(data: bytes) -> bool:
    """Return whether a line is neither empty nor erased."""
    return bool(data.strip()) and not data.startswith(_ERASED)
