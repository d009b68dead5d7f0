"""The append-only file of records: durable appends from many processes at once, reading, replacing."""

import contextlib
import errno
import fcntl
import hashlib
import io
import itertools
import os
import struct
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from weakspot.data import mounts, store
from zddc.errors import UserError

Durability = Literal["process", "disk"]
"""What an acknowledged record survives: the death of its writer, or that of the machine as well."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The control character CAN: the line that it begins is to be disregarded. One byte is written whole or not at all.
_ERASED = b"\x18"
_REMEMBERED = 1000
_PATIENCE_SECONDS = 10.0


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

    A record is acknowledged by the return of :meth:`append`; ``durability`` says what it then survives.
    Two locks, both of the file itself and gone with their holder: writers hold that of the file's end while
    they write, never while they wait for the disk; :func:`read_lines` and :func:`replace` share that of
    what the file holds. Raises :class:`UserError` for a file on a network file system, where neither
    locks nor syncs can be relied on, unless ``allow_network``. No descriptor is kept: a journal
    may be used after a fork, and its file may be moved away or removed, which the next append finds out.
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
            with _opened(self.file, os.O_CREAT) as descriptor:
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
        with _opened(self.file, os.O_CREAT) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            _exclude(descriptor, self.file)
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
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _cut_empty_tail(descriptor)
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
        for line in _lines(stream, _share(stream.fileno())):
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
    with _opened(file) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        _exclude(descriptor, file)
        found: list[Line] = []
        with open(descriptor, "rb", closefd=False) as stream:
            for line in _lines(stream, _end(descriptor)):
                if line in changes or line.data.startswith(_ERASED):
                    found.append(line)
                else:
                    fresh.pop(line.data + b"\n", None)
        for line in changes.keys() - set(found):
            raise UserError(f"{file}:{line.number}", "the line is not any more what was read", "run the command again")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _write(descriptor, file, list(fresh), durability)
        _erase(descriptor, file, [(line.offset, len(line.data)) for line in found], durability)


def _refuse_network(file: Path, allowed: bool) -> None:
    if not allowed and (kind := mounts.kind(file)) in mounts.NETWORK:
        problem = f"lies on a network file system ({kind}), where locks and syncs cannot be relied on"
        raise UserError(file, problem, "keep it on a local disk, or set [collect] allow_network_filesystem")


@contextlib.contextmanager
def _opened(file: Path, flags: int = 0) -> Iterator[int]:
    """Give a descriptor of the file whose name is ``file``, with the lock of its end; errors name it."""
    descriptor = -1
    try:
        if flags & os.O_CREAT:
            store.make_folder(file.parent)
        # While this one waited for the lock, the file may have been moved away.
        while descriptor < 0 or not _has_name(descriptor, file):
            if descriptor >= 0:
                os.close(descriptor)
            descriptor = os.open(file, flags | os.O_RDWR | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    except JournalError:
        raise
    except OSError as error:
        raise store.named(error, file) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _has_name(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _end(descriptor: int) -> int:
    """Return the size of a file that nobody is writing to."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    size = os.fstat(descriptor).st_size
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return size


def _body_lock(kind: int) -> bytes:
    """Return a request for the lock of all that a file holds: a ``struct flock``, of the open file and no process."""
    return struct.pack("hhqqi", kind, os.SEEK_SET, 0, 0, 0)


def _share(descriptor: int) -> int:
    """Keep what the file holds from being overwritten until the descriptor is closed; return the file's size."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _body_lock(fcntl.F_RDLCK))
        return _end(descriptor)
    except OSError as error:
        # An imported file may lie where there are no locks; no journal can.
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        return os.fstat(descriptor).st_size


def _exclude(descriptor: int, file: Path) -> None:
    """Keep others from reading or overwriting what the file holds until the descriptor is closed."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _body_lock(fcntl.F_WRLCK))
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UserError(file, "another process is reading it", "wait until that has ended") from None
            time.sleep(0.01)
        else:
            return


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
    fcntl.flock(descriptor, fcntl.LOCK_UN)
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
    _exclude(descriptor, file)
    ours = []
    for line in lines:
        # Who opened the journal anew meanwhile may have found nothing there, cut it off, and written there.
        if os.pread(descriptor, len(line), offset) == line:
            ours.append((offset, len(line) - 1))
        offset += len(line)
    _erase(descriptor, file, ours, "process")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    _cut_empty_tail(descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.fdatasync(descriptor)


def _cut_empty_tail(descriptor: int) -> None:
    """Cut off the last lines if they hold nothing, or only blocks that never reached the disk, under both locks."""
    end, size = os.fstat(descriptor).st_size, 65536
    tail = kept = b""
    while not kept and len(tail) < end:
        tail = os.pread(descriptor, size, max(0, end - size))
        kept = tail.rstrip(b" \r\n\0")
        size *= 2
    newline = tail.find(b"\n", len(kept))
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
