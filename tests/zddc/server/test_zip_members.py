"""A zip as a folder: what is harmless in it, and never a byte from anywhere else."""

import asyncio
import io
import json
import os
import random
import struct
import tracemalloc
import warnings
import zipfile
import zlib

import pytest
from tests.zddc.access.trees import open_descriptors
from tests.zddc.server.asking import body_of, request, without_dates

from zddc.server.answer import CutError
from zddc.server.answers import tag_of
from zddc.server.zip_members import answer_in_zip

JSON = ("accept", "application/json")
LARGE = random.Random(3).randbytes(300_000)


@pytest.fixture
def made(tmp_path):
    file = tmp_path / "2025-10-31_A-1 (IFC) - T.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a.txt", (1994, 11, 6, 8, 49, 38)), "Übersicht")
        archive.writestr("deep/er/large.bin", LARGE)
        archive.writestr("deep/b.html", "<script>")
        archive.writestr(zipfile.ZipInfo("stored.bin"), LARGE)
        archive.writestr("é #?.txt", "1")
        archive.writestr(".hidden/x", "1")
        archive.writestr("../outside", "1")
    return file


def ask(file, path="/", headers=(), method="GET"):
    opened = os.open(file, os.O_RDONLY)
    asked = request(method, f"/P/x.zip{path}", headers)
    names = tuple(name for name in path.split("/") if name)
    return answer_in_zip(asked, opened, os.fstat(opened), names)


def names_in(answer):
    return [row["name"] for row in json.loads(body_of(answer))]


def test_a_zip_is_listed_as_a_folder(made):
    answer = ask(made, headers=[JSON])
    assert names_in(answer) == ["a.txt", "deep/", "stored.bin", "é #?.txt"]
    assert dict(answer.headers)["x-zddc-left-out"] == "2"
    assert names_in(ask(made, "/deep/", [JSON])) == ["b.html", "er/"]
    assert json.loads(body_of(ask(made, headers=[JSON])))[0]["mod_time"] == "1994-11-06T08:49:38Z"
    assert b"deep/" in body_of(ask(made))


@pytest.mark.parametrize("path", ["/deep/none/", "/none/", "/a.txt/", "/none", "/deep", "/.hidden/x", "/.hidden/"])
def test_what_is_not_there_is_nothing(made, path):
    before = open_descriptors()
    assert ask(made, path, [JSON]) is None
    assert open_descriptors() == before


def test_a_member_is_answered_as_a_file_is(made):
    answer = ask(made, "/a.txt")
    found = without_dates(answer)
    assert (answer.status, body_of(answer)) == (200, "Übersicht".encode())
    assert found["content-type"] == "text/plain; charset=utf-8"
    assert found["content-security-policy"].startswith("sandbox ")
    assert found["last-modified"] == "Sun, 06 Nov 1994 08:49:38 GMT"
    assert found["etag"] == tag_of(made.stat(), "a.txt") != dict(ask(made, "/stored.bin", (), "HEAD").headers)["etag"]
    assert ask(made, "/a.txt", [("if-none-match", found["etag"])]).status == 304
    assert without_dates(ask(made, "/a.txt", (), "HEAD")) == found


@pytest.mark.parametrize("path", ["/deep/er/large.bin", "/stored.bin"])
@pytest.mark.parametrize("text", ["0-9", "299999-", "-1", "100000-250000", "0-", "5-5,70000-70005,9-12"])
def test_parts_of_a_member(made, path, text):
    answer = ask(made, path, [("range", f"bytes={text}")])
    body = body_of(answer)
    assert answer.status == 206
    assert len(body) == int(dict(answer.headers)["content-length"])
    if "," not in text:
        first, _, last = text.partition("-")
        expected = LARGE[int(first) :][: int(last) + 1 - int(first) if last else None] if first else LARGE[-int(last) :]
        assert body == expected
    else:
        assert all(LARGE[a : b + 1] in body for a, b in ((5, 5), (70_000, 70_005), (9, 12)))


def test_a_whole_member(made):
    assert body_of(ask(made, "/deep/er/large.bin")) == body_of(ask(made, "/stored.bin")) == LARGE


def build(*members, method=zipfile.ZIP_STORED):
    """Return a zip of names and contents, however odd the names are."""
    with io.BytesIO() as written, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(written, "w", method) as archive:
            for name, content in members:
                info = name if isinstance(name, zipfile.ZipInfo) else named(name)
                info.compress_type = method
                archive.writestr(info, content)
        return written.getvalue()


def named(name, mode=0o100644, flags=0):
    info = zipfile.ZipInfo("x")
    info.filename, info.external_attr = name, mode << 16
    info.flag_bits |= flags
    return info


def patched(data, where, offset, value):
    """Return a zip with some bytes changed, behind the first place where a signature stands."""
    start = data.index(where) + offset
    return data[:start] + value + data[start + len(value) :]


ONE = build(("a", b"content" * 100))
PACKED = build(("a", b"content" * 100), method=zipfile.ZIP_DEFLATED)
LOCAL, ENTRY, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
LIE = struct.pack("<L", 90_000_000)
HOSTILE = {
    "absolute": build(("/etc/passwd", b"1")),
    "upwards": build(("../../secret", b"1")),
    "upwards within": build(("a/../../secret", b"1")),
    "upwards at the end": build(("a/..", b"1")),
    "backslashes": build(("..\\..\\secret", b"1")),
    "a drive": build(("C:\\secret", b"1")),
    "a share": build(("\\\\host\\secret", b"1")),
    "a NUL": build(("a\0b", b"1")),
    "a control character": build(("a\x1b[2Jb", b"1")),
    "a dot": build(("./a", b"1")),
    "nothing between slashes": build(("a//b", b"1")),
    "no name": patched(build(("aa", b"1")), ENTRY, 28, b"\0\0"),
    "a very long name": build(("a" * 60_000, b"1")),
    "a very deep path": build(("/".join("a" * 2000), b"1")),
    "twice": build(("a", b"1"), ("a", b"2")),
    "a file that is a folder too": build(("a", b"1"), ("a/b", b"2")),
    "a link": build((named("a", 0o120777), b"/etc/passwd")),
    "a device": build((named("a", 0o020666), b"1")),
    "encrypted": patched(patched(ONE, LOCAL, 6, b"\1\0"), ENTRY, 8, b"\1\0"),
    "bzip2": build(("a", bytes(5_000_000)), method=zipfile.ZIP_BZIP2),
    "lzma": build(("a", bytes(5_000_000)), method=zipfile.ZIP_LZMA),
    "an unknown method": patched(ONE, ENTRY, 10, b"\x63\0"),
    "a bomb": build(("a", bytes(130_000_000)), method=zipfile.ZIP_DEFLATED),
    "a bomb that lies": patched(build(("a", bytes(20_000_000)), method=zipfile.ZIP_DEFLATED), ENTRY, 24, b"\1\0\0\0"),
    "larger than it is": patched(PACKED, ENTRY, 24, LIE),
    "stored larger than it is": patched(patched(ONE, ENTRY, 24, LIE), ENTRY, 20, LIE),
    "a wrong checksum": patched(ONE, ENTRY, 16, b"\0\0\0\0"),
    "broken data": patched(PACKED, LOCAL, 31, b"\xff" * 8),
    "another name in front": patched(ONE, LOCAL, 30, b"b"),
    "a position behind the end": patched(ONE, ENTRY, 42, b"\xff\xff\xff\x7f"),
    "a position before the beginning": patched(ONE, END, 16, b"\xff\xff\xff\x7f"),
    "more members than there are": patched(ONE, END, 8, b"\xff\xff\xff\xff"),
    "a directory larger than the file": patched(ONE, END, 12, b"\xff\xff\xff\x7f"),
    "cut in the middle": ONE[: len(ONE) // 2],
    "only an end": ONE[-22:],
    "empty": b"",
    "no zip": b"%PDF-1.7" * 100,
    "a wrong month": patched(ONE, ENTRY, 14, b"\xff\xff"),
    "a zip in front of another": ONE + PACKED,
    "quoted twice": ONE + b"PK\5\6" + bytes(18),
    "too many members": patched(ONE, END, 10, b"\xff\xff")[:-22] + ENTRY * 100 + ONE[-22:],
    "names that are no UTF-8": patched(patched(ONE, ENTRY, 46, b"\xff"), ENTRY, 8, b"\0\x08"),
    "all members at one place": ONE[: ONE.index(ENTRY)] + ONE[ONE.index(ENTRY) : -22] * 200 + patched(
        patched(ONE[-22:], END, 8, struct.pack("<HH", 200, 200)), END, 12,
        struct.pack("<L", 200 * (len(ONE) - 22 - ONE.index(ENTRY)))
    ),
}  # fmt: skip


def test_there_are_thirty_hostile_zips():
    assert len(HOSTILE) >= 30


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_harms_nobody(tmp_path, name):
    file = tmp_path / "x.zip"
    file.write_bytes(HOSTILE[name])
    (tmp_path / "secret").write_text("the secret")
    before = open_descriptors()
    tracemalloc.start()
    try:
        bodies = [read_all(file, path) for path in ("/", "/a/")]
        paths = ["/a", "/a/b", "/b", "/etc/passwd", "/secret", "/../secret", "/etc", "/a/../../secret", "/x"]
        bodies += [read_all(file, path, given) for path in paths for given in ((), [("range", "bytes=5-80000000")])]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000
    assert all(body is None or (b"secret" not in body and b"root:" not in body) for body in bodies)
    assert open_descriptors() == before


def read_all(file, path, headers=(JSON,)):
    """Read an answer to its end, as a client that throws away what it gets; return the first bytes."""
    answer = ask(file, path, headers)
    if answer is None or isinstance(answer.body, bytes):
        return answer and answer.body

    async def read():
        start = b""
        try:
            async for piece in answer.body:
                start = start or piece[:1000]
        except CutError:
            pass
        finally:
            await answer.body.aclose()
        return start

    return asyncio.run(read())


@pytest.mark.parametrize(
    "name",
    ["larger than it is", "a wrong checksum", "broken data", "another name in front", "stored larger than it is"],
)
def test_a_damaged_member_is_never_sent_as_whole(tmp_path, name):
    file = tmp_path / "x.zip"
    file.write_bytes(HOSTILE[name])
    answer = ask(file, "/a")
    if answer.status == 200:
        with pytest.raises(CutError):
            body_of(answer)
    else:
        assert (answer.status, answer.body) == (500, b"this file is damaged in the zip; ask for the zip itself\n")


def test_a_large_member_is_cut_where_its_checksum_is_wrong(tmp_path):
    file = tmp_path / "x.zip"
    file.write_bytes(
        patched(build(("a", LARGE), method=zipfile.ZIP_DEFLATED), ENTRY, 16, struct.pack("<L", zlib.crc32(b"x")))
    )
    with pytest.raises(CutError):
        body_of(ask(file, "/a"))
