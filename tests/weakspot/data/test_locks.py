"""Writers wait for each other, readers for who replaces; nobody is waited for for ever, and no dead process at all."""

import os
import subprocess
import sys
import threading
import time

import pytest

from weakspot.data import journal, locks
from zddc.errors import UserError


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "f.jsonl"
    journal.append(file, ["old"])
    return file


HOLDER = """
import sys, time
from pathlib import Path
from weakspot.data import locks
file = Path(sys.argv[1])
with locks.opened(file) as descriptor:
    if sys.argv[2] == "content":
        locks.release_end(descriptor)
        locks.lock_content(descriptor, file)
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def held(file, lock: str, seconds: float) -> subprocess.Popen:
    """Return a process that holds a lock of the file for so long."""
    command = [sys.executable, "-c", HOLDER, str(file), lock, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_writer_waits_for_another_and_then_finds_what_it_wrote(file):
    with held(file, "end", 0.5):
        begun = time.monotonic()
        journal.append(file, ["new"])
        assert time.monotonic() - begun > 0.3
    assert file.read_text() == "old\nnew\n"


def test_a_reader_waits_for_who_replaces(file):
    with held(file, "content", 0.5):
        begun = time.monotonic()
        assert [line.data for line in journal.read_lines(file)] == [b"old"]
        assert time.monotonic() - begun > 0.3


def test_nobody_waits_for_readers_but_who_replaces(file):
    reading = journal.read_lines(file)
    next(reading)
    assert [line.data for line in journal.read_lines(file)] == [b"old"]
    journal.append(file, ["new"])
    assert [line.data for line in journal.read_lines(file)] == [b"old", b"new"]


@pytest.mark.parametrize("lock", ["end", "content"])
def test_the_locks_of_a_dead_process_are_free(file, lock):
    with held(file, lock, 100) as process:
        process.kill()
    journal.append(file, ["new"])
    assert len(list(journal.read_lines(file))) == 2


def test_a_file_that_was_moved_away_while_waiting_gets_nothing_more(file):
    """An append that waits for the lock when the file is moved goes to the file that has the name then."""
    with held(file, "end", 0.5):
        waiting = threading.Thread(target=journal.append, args=(file, ["new"]))
        waiting.start()
        time.sleep(0.2)
        moved = file.rename(file.with_name("moved.jsonl"))
        waiting.join()
    assert (moved.read_text(), file.read_text()) == ("old\n", "new\n")


def test_who_goes_on_reading_is_not_waited_for_for_ever(file, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE_SECONDS", 0.1)
    journal.append(file, ["b"])
    lines = journal.read_lines(file)
    changes = {next(lines): "A"}
    with pytest.raises(UserError, match="another process is reading it; wait until that has ended"):
        journal.replace(file, changes)
    journal.append(file, ["c"])
    assert [line.data for line in lines] == [b"b"]
    journal.replace(file, changes)
    assert [line.data for line in journal.read_lines(file)] == [b"b", b"c", b"A"]


def test_an_error_names_the_file(file):
    missing = file.with_name("missing.jsonl")
    with pytest.raises(FileNotFoundError) as caught, locks.opened(missing):
        pass
    assert caught.value.filename == str(missing)
    with pytest.raises(OSError, match="Bad file descriptor") as caught, locks.opened(file):
        os.fstat(-1)
    assert caught.value.filename == str(file)
