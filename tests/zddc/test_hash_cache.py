"""A file that did not change is not read again, and one that may have changed is."""

import os
import sqlite3
from pathlib import Path

import pytest

from zddc.hash_cache import HashCache, RunCache, cache_file, is_settled

A = "a" * 64
LONG_AGO = 1_000_000_000_000_000_000


class Status(tuple):
    """Device, inode, size and times, as a file has them."""

    st_dev, st_ino, st_size, st_mtime_ns, st_ctime_ns = (property(lambda self, n=n: self[n]) for n in range(5))


OLD = Status((1, 2**64 - 1, 3, LONG_AGO, LONG_AGO))


def test_a_hash_is_known_to_the_next_run(tmp_path):
    with HashCache(tmp_path / "new" / "cache") as cache:
        assert cache.find(OLD) is None
        cache.store(OLD, A)
        assert cache.find(OLD) == A
    with HashCache(tmp_path / "new" / "cache") as cache:
        assert cache.find(OLD) == A


@pytest.mark.parametrize("field", range(5))
def test_a_file_that_differs_in_one_thing_is_not_known(tmp_path, field):
    with HashCache(tmp_path / "cache") as cache:
        cache.store(OLD, A)
        assert cache.find(Status((*OLD[:field], OLD[field] - 1, *OLD[field + 1 :]))) is None


def test_a_file_that_was_changed_a_moment_ago_may_be_changed_again_in_that_moment(tmp_path):
    with HashCache(tmp_path / "cache") as cache:
        (file := tmp_path / "file").write_text("x")  # not before: to make the cache may take as long as the moment is
        cache.store(file.stat(), A)
        assert cache.find(file.stat()) is None


def test_only_the_last_state_of_a_file_is_kept(tmp_path):
    newer = Status((*OLD[:3], LONG_AGO + 1, LONG_AGO + 1))
    with HashCache(tmp_path / "cache") as cache:
        cache.store(OLD, A)
        cache.store(newer, "b" * 64)
        assert (cache.find(OLD), cache.find(newer)) == (None, "b" * 64)


@pytest.mark.parametrize("data", [b"no database" * 100, b"SQLite format 3\0" + b"x" * 5000])
def test_a_broken_cache_is_made_anew(tmp_path, data):
    (file := tmp_path / "cache").write_bytes(data)
    with HashCache(file) as cache:
        cache.store(OLD, A)
        assert cache.find(OLD) == A


def test_where_there_can_be_no_cache_nothing_is_remembered(tmp_path):
    (tmp_path / "file").touch()
    with HashCache(tmp_path / "file" / "cache") as cache:
        cache.store(OLD, A)
        assert cache.find(OLD) is None


def test_two_runs_at_once_do_not_wait_for_each_other(tmp_path):
    with HashCache(tmp_path / "cache") as one, HashCache(tmp_path / "cache") as other:
        one.store(OLD, A)
        other.store(OLD, "b" * 64)
        assert (one.find(OLD), other.find(OLD)) == (A, None)


def test_it_is_in_the_users_cache_folder(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert cache_file() == Path("somewhere/zddc/hashes.sqlite")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", os.sep)
    assert cache_file() == Path("/.cache/zddc/hashes.sqlite")


def test_what_is_remembered_for_one_run_follows_the_same_rule(tmp_path):
    cache = RunCache()
    cache.store(OLD, A)
    file = tmp_path / "new"
    file.touch()
    cache.store(file.stat(), A)
    assert (cache.find(OLD), cache.find(file.stat())) == (A, None)
    assert (is_settled(OLD), is_settled(file.stat())) == (True, False)


def test_a_cache_that_another_program_writes_to_is_left_alone(tmp_path):
    file = tmp_path / "cache"
    with HashCache(file) as cache:
        cache.store(OLD, A)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with HashCache(file) as cache:
        assert cache.find(OLD) is None
    other.execute("COMMIT")
    other.close()
    with HashCache(file) as cache:
        assert cache.find(OLD) == A
