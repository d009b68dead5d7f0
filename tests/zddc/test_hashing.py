"""Lists of SHA-256 are those of sha256sum, and every change of a file is found.

With WEAKSPOT_SOAK=1 there are 1,000 random changes of each kind.
"""

import hashlib
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zddc import hashing
from zddc.errors import UserError
from zddc.hash_cache import HashCache
from zddc.hashing import (
    LIST_NAME,
    Finding,
    HashedFile,
    find_files,
    format_line,
    hash_files,
    read_list,
    verify,
    write_list,
)

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
CHANGES = 1000 if SOAK else 12

# As bytes, since not all of them are text.
HOSTILE = (
    *(
        b"plain",
        b"a b",
        b"new\nline",
        b"back\\slash",
        b"\\",
        b"\\n",
        b"re\rturn",
        b"end\r",
        b"\xff\xfe",
        b"*star",
        b" b ",
    ),
    *(b"\\\n\\\r\\", b"-c", b"#note", "Übersicht".encode(), b"SHA256 (a) = b", b"tab\t"),
)


def write(root: Path, files: dict[bytes, bytes]) -> None:
    for name, data in files.items():
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def hostile(tmp_path):
    """A folder with names of every kind, in two levels."""
    root = tmp_path / "root"
    write(root, {name: b"1" + name for name in HOSTILE})
    write(root / os.fsdecode(b"f\xffolder\n"), {name: b"2" + name for name in HOSTILE})
    return root


def write_hashes(root: Path) -> None:
    write_list(root, hash_files(root, find_files(root)))


def differences(root: Path) -> list[Finding]:
    return [finding for finding in verify(root) if finding.kind != "verified"]


def sha256sum(root: Path, *arguments: object) -> bytes:
    done = subprocess.run(["sha256sum", *map(os.fsencode, arguments)], cwd=root, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


# the format


@pytest.mark.slow
def test_the_list_is_byte_for_byte_that_of_sha256sum(hostile):
    lines = b"".join(map(format_line, hash_files(hostile, find_files(hostile))))
    assert lines == sha256sum(hostile, "--", *(file.path for file in find_files(hostile)))


@pytest.mark.slow
def test_sha256sum_verifies_what_was_written(hostile):
    write_hashes(hostile)
    told = sha256sum(hostile, "--check", "--strict", LIST_NAME)
    assert told.count(b": OK\n") == 2 * len(HOSTILE)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--text", "--binary", "--tag"])
def test_what_sha256sum_has_written_is_verified(hostile, option):
    found = sha256sum(hostile, option, "--", *(f"./{file.path}" for file in find_files(hostile)))
    (hostile / LIST_NAME).write_bytes(found)
    assert [finding.kind for finding in verify(hostile)] == ["verified"] * 2 * len(HOSTILE)


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")))
def test_a_name_is_read_as_it_was_written(tmp_path_factory, name):
    file = tmp_path_factory.getbasetemp() / "list"
    line = HashedFile(os.fsdecode(name), "0" * 64)
    file.write_bytes(format_line(line))
    assert read_list(file) == [line]
    assert file.read_bytes().count(b"\n") == 1


pieces = st.sampled_from(
    [
        b"\\",
        b"0" * 64,
        b"A" * 64,
        b" ",
        b"  ",
        b"*",
        b"a",
        b"\n",
        b"\r",
        b"/",
        b"..",
        b"#",
        b"SHA256 (",
        b") = ",
        b"\0",
        b"n",
    ]
)


@given(st.lists(pieces).map(b"".join))
def test_a_list_of_any_kind_is_read_or_refused_in_one_line(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(data)
    found, refused = [], ""
    try:
        found = read_list(file)
    except UserError as error:
        refused = str(error)
    assert refused.startswith(f"{file}:") or refused == ""
    assert all(line.path and not line.path.startswith("/") and ".." not in line.path.split("/") for line in found)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"%s  a", "a"),
        (b"%s *a", "a"),
        (b"%s  ./a//b/./c", "a/b/c"),
        (b"%s  a\\nb", "a\\nb"),
        (b"\\%s  a\\nb\\\\", "a\nb\\"),
        (b"SHA256 (a) = %s", "a"),
        (b"\\SHA256 (a\\nb) = %s", "a\nb"),
        (b"%s  a\r", "a"),
        (b"# a note\n\n%s  a\n", "a"),
        (b"\xef\xbb\xbf%s  a\r\n", "a"),
    ],
)
@pytest.mark.parametrize("letter", [b"a", b"A"])
def test_every_form_of_a_line_is_read(tmp_path, line, path, letter):
    (tmp_path / "list").write_bytes(line % (letter * 64))
    assert read_list(tmp_path / "list") == [HashedFile(path, "a" * 64)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"x", "not a SHA-256 and a path"),
        (b"%s" + b"0  a", "not a SHA-256 and a path"),
        (b"%s  ", "not a SHA-256 and a path"),
        (b"%s a", "not a SHA-256 and a path"),
        (b"%s  a\0", "not a SHA-256 and a path"),
        (b"\\%s  a\\x", "a backslash that escapes nothing"),
        (b"\\%s  a\\", "a backslash that escapes nothing"),
        (b"%s  /etc/passwd", "the path leads out of the folder"),
        (b"%s  a/../../b", "the path leads out of the folder"),
        (b"%s  .", "the path leads out of the folder"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path, line, problem):
    (tmp_path / LIST_NAME).write_bytes(b"# first\n" + line.replace(b"%s", b"0" * 64))
    with pytest.raises(UserError, match=f"{LIST_NAME}:2: {problem}; "):
        list(verify(tmp_path))


# the files


def test_files_are_sorted_by_the_bytes_of_their_paths(tmp_path):
    write(
        tmp_path,
        {b"b": b"", b"a/c": b"", b"a-": b"", b"a.": b"", b"B": b"", "é".encode(): b"", b"\xff": b"", b".x": b""},
    )
    found = [os.fsencode(file.path) for file in find_files(tmp_path)]
    assert found == sorted(found)
    assert found[:5] == [b".x", b"B", b"a-", b"a.", b"a/c"]


def test_the_list_and_the_journals_of_renames_are_left_out_in_the_folder_itself_only(tmp_path):
    journal = b".zddc-rename-20261129T041937Z-c9a9.jsonl"
    write(
        tmp_path,
        dict.fromkeys([b"SHA256SUMS", journal, b"f/SHA256SUMS", b"f/" + journal, b".zddc-rename-x.jsonl"], b""),
    )
    assert [os.fsencode(file.path) for file in find_files(tmp_path)] == [
        b".zddc-rename-x.jsonl",
        b"f/" + journal,
        b"f/SHA256SUMS",
    ]


def test_what_is_no_file_has_a_reason(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")
    assert {file.path: file.reason for file in hash_files(tmp_path, find_files(tmp_path))} == {
        "link": "a link, and links are not followed",
        "pipe": "not a regular file",
    }


def test_a_file_that_became_something_else_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    found = hash_files(tmp_path, [HashedFile("pipe"), HashedFile("link"), HashedFile("none")])
    assert [file.reason for file in found] == [
        "not a regular file",
        "cannot be read: too many levels of symbolic links",
        "cannot be read: no such file or directory",
    ]


def test_a_list_without_a_file_is_not_written(tmp_path):
    write(tmp_path, {b"a": b""})
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(UserError, match="link: a link, and links are not followed; no SHA256SUMS was written"):
        write_hashes(tmp_path)
    assert not (tmp_path / LIST_NAME).exists()


def test_a_file_that_changed_does_not_become_what_is_right(tmp_path):
    write(tmp_path, {b"a": b"1", b"b": b"2"})
    write_hashes(tmp_path)
    write(tmp_path, {b"a": b"x", b"c": b"3"})
    before = (tmp_path / LIST_NAME).read_bytes()
    with pytest.raises(UserError, match=r"a: not the bytes that SHA256SUMS tells of; see 'zddc verify"):
        write_hashes(tmp_path)
    assert (tmp_path / LIST_NAME).read_bytes() == before


def test_files_that_came_and_went_are_in_the_next_list(tmp_path):
    write(tmp_path, {b"a": b"1", b"b": b"2"})
    write_hashes(tmp_path)
    (tmp_path / "a").unlink()
    write(tmp_path, {b"c": b"3"})
    write_hashes(tmp_path)
    assert differences(tmp_path) == []


def test_a_file_that_did_not_change_is_not_read_again(tmp_path):
    root, old = Path(pytest.__file__).parent, [HashedFile("__init__.py")]
    with HashCache(tmp_path / "cache") as cache:
        read = list(hash_files(root, old, cache))
        cache.store((root / "__init__.py").stat(), "remembered")
        assert [file.sha256 for file in hash_files(root, old, cache)] == ["remembered"]
        assert list(hash_files(root, old)) == read


def test_a_cached_hash_is_not_verified(tmp_path):
    """A byte on the disk turns without any time: nothing but reading finds that."""
    write(tmp_path, {b"a": b"1"})
    write_hashes(tmp_path)
    found = (tmp_path / "a").stat()
    with HashCache(tmp_path.parent / "cache") as cache:
        cache.store(found, hashlib.sha256(b"1").hexdigest())
        write(tmp_path, {b"a": b"2"})
        os.utime(tmp_path / "a", ns=(found.st_atime_ns, found.st_mtime_ns))
        assert differences(tmp_path) == [Finding("a", "changed")]


# differences


def test_without_a_list_nothing_is_verified(tmp_path):
    with pytest.raises(UserError, match="SHA256SUMS: no such file; write it with 'zddc hash"):
        list(verify(tmp_path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("elsewhere")])
def test_a_list_that_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / LIST_NAME)
    with pytest.raises(UserError, match="SHA256SUMS: not a regular file; put the list itself there"):
        list(verify(tmp_path))


def test_each_kind_of_difference_is_told(tmp_path):
    write(
        tmp_path, {b"same": b"1", b"changed": b"2", b"missing": b"3", b"old name": b"4", b"linked": b"5", b"f/in": b"6"}
    )
    write_hashes(tmp_path)
    write(tmp_path, {b"changed": b"x", b"extra": b"1"})
    (tmp_path / "missing").unlink()
    (tmp_path / "old name").rename(tmp_path / "f/new name")
    (tmp_path / "linked").rename(tmp_path.parent / "elsewhere")
    (tmp_path / "linked").symlink_to(tmp_path.parent / "elsewhere")
    assert sorted(verify(tmp_path), key=lambda finding: finding.path) == [
        Finding("changed", "changed"),
        Finding("extra", "extra"),
        Finding("f/in", "verified"),
        Finding("linked", "unreadable", "a link, and links are not followed"),
        Finding("missing", "missing"),
        Finding("old name", "renamed", "f/new name"),
        Finding("same", "verified"),
    ]


def test_two_files_of_the_same_bytes_are_moved_to_a_place_each(tmp_path):
    write(tmp_path, {b"a": b"1", b"b": b"1", b"c": b"1"})
    write_hashes(tmp_path)
    (tmp_path / "a").rename(tmp_path / "x")
    (tmp_path / "b").rename(tmp_path / "y")
    (tmp_path / "c").unlink()
    assert differences(tmp_path) == [
        Finding("a", "renamed", "x"),
        Finding("b", "renamed", "y"),
        Finding("c", "missing"),
    ]


def test_of_several_places_the_one_of_the_same_name_is_where_a_file_was_moved(tmp_path):
    write(tmp_path, {b"a": b"1", b"f/b": b"2"})
    write_hashes(tmp_path)
    (tmp_path / "a").unlink()
    write(tmp_path, {b"0": b"1", b"f/a": b"1"})
    assert differences(tmp_path) == [Finding("a", "moved", "f/a"), Finding("0", "extra")]


def test_another_list_may_be_compared_and_what_belongs_to_nobody_ignored(tmp_path):
    write(tmp_path, {b"a": b"1", b"b": b"2", b"page": b"3"})
    wanted = [HashedFile("a", hashlib.sha256(b"1").hexdigest()), HashedFile("b", reason="no hash is known")]
    assert [*verify(tmp_path, wanted, {"page"})] == [
        Finding("a", "verified"),
        Finding("b", "unreadable", "no hash is known"),
    ]


def test_a_list_that_names_a_file_twice_with_different_hashes_does_not_verify_it(tmp_path):
    write(tmp_path, {b"a": b"1"})
    write_hashes(tmp_path)
    with (tmp_path / LIST_NAME).open("ab") as stream:
        stream.write(b"0" * 64 + b"  a\n")
    assert [finding.kind for finding in verify(tmp_path)] == ["verified", "changed"]


def flip(chance: random.Random, root: Path, file: Path) -> set[str]:
    data = bytearray(file.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
    return {"changed"}


def truncate(chance: random.Random, root: Path, file: Path) -> set[str]:
    os.truncate(file, chance.randrange(file.stat().st_size))
    return {"changed"}


def rename(chance: random.Random, root: Path, file: Path) -> set[str]:
    file.rename(file.with_name(f"{file.name}{chance.choice(' .x~')}"))
    return {"renamed"}


def add(chance: random.Random, root: Path, file: Path) -> set[str]:
    file.with_name(f".{file.name}").write_bytes(chance.choice([b"", file.read_bytes()]))
    return {"extra"}


def remove(chance: random.Random, root: Path, file: Path) -> set[str]:
    file.unlink()
    return {"missing"}


def swap(chance: random.Random, root: Path, file: Path) -> set[str]:
    other = chance.choice([path for path in root.rglob("*.bin") if path != file])
    other.rename(between := root / "between")
    file.rename(other)
    between.rename(file)
    return {"changed"}


@pytest.mark.parametrize("edit", [flip, truncate, rename, add, remove, swap])
def test_no_single_change_goes_unseen(tmp_path, edit):
    for number in range(CHANGES):
        chance = random.Random(number)
        root = tmp_path / str(number)
        write(root, {f"{n % 3}/{n}.bin".encode(): f"{n} {chance.random()}".encode() for n in range(8)})
        write_hashes(root)
        assert differences(root) == []
        wanted = edit(chance, root, chance.choice(sorted(root.rglob("*.bin"))))
        assert {finding.kind for finding in differences(root)} == wanted, number
        shutil.rmtree(root)


def test_of_equal_files_that_were_moved_each_has_a_place(tmp_path, monkeypatch):
    """Comparing each with each would take minutes."""
    count = 10_000
    there = [HashedFile(f"new/{number:05}") for number in range(count)]
    monkeypatch.setattr(hashing, "find_files", lambda _root: there)
    wanted = [HashedFile(f"old/{number:05}", "0" * 64) for number in reversed(range(count + 1))]
    first, *others = verify(tmp_path, wanted, read=lambda _root, path: HashedFile(path, "0" * 64))
    assert (first.kind, first.detail) == ("renamed", "new/00000")
    assert {(one.kind, one.path[4:] == one.detail[4:]) for one in others[:-1]} == {("moved", True)}
    assert others[-1] == Finding("old/00000", "missing")
