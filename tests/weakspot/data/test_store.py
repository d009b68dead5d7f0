"""What was acknowledged is on the disk, whatever happened to its writer; what was there stays whole."""

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.data import journal, store
from zddc.errors import UserError

# Appends records of its own name, one by one, and says the number of each that was acknowledged.
WRITER = """
import json, os, sys
from pathlib import Path
from weakspot.data import journal, store
file, name, count, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for number in range(count):
    journal.append(file, [json.dumps({"writer": name, "number": number, "text": name * size})])
    os.write(1, b"%d\\n" % number)
"""


def start_writer(file, name: str, count: int, size: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file), name, str(count), str(size)], stdout=subprocess.PIPE
    )


def stored(file) -> set[tuple[str, int]]:
    """Read the records that are whole."""
    found = set()
    for line in journal.read_lines(file):
        try:
            record = json.loads(line.data)
        except ValueError:
            continue
        assert set(record["text"]) == {record["writer"]}
        found.add((record["writer"], record["number"]))
    return found


def texts(file) -> list[str]:
    return [line.data.decode() for line in journal.read_lines(file)]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "raw" / "interactions.jsonl"


def test_records_are_appended_one_a_line(file):
    journal.append(file, ["a", "b"])
    journal.append(file, ["c"])
    assert file.read_bytes() == b"a\nb\nc\n"


def test_a_torn_tail_is_closed_and_swallows_nothing(file):
    journal.append(file, ['{"a": 1}'])
    with file.open("ab") as stream:
        stream.write(b'{"b":')
    journal.append(file, ['{"c": 3}'])
    assert texts(file) == ['{"a": 1}', '{"b":', '{"c": 3}']


def test_lines_have_the_number_and_offset_that_an_editor_shows(file):
    file.parent.mkdir()
    file.write_bytes(b"\xef\xbb\xbfa\r\n\n  \r\nb\nlast")
    assert list(journal.read_lines(file)) == [
        journal.Line(1, 0, b"a"),
        journal.Line(4, 11, b"b"),
        journal.Line(5, 13, b"last"),
    ]


def test_only_a_line_feed_ends_a_line(file):
    journal.append(file, ["a\u2028b\u0085c\x0bd\x0ce"])
    assert len(texts(file)) == 1


def test_a_file_that_is_not_there_has_no_lines(file):
    assert list(journal.read_lines(file)) == []


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))))
def test_what_is_appended_is_what_is_read(tmp_path_factory, records):
    file = tmp_path_factory.mktemp("store") / "f.jsonl"
    records = [f"x{record}x" for record in records]
    journal.append(file, records)
    assert texts(file) == records


def test_four_writers_at_once_lose_nothing(file):
    writers = [start_writer(file, name, 200, 50) for name in "abcd"]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert sorted(stored(file)) == [(name, number) for name in "abcd" for number in range(200)]
    assert len(texts(file)) == 800


def test_a_killed_writer_takes_nothing_that_was_acknowledged_with_it(file):
    chance = random.Random(7)
    acknowledged = set()
    for turn in range(5):
        # Long records, so that the kill finds them half written; two writers, so that one goes on behind it.
        writers = {name: start_writer(file, name, 10_000, 200_000) for name in ("aA", "bB", "cC", "dD", "eE")[turn]}
        for name, writer in writers.items():
            first = writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.02))
            writer.send_signal(signal.SIGKILL)
            rest, _ = writer.communicate()
            acknowledged |= {(name, int(number)) for number in (first + rest).split()}
    journal.append(file, [json.dumps({"writer": "z", "number": 0, "text": "z"})])
    assert len(acknowledged) >= 10
    assert acknowledged | {("z", 0)} <= stored(file)


def test_a_full_disk_takes_back_what_was_half_written(small_disk):
    file = small_disk / "f.jsonl"
    journal.append(file, ["a" * 1000])
    before = file.read_bytes()
    with pytest.raises(OSError, match="No space left") as caught:
        journal.append(file, ["b" * 100_000])
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(file))
    assert file.read_bytes() == before
    journal.append(file, ["c"])
    assert texts(file) == ["a" * 1000, "c"]


def test_a_full_disk_leaves_the_old_file_and_no_scraps(small_disk):
    file = small_disk / "f.jsonl"
    store.write_atomically(file, b"old")
    with pytest.raises(OSError, match="No space left") as caught:
        store.write_atomically(file, b"n" * 100_000)
    assert caught.value.filename == str(file)
    assert file.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [file]


@pytest.fixture
def short_files():
    """Let no file of this process grow past 10,000 bytes: a disk that takes a part of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_part_that_the_disk_took_is_taken_back(file, short_files):
    journal.append(file, ["a" * 6000])
    with pytest.raises(OSError, match="File too large") as caught:
        journal.append(file, ["b" * 6000])
    assert caught.value.filename == str(file)
    assert texts(file) == ["a" * 6000]


def test_a_file_that_grew_too_long_is_not_replaced(file, short_files):
    store.write_atomically(file, b"old")
    with pytest.raises(OSError, match="File too large"):
        store.write_atomically(file, b"n" * 20_000)
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_a_file_is_replaced_whole(file):
    store.write_atomically(file, b"old")
    with file.open("rb") as reader:
        store.write_atomically(file, b"new")
        assert reader.read() == b"old"
    assert file.read_bytes() == b"new"
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_is_there_when_it_is_whole(tmp_path):
    folder = tmp_path / "snapshots" / "v1"
    with store.folder_written_whole(folder) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a").write_text("a")
        assert not folder.exists()
    assert (folder / "inner" / "a").read_text() == "a"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_was_not_finished_leaves_nothing(tmp_path):
    folder = tmp_path / "snapshots" / "v1"

    def fill_in_part():
        with store.folder_written_whole(folder) as temporary:
            (temporary / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_in_part()
    assert list(folder.parent.iterdir()) == []


def test_the_scraps_of_a_killed_writer_do_not_get_into_the_next_folder(tmp_path):
    folder = tmp_path / "snapshots" / "v1"
    with store.folder_written_whole(folder) as temporary:
        name = temporary.name
    folder.rename(tmp_path / "snapshots" / name)
    (tmp_path / "snapshots" / name / "scrap").touch()
    with store.folder_written_whole(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_lock_is_refused_to_another_process_and_free_afterwards(tmp_path):
    lock = tmp_path / "workspace" / ".lock"
    with (
        store.locked(lock, "process"),
        pytest.raises(UserError, match="workspace: another process is running here; wait until it has ended"),
        store.locked(lock, "process"),
    ):
        pytest.fail("two held one lock")
    with store.locked(lock, "process"):
        pass


def test_a_lock_ends_with_its_holder(tmp_path):
    lock = tmp_path / ".lock"
    script = f"""
import os, signal
from pathlib import Path
from weakspot.data import journal, store
with store.locked(Path({str(lock)!r}), "process"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    with store.locked(lock, "process"):
        pass


def test_sha256_is_that_of_the_bytes(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    assert store.sha256(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        journal.append(tmp_path / "f.jsonl", ["a"])


def test_a_folder_that_was_there_is_replaced_as_a_whole(tmp_path):
    for content in ("old", "new"):
        with store.folder_written_whole(tmp_path / "folder") as folder:
            (folder / content).write_text(content)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["new"]
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_was_there_stays_where_the_new_one_fails(tmp_path):
    with store.folder_written_whole(tmp_path / "folder") as folder:
        (folder / "old").write_text("old")
    with pytest.raises(RuntimeError), store.folder_written_whole(tmp_path / "folder"):
        raise RuntimeError
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["old"]
