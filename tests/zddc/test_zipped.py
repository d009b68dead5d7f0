"""Files of a zip are those that any file system can be given; all others have a reason.

With WEAKSPOT_SOAK=1 there are 10,000 damaged zips of each kind.
"""

import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zddc import zipped
from zddc.errors import UserError
from zddc.zipped import Member, ZipFolder, read_members

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def make_zip(file, members):
    with zipfile.ZipFile(file, "w") as made:
        for name, data in members:
            made.writestr(name, data)
    return file


def test_files_are_read_with_their_size_and_time(tmp_path):
    info = zipfile.ZipInfo("a/b.txt", (2025, 10, 31, 12, 0, 2))
    made = make_zip(tmp_path / "x.zip", [(info, b"1234"), ("a/", b"")])
    assert read_members(made).files == [Member("a/b.txt", 4, 1761912002_000_000_000)]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "/etc/passwd",
            "../x",
            "a/../x",
            "a/..",
            "a//b",
            "./x",
            "a/./b",
            "a\\b",
            "..\\x",
            "C:\\x",
            "C:x",
            "\\\\host\\x",
        ),
        *("a\0b", "a\nb", "\x1b[31m", "\x7f"),
    ],
)
def test_paths_that_lead_elsewhere_are_left_out(tmp_path, name):
    info = zipfile.ZipInfo("x")
    info.filename = name
    members = read_members(make_zip(tmp_path / "x.zip", [(info, b"1"), ("good.txt", b"1")]))
    assert [one.path for one in members.files] == ["good.txt"]
    assert [reason for _, reason in members.left_out] == [
        "a path that leads elsewhere, or that not every system can have"
    ]


def test_links_are_left_out(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    made = make_zip(tmp_path / "x.zip", [(link, b"/etc/passwd")])
    assert read_members(made).left_out == [("link", "a link; links are never followed")]


def test_a_name_that_is_there_twice_is_left_out_the_second_time(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        made = make_zip(tmp_path / "x.zip", [("a", b"1"), ("a", b"22")])
    assert read_members(made) == zipped.Members(
        [Member("a", 1, read_members(made).files[0].mtime_ns)], [("a", "the name is there twice")]
    )


def patched(tmp_path, offset, value):
    """Make a zip with one member, and change two or four bytes of its entry in the directory."""
    made = make_zip(tmp_path / "x.zip", [("a", b"1")])
    data = bytearray(made.read_bytes())
    start = data.index(b"PK\1\2") + offset
    data[start : start + len(value)] = value
    made.write_bytes(data)
    return read_members(made)


def test_what_is_encrypted_is_left_out(tmp_path):
    assert patched(tmp_path, 8, struct.pack("<H", 1)).left_out == [("a", "encrypted")]


def test_what_would_unpack_to_far_more_is_left_out(tmp_path):
    members = patched(tmp_path, 24, struct.pack("<L", 2_000_000_000))
    assert members.left_out == [("a", "it would unpack to more than 200 times its size")]


@pytest.mark.parametrize("time", [0, 0xFFFF])
def test_a_time_that_does_not_exist_is_0(tmp_path, time):
    assert patched(tmp_path, 14, struct.pack("<H", time)).files[0].mtime_ns == 0


def test_a_directory_of_too_many_members_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(zipped, "_LARGEST_DIRECTORY", 100)
    made = make_zip(tmp_path / "x.zip", [(f"file {number}", b"") for number in range(10)])
    assert read_members(made) == zipped.Members([], [("", "the zip cannot be read: it has too many members")])


SOUND = io.BytesIO()
make_zip(SOUND, [("a.txt", b"1"), ("b/c.txt", b"2" * 50), ("Ü.txt", b"3")])


@settings(max_examples=10_000 if SOAK else settings.default.max_examples)
@example([(SOUND.getvalue().index(b"a.txt", 100), 0)])
@given(st.lists(st.tuples(st.integers(0, len(SOUND.getvalue()) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_zips_are_read_or_left_out(tmp_path_factory, changes):
    data = bytearray(SOUND.getvalue())
    for place, value in changes:
        data[place] = value
    file = tmp_path_factory.getbasetemp() / f"damaged-{os.getpid()}.zip"
    file.write_bytes(data)
    members = read_members(file)
    assert len(members.files) + len(members.left_out) <= 4


def test_a_name_in_utf_8_that_does_not_say_so_is_read(tmp_path):
    """As macOS writes it; others mean the code page of the first PCs."""
    old = zipfile.ZipInfo("Tür.txt")
    made = make_zip(tmp_path / "x.zip", [("Ü.txt", b"1")])
    data = made.read_bytes()
    for head, at in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
        place = data.index(head) + at
        data = data[:place] + bytes([data[place] & ~8]) + data[place + 1 :]
    made.write_bytes(data)
    assert [one.path for one in read_members(made).files] == ["Ü.txt"]
    with made.open("rb") as stream, zipped.open_member(stream, "Ü.txt") as opened:
        assert opened.read() == b"1"
    assert zipped._name_of(old) == "Tür.txt"


# --- a folder that came as a zip

TRANSMITTAL = "2025-10-31_ACME-TRN-0007 (IFC) - Civil package"
CONTENT = {"A.html": b"page", "drawings/B.dwg": b"drawing" * 1000, "SHA256SUMS": b"list"}


def pack(tmp_path: Path, members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], name: str = "x.zip") -> Path:
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as made:
        for member, data in members:
            made.writestr(member, data, zipfile.ZIP_DEFLATED)
    return tmp_path / name


def refusal(file: Path) -> str:
    with pytest.raises(UserError) as caught, ZipFolder(file):
        pass
    assert caught.value.thing == str(file)
    return caught.value.problem


@pytest.mark.parametrize(
    ("prefix", "more", "name"),
    [
        ("", {}, "x"),
        ("files/", {}, "x"),
        (f"{TRANSMITTAL}/", {}, TRANSMITTAL),
        (f"sent/Acme/{TRANSMITTAL}/", {f"sent/Acme/{TRANSMITTAL}/": b"", "sent/": b""}, TRANSMITTAL),
        (f"{TRANSMITTAL}/", {f"__MACOSX/{TRANSMITTAL}/._A.html": b"icon", "__MACOSX/._x": b"icon"}, TRANSMITTAL),
    ],
)
def test_systems_zip_a_folder_with_its_name_or_without(tmp_path, prefix, more, name):
    packed = pack(tmp_path, [*((f"{prefix}{path}", data) for path, data in CONTENT.items()), *more.items()])
    with ZipFolder(packed) as folder:
        assert (folder.name, sorted(folder.paths)) == (name, sorted(CONTENT))
        assert {path: folder.sha256_of(path) for path in folder.paths} == {
            path: hashlib.sha256(data).hexdigest() for path, data in CONTENT.items()
        }
        folder.unpack(tmp_path / "unpacked")
        assert folder.is_unchanged
    found = {path.relative_to(tmp_path / "unpacked").as_posix(): path for path in (tmp_path / "unpacked").rglob("*.*")}
    assert {name: path.read_bytes() for name, path in found.items()} == {
        path: data for path, data in CONTENT.items() if "." in path
    }


def test_a_folder_without_a_list_is_a_folder_of_the_delivery(tmp_path):
    with ZipFolder(pack(tmp_path, [("drawings/B.dwg", b"1"), ("drawings/deep/C.dwg", b"1")])) as folder:
        assert sorted(folder.paths) == ["drawings/B.dwg", "drawings/deep/C.dwg"]


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


def named(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info


ELSEWHERE = "a path that leads elsewhere, or that not every system can have"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([(named("../x"), b"1")], f"'../x': {ELSEWHERE}"),
        ([(named("/etc/passwd"), b"1")], f"'/etc/passwd': {ELSEWHERE}"),
        ([(named("C:\\x"), b"1")], f"'C:\\x': {ELSEWHERE}"),
        ([(named("a\nb"), b"1")], f"'a\nb': {ELSEWHERE}"),
        ([(link("a"), b"/etc/passwd"), ("a/b", b"1")], "'a': a link; links are never followed"),
        ([("a", b"1"), ("a", b"2")], "'a': the name is there twice"),
        ([("a", b"1"), ("a/b", b"2")], "'a/b': in a folder that is a file, too"),
        ([("a/" * 40 + "b", b"1")], f"'{'a/' * 40}b': more than 32 names in a path"),
        ([("a", bytes(100_000_001))], "'a': it would unpack to more than 200 times its size"),
        ([(f"{n}", bytes(26_000_000)) for n in range(4)], "it would unpack to more than 200 times its size"),
    ],
)
def test_a_zip_that_means_harm_is_refused(tmp_path, members, problem):
    assert refusal(pack(tmp_path, [("good.html", b"1"), *members])) == problem


def test_a_zip_whose_members_share_their_bytes_is_refused(tmp_path):
    """A small one of these has petabytes."""
    packed = pack(tmp_path, [("a", bytes(60_000_000))])
    data = packed.read_bytes()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    name = start + 46
    assert data[name:].startswith(b"a")
    entries = b"".join(data[start:name] + letter + data[name + 1 : end] for letter in (b"a", b"b", b"c"))
    tail = bytearray(data[end:])
    struct.pack_into("<HHL", tail, 8, 3, 3, len(entries))
    packed.write_bytes(data[:start] + entries + tail)
    assert refusal(packed) == "it would unpack to more than 200 times its size"


def test_what_is_encrypted_or_no_zip_is_refused(tmp_path):
    packed = pack(tmp_path, [("a", b"1")])
    data = bytearray(packed.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    packed.write_bytes(data)
    assert refusal(packed) == "'a': encrypted"
    packed.write_bytes(b"no zip")
    assert refusal(packed) == "the zip cannot be read: file is not a zip file"
    with pytest.raises(OSError), ZipFolder(tmp_path):
        pass


def test_a_damaged_file_has_no_hash_and_is_not_unpacked(tmp_path):
    packed = pack(tmp_path, [("A.html", b"x" * 1000)])
    data = bytearray(packed.read_bytes())
    data[40] ^= 0xFF
    packed.write_bytes(data)
    with ZipFolder(packed) as folder:
        for act in (lambda: folder.sha256_of("A.html"), lambda: folder.unpack(tmp_path / "unpacked")):
            with pytest.raises(UserError, match=r"A\.html: damaged in the zip; ask the sender"):
                act()


def test_two_names_that_are_one_on_a_disk_are_not_unpacked(tmp_path, monkeypatch):
    packed = pack(tmp_path, [("A.html", b"1"), ("a.html", b"2")])
    opened, there = Path.open, set()

    def open_on_such_a_disk(path, *arguments):
        if path.name.lower() in there:
            raise FileExistsError
        there.add(path.name.lower())
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", open_on_such_a_disk)
    with ZipFolder(packed) as folder, pytest.raises(UserError, match="on this disk another file of the zip has this"):
        folder.unpack(tmp_path / "unpacked")


def test_a_zip_that_was_replaced_is_another(tmp_path):
    with ZipFolder(pack(tmp_path, CONTENT.items())) as folder:
        (tmp_path / "x.zip").rename(tmp_path / "y.zip")
        pack(tmp_path, CONTENT.items())
        assert not folder.is_unchanged


@settings(max_examples=10_000 if SOAK else settings.default.max_examples)
@given(st.lists(st.tuples(st.integers(0, len(SOUND.getvalue()) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_zip_is_refused_or_read(tmp_path_factory, changes):
    data = bytearray(SOUND.getvalue())
    for place, value in changes:
        data[place] = value
    file = tmp_path_factory.getbasetemp() / f"harmed-{os.getpid()}.zip"
    file.write_bytes(data)
    try:
        with ZipFolder(file) as folder:
            for path in folder.paths:
                folder.sha256_of(path)
    except UserError:
        pass
