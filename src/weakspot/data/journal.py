"""The append-only file of records: durable appends from many processes at once, reading, replacing."""

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

from weakspot.data import locks, mounts, store
from zddc.errors import UserError

Durability = Literal["process", "disk"]
"""What an acknowledged record survives: the death of its writer, or that of the machine as well."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The control character CAN: the line that it begins is to be disregarded. One byte is written whole or not at all.
_ERASED = b"\x18"
_REMEMBERED = 1000


@dataclass(frozen=True)
class Line:
    """A line that holds something: 1-based ``number``, byte ``offset`` of ``data``, which lacks the line's end."""

    number: int
    offset: int
    data: bytes


class JournalError(OSError):
    """The disk failed to keep what was written: nothing was acknowledged, nor is until the journal is reopened."""


class Journal:
    """A file that any number of processes and threads append records to, one a line.

    A record is acknowledged by the return of :meth:`append`; ``durability`` says what it then survives. Raises
    :class:`UserError` for a file on a network file system, where neither locks nor syncs can be relied on, unless
    ``allow_network``. No descriptor is kept: a journal may be used after a fork, and where its file was moved
    away or removed, the next append makes a new one.
    """

    def __init__(self, file: Path, durability: Durability = "disk", *, allow_network: bool = False) -> None:
        _refuse_network(file, allow_network)
        self.file, self.durability = file, durability
        self.failed = False
        self._acknowledged: deque[tuple[int, int, int, bytes]] = deque(maxlen=_REMEMBERED)

    def append(self, records: Sequence[str]) -> None:
        """Append ``records``, each a line of its own; return when they are as durable as they are to be.

        All are written at once, behind a newline where a killed writer left a torn tail, which so swallows nothing.
        On any error none is acknowledged: a failed write is taken back, and so is what could not be synced,
        where possible. After a failed sync each append raises :class:`JournalError` until :meth:`reopen`.
        Raises ValueError for a record that would not be read back as it is: empty, or with a line feed.
        """
        lines = [_line(record) for record in records]
        if self.failed:
            raise JournalError(errno.EIO, "an earlier sync failed: nothing is stored until reopened", str(self.file))
        try:
            with locks.opened(self.file, create=True) as descriptor:
                offset = _write(descriptor, self.file, lines, self.durability)
                inode = os.fstat(descriptor).st_ino
        except JournalError:
            self.failed = True
            raise
        for line in lines:
            self._acknowledged.append((inode, offset, len(line), hashlib.sha256(line).digest()))
            offset += len(line)

    def reopen(self) -> None:
        """Acknowledge again after a failed sync, if what was acknowledged is there; else raise what is wrong.

        Linux tells of a failed write to the disk once, to each descriptor that was open then, and takes the pages
        for clean from there on: a second sync succeeds and writes nothing. So the file is opened anew, it and its
        folder are synced, its pages dropped from memory, and the last 1,000 records acknowledged through this
        journal are read back from the disk and compared by offset, length and SHA-256. Older ones were synced
        long before, and share no page with what failed. Those replaced meanwhile are passed over. At last the
        tail is healed. A record that is not there stays a failure: to go on without it, make a new journal.
        """
        with locks.opened(self.file, create=True) as descriptor:
            locks.release_end(descriptor)
            locks.lock_content(descriptor, self.file)
            with _syncing(self.file):
                os.fsync(descriptor)
                store.sync_folder(self.file.parent)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            inode = os.fstat(descriptor).st_ino
            for place, offset, length, digest in self._acknowledged:
                found = os.pread(descriptor, length, offset)
                erased = len(found) == length and not _holds_something(found)
                if place == inode and not erased and hashlib.sha256(found).digest() != digest:
                    problem = f"the record that was stored at byte {offset} is not there any more"
                    raise JournalError(errno.EIO, problem, str(self.file))
            locks.lock_end(descriptor)
            _cut_lost_tail(descriptor)
            _write(descriptor, self.file, [], "disk")
        self.failed = False


def append(file: Path, records: Sequence[str], durability: Durability = "disk", *, allow_network: bool = False) -> None:
    """Append ``records`` to a journal that is not kept; see :meth:`Journal.append`."""
    Journal(file, durability, allow_network=allow_network).append(records)


def read_lines(file: Path) -> Iterator[Line]:
    """Yield the lines of ``file`` that hold anything, without a byte-order mark, and without CR before LF.

    What is read is the file as it was when the reading began: neither a write that was under way nor what is
    appended or replaced meanwhile is seen, in whole or in part. A last line without a newline counts: as no
    write is under way, it is an imported file's last record, or what a killed writer left, which stays so.
    """
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return
    with stream:
        for line in _lines(stream, locks.share_content(stream.fileno())):
            if _holds_something(line.data):
                yield line


def replace(
    file: Path,
    changes: Mapping[Line, str | None],
    durability: Durability = "disk",
    *,
    allow_network: bool = False,
) -> None:
    """Replace lines that :func:`read_lines` gave by new records, or by nothing; others may append meanwhile.

    The new records are appended, then the old lines marked as erased by their first byte, then overwritten with
    spaces where they stand, each step on the disk before the next: no other line moves, no read sees a part.
    Killed at any point it loses no record, and old and new may both be there: the same changes made again mend
    that, as a record that is there already is not appended twice. Lines that were marked but not overwritten
    are not read any more, and the next call overwrites them, even one without changes.

    Raises :class:`UserError`, having done nothing, where a line is not any more what it was, or where another
    process goes on reading the file for 10 seconds; OSErrors like :meth:`Journal.append`.
    """
    _refuse_network(file, allow_network)
    fresh = dict.fromkeys(_line(record) for record in changes.values() if record is not None)
    with locks.opened(file) as descriptor:
        locks.release_end(descriptor)
        locks.lock_content(descriptor, file)
        found: list[Line] = []
        with open(descriptor, "rb", closefd=False) as stream:
            for line in _lines(stream, locks.settled_size(descriptor)):
                if line in changes or line.data.startswith(_ERASED):
                    found.append(line)
                else:
                    fresh.pop(line.data + b"\n", None)
        for line in changes.keys() - set(found):
            raise UserError(f"{file}:{line.number}", "the line is not any more what was read", "run the command again")
        locks.lock_end(descriptor)
        _write(descriptor, file, list(fresh), durability)
        _erase(descriptor, file, [(line.offset, len(line.data)) for line in found], durability)


def _refuse_network(file: Path, allowed: bool) -> None:
    if not allowed and (kind := mounts.kind(file)) in mounts.NETWORK:
        problem = f"lies on a network file system ({kind}), where locks and syncs cannot be relied on"
        raise UserError(file, problem, "keep it on a local disk, or set [collect] allow_network_filesystem")


@contextlib.contextmanager
def _syncing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(error.errno, error.strerror, str(file)) from None


def _write(descriptor: int, file: Path, lines: Sequence[bytes], durability: Durability) -> int:
    """Append lines under the lock of the file's end, let that go, sync; return the offset of the first line."""
    end = os.fstat(descriptor).st_size
    if end == 0 and durability == "disk":
        # Before there is anything in the file: who finds something there knows that its name is on the disk.
        with _syncing(file):
            store.sync_folder(file.parent)
    torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
    try:
        _put(descriptor, b"\n" * torn + b"".join(lines), end)
    except BaseException:  # Ctrl-C, too. Nobody has seen what was written under the lock.
        with contextlib.suppress(OSError):  # the next writer closes the tail that this one cannot take back
            os.ftruncate(descriptor, end)
        raise
    begin = end + torn
    # All writers would wait for each other's syncs if the lock were held meanwhile: bench/bench_store.py.
    locks.release_end(descriptor)
    if durability == "disk":
        try:
            with _syncing(file):
                os.fdatasync(descriptor)
        except JournalError:
            with contextlib.suppress(OSError, UserError):
                _take_back(descriptor, file, lines, begin)
            raise
    return begin


def _take_back(descriptor: int, file: Path, lines: Sequence[bytes], offset: int) -> None:
    """Erase lines that could not be synced, and cut them off where nobody has written behind them yet.

    Overwriting makes their pages, and what of the neighbours is in them, dirty again, as the kernel takes them for
    clean. That is not enough for who writes next: what it adds to a block that ext4 has allocated and failed to
    write is lost although its sync succeeds (Linux 6.18: the block stays marked as unwritten). Hence the cut.
    """
    locks.lock_content(descriptor, file)
    for line in lines:
        # Who opened the journal anew meanwhile may have found nothing there, cut it off, and written there.
        if os.pread(descriptor, len(line), offset) == line:
            _put(descriptor, _ERASED * (len(line) - 1), offset)
        offset += len(line)
    locks.lock_end(descriptor)
    _cut_lost_tail(descriptor)
    locks.release_end(descriptor)
    os.fdatasync(descriptor)


def _cut_lost_tail(descriptor: int) -> None:
    """Cut off, under both locks, the last lines that were taken back and the last bytes that never reached the disk."""
    end, size = os.fstat(descriptor).st_size, 65536
    tail = kept = b""
    while not kept and len(tail) < end:
        tail = os.pread(descriptor, size, max(0, end - size))
        kept = tail.rstrip(_ERASED + b"\n\0")
        size *= 2
    newline = tail.find(b"\n", len(kept)) if kept else -1  # of a file that holds nothing, nothing is left
    os.ftruncate(descriptor, end - len(tail) + (len(kept) if newline < 0 else newline + 1))


def _erase(descriptor: int, file: Path, spans: Sequence[tuple[int, int]], durability: Durability) -> None:
    """Overwrite lines, given by offset and length, with spaces, so that at no time a part of one can be read."""
    marks = [(offset, _ERASED) for offset, _ in spans]
    bodies = [(offset + 1, b" " * (length - 1)) for offset, length in spans]
    beginnings = [(offset, b" ") for offset, _ in spans]
    for step in (marks, bodies, beginnings):
        for offset, data in step:
            _put(descriptor, data, offset)
        if durability == "disk":
            with _syncing(file):
                os.fdatasync(descriptor)


def _put(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        # A short write is real: the disk may take a part and refuse the rest with the next call.
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _lines(stream: BinaryIO, end: int) -> Iterator[Line]:
    """Yield every line up to the offset ``end``, those that hold nothing as well."""
    offset = 0
    for number in itertools.count(1):
        raw = stream.readline(end - offset)
        if not raw:
            return
        bare = raw.removeprefix(_BYTE_ORDER_MARK)
        yield Line(number, offset + len(raw) - len(bare), bare.rstrip(b"\r\n"))
        offset += len(raw)


def _line(record: str) -> bytes:
    """Return a record as it is written, or raise ValueError where it would not be read back as it is."""
    data = record.encode()
    if list(_lines(io.BytesIO(data), len(data))) != [Line(1, 0, data)] or not _holds_something(data):
        raise ValueError(f"a record is one line that holds something, not {record[:40]!r}")
    return data + b"\n"


def _holds_something(data: bytes) -> bool:
    return bool(data.strip()) and not data.startswith(_ERASED)
