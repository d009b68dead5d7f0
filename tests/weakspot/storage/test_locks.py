"""Writers wait for each other, readers for who replaces; nobody is waited for for ever, and no dead process at all."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.waiting import somebody_waits_for, until

from weakspot.storage import append_log, locks
from zddc.errors import UserError


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "f.jsonl"
    append_log.append(file, ["old"])
    return file


HOLDER = """
import os, sys
from pathlib import Path
from weakspot.storage import locks
file = Path(sys.argv[1])
with locks.open_and_lock(file) as descriptor:
    if sys.argv[2] == "content":
        locks.release_end(descriptor)
        locks.lock_content(descriptor, file)
    print("held", flush=True)
    sys.stdin.read()
    os.pwrite(descriptor, b"NEW\\n", os.fstat(descriptor).st_size if sys.argv[2] == "end" else 0)
"""


@contextlib.contextmanager
def held(file, lock: str) -> Iterator[subprocess.Popen]:
    """Run a process that holds a lock of the file until the block is left, and then writes under it."""
    command = [sys.executable, "-c", HOLDER, str(file), lock]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.communicate()


@pytest.fixture
def thread():
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.mark.slow
def test_a_writer_waits_for_another_and_then_finds_what_it_wrote(file, thread):
    with held(file, "end"):
        writing = thread.submit(append_log.append, file, ["new"])
        until(lambda: somebody_waits_for(file))
        assert file.read_text() == "old\n"
        assert not writing.done()
    writing.result()
    assert file.read_text() == "old\nNEW\nnew\n"


@pytest.mark.slow
def test_a_reader_waits_for_who_replaces(file, thread):
    with held(file, "content"):
        reading = thread.submit(list, append_log.read_lines(file))
        until(lambda: somebody_waits_for(file))
        assert not reading.done()
    assert [line.data for line in reading.result()] == [b"NEW"]


def test_nobody_waits_for_readers_but_who_replaces(file):
    reading = append_log.read_lines(file)
    next(reading)
    assert [line.data for line in append_log.read_lines(file)] == [b"old"]
    append_log.append(file, ["new"])
    assert [line.data for line in append_log.read_lines(file)] == [b"old", b"new"]


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["end", "content"])
def test_the_locks_of_a_dead_process_are_free(file, lock):
    with held(file, lock) as process:
        process.kill()
        process.wait()
    append_log.append(file, ["new"])
    assert len(list(append_log.read_lines(file))) == 2


@pytest.mark.slow
def test_a_file_that_was_moved_away_while_waiting_gets_nothing_more(file, thread):
    """An append that waits for the lock when the file is moved goes to the file that has the name then."""
    with held(file, "end"):
        writing = thread.submit(append_log.append, file, ["new"])
        until(lambda: somebody_waits_for(file))
        moved = file.rename(file.with_name("moved.jsonl"))
    writing.result()
    assert (moved.read_text(), file.read_text()) == ("old\nNEW\n", "new\n")


def test_who_goes_on_reading_is_not_waited_for_for_ever(file, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE_SECONDS", 0.1)
    append_log.append(file, ["b"])
    lines = append_log.read_lines(file)
    changes = {next(lines): "A"}
    with pytest.raises(UserError, match="another process is reading it; wait until that has ended"):
        append_log.replace(file, changes)
    append_log.append(file, ["c"])
    assert [line.data for line in lines] == [b"b"]
    append_log.replace(file, changes)
    assert [line.data for line in append_log.read_lines(file)] == [b"b", b"c", b"A"]


def test_an_error_names_the_file(file):
    missing = file.with_name("missing.jsonl")
    with pytest.raises(FileNotFoundError) as caught, locks.open_and_lock(missing):
        pass
    assert caught.value.filename == str(missing)
    with pytest.raises(OSError, match="Bad file descriptor") as caught, locks.open_and_lock(file):
        os.fstat(-1)
    assert caught.value.filename == str(file)
