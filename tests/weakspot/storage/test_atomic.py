"""What is written whole is there as it was or as it is to be, never in part; a lock has one holder."""

import signal
import subprocess
import sys

import pytest

from weakspot.storage import atomic
from zddc.errors import UserError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "raw" / "interactions.jsonl"


def test_a_full_disk_leaves_the_old_file_and_no_scraps(small_disk):
    file = small_disk / "f.jsonl"
    atomic.write_atomically(file, b"old")
    with pytest.raises(OSError, match="No space left") as caught:
        atomic.write_atomically(file, b"n" * 100_000)
    assert caught.value.filename == str(file)
    assert file.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [file]


# A disk that takes a part of a write. The limit holds for the whole process, whose output may be a file as well.
WRITE_TOO_MUCH = """
import resource, sys
from pathlib import Path
from weakspot.storage import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    atomic.write_atomically(Path(sys.argv[1]), b"n" * 20_000)
except OSError as error:
    sys.exit(error.strerror)
"""


@pytest.mark.slow
def test_a_file_that_grew_too_long_is_not_replaced(file):
    atomic.write_atomically(file, b"old")
    command = [sys.executable, "-c", WRITE_TOO_MUCH, str(file)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "File too large\n")
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_a_file_is_replaced_whole(file):
    atomic.write_atomically(file, b"old")
    with file.open("rb") as reader:
        atomic.write_atomically(file, b"new")
        assert reader.read() == b"old"
    assert file.read_bytes() == b"new"
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_is_there_when_it_is_whole(tmp_path):
    folder = tmp_path / "snapshots" / "v1"
    with atomic.write_folder_atomically(folder) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a").write_text("a")
        assert not folder.exists()
    assert (folder / "inner" / "a").read_text() == "a"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_was_not_finished_leaves_nothing(tmp_path):
    folder = tmp_path / "snapshots" / "v1"

    def fill_in_part():
        with atomic.write_folder_atomically(folder) as temporary:
            (temporary / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_in_part()
    assert list(folder.parent.iterdir()) == []


def test_the_scraps_of_a_killed_writer_do_not_get_into_the_next_folder(tmp_path):
    folder = tmp_path / "snapshots" / "v1"
    with atomic.write_folder_atomically(folder) as temporary:
        name = temporary.name
    folder.rename(tmp_path / "snapshots" / name)
    (tmp_path / "snapshots" / name / "scrap").touch()
    with atomic.write_folder_atomically(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_lock_is_refused_to_another_process_and_free_afterwards(tmp_path):
    lock = tmp_path / "workspace" / ".lock"
    with (
        atomic.hold_lock(lock, "process"),
        pytest.raises(UserError, match="workspace: another process is running here; wait until it has ended"),
        atomic.hold_lock(lock, "process"),
    ):
        pytest.fail("two held one lock")
    with atomic.hold_lock(lock, "process"):
        pass


@pytest.mark.slow
def test_a_lock_ends_with_its_holder(tmp_path):
    lock = tmp_path / ".lock"
    script = f"""
import os, signal
from pathlib import Path
from weakspot.storage import atomic
with atomic.hold_lock(Path({str(lock)!r}), "process"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    with atomic.hold_lock(lock, "process"):
        pass


def test_sha256_is_that_of_the_bytes(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    assert atomic.sha256(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_that_was_there_is_replaced_as_a_whole(tmp_path):
    for content in ("old", "new"):
        with atomic.write_folder_atomically(tmp_path / "folder") as folder:
            (folder / content).write_text(content)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["new"]
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_was_there_stays_where_the_new_one_fails(tmp_path):
    with atomic.write_folder_atomically(tmp_path / "folder") as folder:
        (folder / "old").write_text("old")
    with pytest.raises(RuntimeError), atomic.write_folder_atomically(tmp_path / "folder"):
        raise RuntimeError
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["old"]


def test_a_full_disk_names_the_file_that_could_not_be_copied(small_disk, tmp_path):
    (tmp_path / "large").write_bytes(bytes(1 << 17))
    with pytest.raises(OSError, match="No space left") as caught:
        atomic.copy_file(tmp_path / "large", small_disk / "copy")
    assert caught.value.filename == str(small_disk / "copy")
    with pytest.raises(FileNotFoundError) as missing:
        atomic.copy_file(tmp_path / "gone", small_disk / "copy")
    assert missing.value.filename == str(tmp_path / "gone")


def test_a_full_disk_names_a_file_of_a_folder_by_its_place_there(small_disk, tmp_path):
    (tmp_path / "large").write_bytes(bytes(1 << 17))
    with (
        pytest.raises(OSError, match="No space left") as caught,
        atomic.write_folder_atomically(small_disk / "it") as new,
    ):
        atomic.copy_file(tmp_path / "large", new / "copy")
    assert caught.value.filename == str(small_disk / "it" / "copy")
    with (
        pytest.raises(OSError, match="No space left") as caught,
        atomic.write_folder_atomically(small_disk / "it") as new,
        atomic.name_file_in_errors(new / "part"),
        (new / "part").open("wb") as stream,
    ):
        stream.write(bytes(1 << 17))
    assert caught.value.filename == str(small_disk / "it" / "part")
    assert not list(small_disk.iterdir())
