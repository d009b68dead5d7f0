"""What ``zddc hash`` and ``zddc verify`` print, and the status they end with."""

import hashlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SUM = hashlib.sha256(b"1").hexdigest()
COUNTS = "verified: {}; changed: {}; missing: {}; extra: {}; moved: {}; renamed: {}; unreadable: {}\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache that no other test has written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("1")
    (tmp_path / "in/two\nlines").write_text("1")
    return tmp_path / "in"


def test_the_list_is_printed_as_sha256sum_does(zddc, folder):
    assert zddc("hash", folder) == (0, f"{SUM}  a\n\\{SUM}  two\\nlines\n", "")
    assert sorted(os.listdir(folder)) == ["a", "two\nlines"]  # noqa: PTH208 - names


def test_the_list_is_written_and_verified(zddc, folder):
    assert zddc("hash", folder, "--write") == (0, f"{folder}/SHA256SUMS: 2 files\n", "")
    assert zddc("verify", folder) == (0, COUNTS.format(2, 0, 0, 0, 0, 0, 0), "")


def test_programs_get_one_object_a_line(zddc, folder):
    lines = [{"path": "a", "sha256": SUM}, {"path": "two\nlines", "sha256": SUM}]
    assert [json.loads(line) for line in zddc("hash", folder, "--json")[1].splitlines()] == lines
    assert zddc("hash", folder, "--write", "--json") == (0, "", "")
    (folder / "a").unlink()
    status, out, _ = zddc("verify", folder, "--json")
    assert (status, [json.loads(line) for line in out.splitlines()]) == (
        1,
        [
            {"path": "a", "kind": "missing", "detail": ""},
            {"path": "two\nlines", "kind": "verified", "detail": ""},
        ],
    )


def test_what_differs_is_listed(zddc, folder):
    (folder / "b").write_text("2")
    zddc("hash", folder, "--write")
    (folder / "a").rename(folder / "moved")
    (folder / "b").write_text("x")
    (folder / "link").symlink_to("b")
    assert zddc("verify", folder) == (
        1,
        "renamed: a -> moved\nchanged: b\nunreadable: link: a link, and links are not followed\n"
        + COUNTS.format(1, 1, 0, 0, 0, 1, 1),
        "",
    )


def test_what_has_no_hash_is_told_and_ends_with_status_1(zddc, folder):
    (folder / "link").symlink_to("a")
    status, out, err = zddc("hash", folder)
    assert (status, out.count("\n")) == (1, 2)
    assert err == f"{folder}/link: a link, and links are not followed; it has no line in the list\n"


def test_a_folder_without_a_list_is_one_line(zddc, folder):
    line = f"{folder}/SHA256SUMS: no such file; write it with 'zddc hash {folder} --write'\n"
    assert zddc("verify", folder) == (1, "", line)


def test_what_was_read_is_remembered_in_the_users_cache(zddc, folder, cache):
    zddc("hash", folder)
    assert (cache / "zddc/hashes.sqlite").is_file()


@pytest.mark.slow
def test_a_terminal_is_shown_no_escape_sequence_and_a_pipe_gets_every_byte(folder):
    (folder / os.fsdecode(b"\x1b[31m\xff")).write_text("1")
    command = [sys.executable, "-m", "zddc", "hash", folder]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    assert piped.splitlines()[0] == SUM.encode() + b"  \x1b[31m\xff"
    terminal, end = pty.openpty()
    with open(terminal, "rb", buffering=0), open(end, "wb", buffering=0) as out:  # noqa: PTH123
        subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, check=True)
        shown = os.read(terminal, 10_000)
    assert b"\x1b" not in shown
    assert SUM.encode() + rb"  \x1b[31m\udcff" in shown


@pytest.mark.parametrize("command", ["hash", "verify"])
def test_a_folder_that_is_not_there_is_one_line(zddc, command):
    missing = Path("missing")
    assert zddc(command, missing) == (1, "", "missing: no such folder; give a folder that is there\n")
