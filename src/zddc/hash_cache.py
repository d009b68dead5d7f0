"""Remembers the SHA-256 of files that were read before, so that an unchanged file is not read again."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from types import TracebackType

from zddc.file_identity import SETTLED_NS, identity

_FIELDS = ("device", "inode", "size", "mtime_ns", "ctime_ns")


def cache_file() -> Path:
    """Return where the cache of this user is."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zddc" / "hashes.sqlite"


class HashCache:
    """A file with the SHA-256 of files, by device, inode, size and the times of their last change, in ns.

    A file that is no such cache is made anew; where there can be none, nothing is remembered. The time of change that
    the system keeps (ctime) is among them, since any program can set the other one back.
    """

    def __init__(self, file: Path) -> None:
        self._database: sqlite3.Connection | None = None
        with contextlib.suppress(OSError, sqlite3.Error):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._database = _open(file)
            except sqlite3.OperationalError:  # another program writes to it now, or this one may not
                raise
            except sqlite3.DatabaseError:
                # A journal would be rolled back into the new one.
                for one in (file, file.with_name(f"{file.name}-journal")):
                    one.unlink(missing_ok=True)
                self._database = _open(file)

    def __enter__(self) -> "HashCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write down what was stored, and close the file."""
        if self._database:
            with contextlib.suppress(sqlite3.Error):
                self._database.commit()
            self._database.close()

    def find(self, status: os.stat_result) -> str | None:
        """Return the SHA-256 of the file that has this status, None if it is not known."""
        where = " AND ".join(f"{field} = ?" for field in _FIELDS)
        with contextlib.suppress(sqlite3.Error):
            if self._database:
                row = self._database.execute(f"SELECT sha256 FROM hashes WHERE {where}", _key(status)).fetchone()  # noqa: S608
                return str(row[0]) if row else None
        return None

    def store(self, status: os.stat_result, sha256: str) -> None:
        """Remember the SHA-256 of the file that has this status, unless it was changed a moment ago."""
        if self._database and is_settled(status):
            with contextlib.suppress(sqlite3.Error):
                self._database.execute(
                    "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", (*_key(status), sha256)
                )


class RunCache:
    """Remembers the SHA-256 of files for as long as the program runs; see :class:`HashCache`."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], str] = {}

    def find(self, status: os.stat_result) -> str | None:
        """Return the SHA-256 of the file that has this status, None if it is not known."""
        return self._known.get(identity(status))

    def store(self, status: os.stat_result, sha256: str) -> None:
        """Remember the SHA-256 of the file that has this status, unless it was changed a moment ago."""
        if is_settled(status):
            self._known[identity(status)] = sha256


def is_settled(status: os.stat_result) -> bool:
    """Return whether a file was last changed so long ago that another change would give it another time."""
    return max(status.st_mtime_ns, status.st_ctime_ns) < time.time_ns() - SETTLED_NS


def _key(status: os.stat_result) -> tuple[str, ...]:
    # As text: SQLite's integers have a sign, and an inode may need all 64 bits.
    return tuple(map(str, identity(status)))


def _open(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=0)
    fields = ", ".join(f"{field} TEXT" for field in _FIELDS)
    try:
        database.execute(
            f"CREATE TABLE IF NOT EXISTS hashes ({fields}, sha256 TEXT, PRIMARY KEY (device, inode)) WITHOUT ROWID"
        )
    except sqlite3.Error:
        database.close()
        raise
    return database
