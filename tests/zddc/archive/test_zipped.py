"""Files of a zip are those that any file system can be given; all others have a reason."""

import io
import os
import struct
import zipfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zddc.archive import zipped
from zddc.archive.zipped import Member, read_members

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


@settings(max_examples=10_000 if SOAK else 150)
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
