"""What is written is whole, and nothing is overwritten unasked."""

import errno
import os
import threading
from pathlib import Path

import pytest

from zddc import durable
from zddc.durable import lock_folder, open_folder, rename_without_replacing, write_atomically, write_new


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "list"
    write_atomically(file, b"old")
    write_atomically(file, b"new")
    assert (file.read_bytes(), names(tmp_path)) == (b"new", ["list"])


def test_on_a_full_disk_the_old_file_stays_and_the_error_names_it(small_disk):
    file = small_disk / "list"
    write_atomically(file, b"old")
    with pytest.raises(OSError, match="list") as caught:
        write_atomically(file, b"x" * 100_000)
    assert caught.value.errno == errno.ENOSPC
    assert (file.read_bytes(), names(small_disk)) == (b"old", ["list"])


@pytest.fixture(params=["renameat2", "links"])
def _way(request, monkeypatch):
    """Also with a C library that has no renameat2."""
    if request.param == "links":
        monkeypatch.setattr(durable, "_renameat2", lambda: None)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("make", ["touch", "mkdir"])
def test_an_entry_gets_a_name_that_is_free(tmp_path, folder, make):
    getattr(tmp_path / "old", make)()
    rename_without_replacing(folder, "old", "new")
    assert names(tmp_path) == ["new"]


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("make", ["touch", "mkdir"])
@pytest.mark.parametrize("there", ["touch", "mkdir", "link"])
def test_a_name_that_is_taken_stays_what_it_is(tmp_path, folder, make, there):
    getattr(tmp_path / "old", make)()
    (tmp_path / "new").symlink_to("nowhere") if there == "link" else getattr(tmp_path / "new", there)()
    before = os.lstat(tmp_path / "new")
    with pytest.raises(FileExistsError):
        rename_without_replacing(folder, "old", "new")
    assert names(tmp_path) == ["new", "old"]
    assert os.lstat(tmp_path / "new").st_ino == before.st_ino


@pytest.mark.usefixtures("_way")
def test_what_is_not_there_cannot_be_renamed(tmp_path, folder):
    with pytest.raises(FileNotFoundError):
        rename_without_replacing(folder, "old", "new")


def test_a_new_file_is_whole_or_not_there(tmp_path):
    (tmp_path / "sub").mkdir()
    write_new(tmp_path / "sub" / "list", b"new", temporary=tmp_path / "on its way")
    write_new(tmp_path / "list", b"new")
    assert ((tmp_path / "sub" / "list").read_bytes(), names(tmp_path)) == (b"new", ["list", "sub"])
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "list", b"other")
    assert ((tmp_path / "list").read_bytes(), names(tmp_path)) == (b"new", ["list", "sub"])


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("make", ["touch", "mkdir"])
def test_an_entry_moves_to_another_folder_unless_the_name_is_taken_there(tmp_path, folder, make):
    (tmp_path / "sub").mkdir()
    target = os.open(tmp_path / "sub", os.O_RDONLY)
    try:
        getattr(tmp_path / "old", make)()
        rename_without_replacing(folder, "old", "new", target)
        assert (names(tmp_path), names(tmp_path / "sub")) == (["sub"], ["new"])
        getattr(tmp_path / "old", make)()
        with pytest.raises(FileExistsError):
            rename_without_replacing(folder, "old", "new", target)
        assert (names(tmp_path), names(tmp_path / "sub")) == (["old", "sub"], ["new"])
    finally:
        os.close(target)


def test_what_is_in_the_place_of_the_temporary_file_is_somebody_elses(tmp_path):
    (tmp_path / "on its way").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "list", b"new", temporary=tmp_path / "on its way")
    assert ((tmp_path / "on its way").read_bytes(), names(tmp_path)) == (b"theirs", ["on its way"])


@pytest.mark.parametrize("write", [write_new, write_atomically])
def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, write):
    def fail(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable.os, "fsync", fail)
    with pytest.raises(OSError, match="list"):
        write(tmp_path / "list", b"new")
    assert names(tmp_path) == []


def test_a_file_may_be_for_its_owner_only(tmp_path):
    write_new(tmp_path / "key", b"secret", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_folder_is_locked_for_all_others(tmp_path):
    order = []

    def wait_for_it():
        with lock_folder(tmp_path):
            order.append("the other")

    other = threading.Thread(target=wait_for_it)
    with lock_folder(tmp_path):
        other.start()
        with pytest.raises(KeyError), lock_folder(tmp_path, KeyError("busy")):
            pass
        order.append("this one")
    other.join()
    assert order == ["this one", "the other"]
    with lock_folder(tmp_path, KeyError("busy")), open_folder(tmp_path):
        pass


def test_where_a_disk_has_no_locks_nobody_waits(tmp_path, monkeypatch):
    def refuse(_descriptor, _operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(durable.fcntl, "flock", refuse)
    with lock_folder(tmp_path, KeyError("busy")):
        pass
