"""Databases of other programs are read while they write, and never written."""

import os
import sqlite3
import subprocess

import pytest

from weakspot.importers import sqlite
from zddc.errors import UserError


@pytest.fixture
def file(tmp_path):
    """A database with a row that is still in its log."""
    file = tmp_path / "a # strange ? name.db"
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE message (id text, data text)")
    writer.execute("INSERT INTO message VALUES ('1', 'x')")
    yield file, writer
    writer.close()


def test_what_is_only_in_the_log_of_a_writer_is_read(file):
    file, _ = file
    assert sqlite.is_database(file)
    assert sqlite.tables(file) == {"message": {"id", "data"}}
    with sqlite.open_database(file) as database:
        assert [row["data"] for row in database.execute("SELECT data FROM message")] == ["x"]


def test_what_is_written_meanwhile_is_not_seen(file):
    file, writer = file
    with sqlite.open_database(file) as database:
        writer.execute("INSERT INTO message VALUES ('2', 'y')")
        assert database.execute("SELECT count(*) FROM message").fetchone()[0] == 1


def test_nothing_can_be_written(file):
    file, _ = file
    with (
        pytest.raises(UserError, match="cannot be read as a database: attempt to write a readonly database"),
        sqlite.open_database(file) as database,
    ):
        database.execute("DELETE FROM message")


def test_a_database_is_read_where_nothing_can_be_written(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    with sqlite3.connect(folder / "old.db") as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE message (id)")
    database.close()
    mounts = [["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder, folder]]
    if os.geteuid() != 0 or any(subprocess.run(one, capture_output=True, check=False).returncode for one in mounts):
        pytest.skip("a folder can be made read-only for everybody by root only")
    try:
        assert sqlite.tables(folder / "old.db") == {"message": {"id"}}
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_damaged_database_is_a_users_mistake(tmp_path):
    file = tmp_path / "damaged.db"
    file.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert sqlite.is_database(file)
    with pytest.raises(UserError, match=r"damaged.db: cannot be read as a database: .*; check it with its own program"):
        sqlite.tables(file)


def test_another_file_is_no_database(tmp_path):
    file = tmp_path / "text.db"
    file.write_text("SQLite")
    assert not sqlite.is_database(file)


def test_a_value_that_fills_the_memory_is_refused_in_one_line(file, monkeypatch):
    file, writer = file
    writer.execute("INSERT INTO message VALUES ('2', ?)", ("y" * 5000,))
    monkeypatch.setattr(sqlite, "LONGEST_BYTES", 2000)
    with (
        pytest.raises(UserError, match="cannot be read as a database: string or blob too big"),
        sqlite.open_database(file) as database,
    ):
        database.execute("SELECT data FROM message").fetchall()


def test_a_database_that_never_ends_is_left(file, monkeypatch):
    monkeypatch.setattr(sqlite, "_STEPS", 1000)
    monkeypatch.setattr(sqlite, "_MOST_CALLS", 10)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with (
        pytest.raises(UserError, match="cannot be read as a database: interrupted; check"),
        sqlite.open_database(file[0]) as database,
    ):
        database.execute(endless).fetchone()
