"""What is written is whole, and nothing is overwritten unasked."""

import errno
import os
from pathlib import Path

import pytest

from zddc import durable
from zddc.durable import rename_without_replacing, write_atomically


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
        monkeypatch.setattr(durable, "_libc", object())


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
