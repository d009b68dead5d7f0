"""The audit: one line of JSON for each answer, written by a thread of its own, so that no answer waits for a disk."""

import contextlib
import gzip
import json
import logging
import os
import queue
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from zddc.visible import visible_in_json

MOST_BYTES = 100 * 1024 * 1024
OLD_FILES = 10
_MODE = 0o600


class Audit:
    """Where the lines go: a file that is rotated, standard error for "-", or nowhere for "off".

    ``failures`` counts the lines that could not be written.
    """

    def __init__(self, target: str) -> None:
        self.failures = 0
        self._numbers = count()
        self._origin = {"host": socket.gethostname(), "pid": os.getpid()}
        self._lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._sender = QueueHandler(self._lines)
        self._handler = None if target == "off" else self._handler_for(target)

    def _handler_for(self, target: str) -> logging.Handler:
        handler = logging.StreamHandler(sys.stderr) if target == "-" else _Rotated(target)
        handler.handleError = self._count_failure  # type: ignore[method-assign]
        return handler

    def _count_failure(self, record: logging.LogRecord) -> None:
        self.failures += 1

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Write what is recorded within the block, after a line that says that the server starts."""
        if self._handler is None:
            yield
            return
        listener = QueueListener(self._lines, self._handler)
        listener.start()
        self.record({"event": "start"})
        try:
            yield
        finally:
            listener.stop()
            with contextlib.suppress(OSError):  # has been counted
                self._handler.close()

    def record(self, entry: Mapping[str, object]) -> None:
        """Write a line with the time, the number of the line since the start, and what an entry says."""
        if self._handler is None:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "seq": next(self._numbers), **self._origin, **entry})
        self._sender.handle(logging.LogRecord("audit", logging.INFO, "", 0, visible_in_json(line), None, None))


class _Rotated(RotatingFileHandler):
    """A file for its owner only; when it is full, it is compressed and a new one begun."""

    def __init__(self, file: str) -> None:
        Path(file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(file, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="ascii")
        self.namer = "{}.gz".format

    def _open(self) -> TextIO:  # type: ignore[override]
        return open(self.baseFilename, "a", encoding="ascii", opener=lambda name, flags: os.open(name, flags, _MODE))

    def rotate(self, source: str, dest: str) -> None:
        """Compress a full file."""
        Path(dest).touch(_MODE)
        with Path(source).open("rb") as full, gzip.open(dest, "wb", compresslevel=1) as packed:
            shutil.copyfileobj(full, packed)
        Path(source).unlink()
