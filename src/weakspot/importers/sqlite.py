"""Opens SQLite databases of other programs read-only, also while the program is writing."""

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from weakspot.storage.regular_file import LONGEST_BYTES, open_regular
from zddc.errors import UserError

_MAGIC = b"SQLite format 3\0"
# A million rows take a tenth of it; a database that was made to take for ever ends there.
_STEPS, _MOST_CALLS = 1_000_000, 2_000


def is_database(file: Path) -> bool:
    """Return whether a file is an SQLite database."""
    with open_regular(file) as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def tables(file: Path) -> dict[str, set[str]]:
    """Return the columns of each table of a database, by their names; raise :class:`UserError` where it is damaged."""
    with open_database(file) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = "SELECT name FROM pragma_table_info(?)"
        return {name: {row[0] for row in database.execute(found, (name,))} for name in names}


@contextlib.contextmanager
def open_database(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading, as a snapshot of now; raise :class:`UserError` where it is damaged."""
    address = f"file:{quote(str(file.resolve()))}?mode=ro"
    try:
        try:
            database = _connect(address)
        except sqlite3.OperationalError:
            if file.with_name(f"{file.name}-wal").exists():
                raise
            # In a folder without write permission, SQLite must be told that nobody writes to the file.
            database = _connect(f"{address}&immutable=1")
        with contextlib.closing(database):
            yield database
    except sqlite3.Error as error:
        raise UserError(file, f"cannot be read as a database: {error}", "check it with its own program") from None


def _connect(address: str) -> sqlite3.Connection:
    database = sqlite3.connect(address, uri=True, isolation_level=None)
    try:
        database.row_factory = sqlite3.Row
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_BYTES)
        calls = itertools.count()
        database.set_progress_handler(lambda: next(calls) > _MOST_CALLS, _STEPS)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on, nothing changes for us
    except sqlite3.Error:
        database.close()
        raise
    return database
