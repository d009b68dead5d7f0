"""The audit: one line of JSON for each answer, written by a thread of its own, so that no answer waits for a disk."""

import contextlib
import errno
import gzip
import json
import logging
import os
import queue
import shutil
import socket
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import NamedTuple, TextIO

import msgspec

from zddc.durable import lock
from zddc.visible import visible_in_json

MOST_BYTES = 100 * 1024 * 1024
OLD_FILES = 10
_MODE = 0o600
# Lines that come within this time are written together, but never more than this part of a file.
_TOGETHER_SECONDS, _PART_AT_ONCE = 0.01, 100
_MOST_LATEST = 500  # lines
_SECONDS_BETWEEN_TRIES = 60.0

_ENCODER = msgspec.json.Encoder()
_logger = logging.getLogger(__name__)


class _Record(NamedTuple):
    """What is to become a line: when it was recorded, in ns since 1970, its number since the start, what it says."""

    time_ns: int
    number: int
    entry: Mapping[str, object]


class Audit:
    """Where the lines go: a file that is rotated, standard error for "-", or nowhere for "off".

    ``failures`` counts the lines that could not be written, and ``is_failing`` says that the last one could not.
    """

    def __init__(self, target: str) -> None:
        self.failures, self.is_failing = 0, False
        self._latest: deque[_Record] = deque(maxlen=_MOST_LATEST)
        self._numbers = count()
        self._writing = threading.Lock()
        self._origin = _format({"host": socket.gethostname(), "pid": os.getpid()})[1:-1]
        self._records: queue.SimpleQueue[_Record | None] = queue.SimpleQueue()
        self._handler = None if target == "off" else self._handler_for(target)

    def _handler_for(self, target: str) -> logging.Handler:
        handler = logging.StreamHandler(sys.stderr) if target == "-" else _Rotated(target)
        handler.handleError = self._count_failure  # type: ignore[method-assign]
        return handler

    def _write(self, lines: Sequence[str]) -> bool:
        """Write lines at once; return whether that was possible."""
        with self._writing:
            before = self.failures
            if self._handler:
                self._handler.handle(logging.LogRecord("audit", logging.INFO, "", 0, "\n".join(lines), None, None))
            self.is_failing = self.failures > before
            return not self.is_failing

    def _count_failure(self, record: logging.LogRecord) -> None:
        self.failures += record.getMessage().count("\n") + 1

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Write what is recorded within the block, after a line that says that the server starts."""
        if self._handler is None:
            yield
            return
        writer = threading.Thread(target=self._write_lines, name="audit", daemon=True)
        writer.start()
        self.record_now({"event": "start"})
        try:
            yield
        finally:
            self._records.put(None)
            writer.join()
            with contextlib.suppress(OSError):  # has been counted
                self._handler.close()

    def record(self, entry: Mapping[str, object]) -> None:
        """Write a line with the time, the number of the line since the start, and what an entry says from now on."""
        if self._handler is not None:
            self._records.put(self._record(entry))

    def record_now(self, entry: Mapping[str, object]) -> bool:
        """Write a line as :meth:`record` does, and wait for it; return whether it could be written."""
        return self._handler is None or self._write([self._line(self._record(entry))])

    def latest(self) -> list[str]:
        """Return the last lines, as far as they are recorded anywhere."""
        return [self._line(record) for record in list(self._latest)]

    def _record(self, entry: Mapping[str, object]) -> _Record:
        record = _Record(time.time_ns(), next(self._numbers), entry)
        self._latest.append(record)
        return record

    def _line(self, record: _Record) -> str:
        second, rest_ns = divmod(record.time_ns, 1_000_000_000)
        moment = f"{_date_and_time(second)}.{rest_ns // 1_000_000:03}+00:00"
        more = f", {_format(record.entry)[1:]}" if record.entry else "}"
        return f'{{"time": "{moment}", "seq": {record.number}, {self._origin}{more}'

    def _write_lines(self) -> None:
        """Write what is recorded, as it comes, until the end."""
        for first in iter(self._records.get, None):
            time.sleep(_TOGETHER_SECONDS)
            lines = [self._line(first)]
            size = len(lines[0])
            while size < MOST_BYTES // _PART_AT_ONCE and not self._records.empty():
                if (record := self._records.get()) is None:
                    self._records.put(None)  # for the loop around this one
                    break
                lines.append(self._line(record))
                size += len(lines[-1])
            self._write(lines)


@lru_cache(maxsize=4)
def _date_and_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _format(entry: Mapping[str, object]) -> str:
    """Return an entry as one line of JSON, in ASCII."""
    with contextlib.suppress(UnicodeEncodeError):  # half a surrogate pair
        line = msgspec.json.format(_ENCODER.encode(entry), indent=0).decode()
        if line.isascii() and line.isprintable():
            return line  # as json.dumps writes it, in a quarter of the time
    return visible_in_json(json.dumps(entry))


class _Rotated(RotatingFileHandler):
    """A file for its owner only, and for one server; when it is full, it is compressed and a new one begun."""

    def __init__(self, file: str) -> None:
        Path(file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(file, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="ascii")
        self.namer = "{}.gz".format
        self._try_again = 0.0

    def _open(self) -> TextIO:  # type: ignore[override]
        return open(self.baseFilename, "a", encoding="ascii", opener=_open_alone)

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802 - logging's name
        """Whether the file is full; after a failure it is not tried again for a while."""
        return int(time.monotonic() >= self._try_again and bool(super().shouldRollover(record)))

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Compress the full file and begin a new one; where that fails, the lines go on in the full one."""
        try:
            super().doRollover()
        except OSError as error:
            self._try_again = time.monotonic() + _SECONDS_BETWEEN_TRIES
            _logger.warning("the audit cannot begin a new file: %s", error)
            if self.stream is None:
                self.stream = self._open()  # type: ignore[assignment]

    def rotate(self, source: str, dest: str) -> None:
        """Compress a full file."""
        unfinished = Path(f"{dest}.new")
        try:
            unfinished.touch(_MODE)
            with Path(source).open("rb") as full, unfinished.open("wb") as stream:
                with gzip.open(stream, "wb", compresslevel=1) as packed:
                    shutil.copyfileobj(full, packed)
                stream.flush()
                os.fsync(stream.fileno())  # before the only other copy is removed
            unfinished.replace(dest)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        Path(source).unlink()


def _open_alone(name: str, flags: int) -> int:
    """Open a file that no other server writes to: its lines would be lost when this one begins a new file."""
    descriptor = os.open(name, flags, _MODE)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            lock(descriptor, BlockingIOError(errno.EAGAIN, "another server writes to it"))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
