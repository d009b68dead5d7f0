"""A file as an answer: the headers that keep it harmless, its type, its name, and what becomes of the descriptor."""

import asyncio
import os
import re
from urllib.parse import unquote

import pytest
from tests.zddc.access.trees import open_descriptors
from tests.zddc.server.asking import body_of, get_file, request, without_dates

from zddc.server.answer import CutError, Pieces
from zddc.server.answers import answer_file, disposition, tag_of

LARGE = 700_000
PLAYED = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
SANDBOX = (
    "sandbox allow-downloads allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
)
# What a browser might run, each with the type that it is sent with and how it is to be taken.
HOSTILE = {
    "a.html": ("text/html; charset=utf-8", "inline", b"<script>fetch('/secret')</script>"),
    "a.HTM": ("text/html; charset=utf-8", "inline", b"<meta http-equiv=refresh content=0;url=//sink.example>"),
    "a.xhtml": ("application/xhtml+xml", "inline", b"<html xmlns='http://www.w3.org/1999/xhtml'><script/></html>"),
    "a.svg": ("image/svg+xml", "inline", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    "a.svgz": ("application/octet-stream", "attachment", b"\x1f\x8b"),
    "a.xml": ("application/xml", "inline", b"<?xml-stylesheet href='a.xsl' type='text/xsl'?><a/>"),
    "a.xsl": ("application/xml", "inline", b"<xsl:stylesheet/>"),
    "a.mhtml": ("message/rfc822", "attachment", b"MIME-Version: 1.0\nContent-Type: text/html\n\n<script>"),
    "a.eml": ("message/rfc822", "attachment", b"Content-Type: text/html\n\n<script>"),
    "a.pdf": ("application/pdf", "inline", b"%PDF-1.7 /OpenAction /JavaScript"),
    "a.pdf.html": ("text/html; charset=utf-8", "inline", b"<script>"),
    "a.html.pdf": ("application/pdf", "inline", b"<script>"),
    "a.js": ("text/javascript; charset=utf-8", "inline", b"alert(1)"),
    "a.json": ("application/json", "inline", b"{}"),
    "a.css": ("text/css; charset=utf-8", "inline", b"@import '//sink.example'"),
    "a.swf": ("application/octet-stream", "attachment", b"FWS"),
    "a.hta": ("application/octet-stream", "attachment", b"<script>"),
    "a.exe": ("application/octet-stream", "attachment", b"MZ"),
    "a.appcache": ("application/octet-stream", "attachment", b"CACHE MANIFEST"),
    "a.webmanifest": ("application/octet-stream", "attachment", b"{}"),
    "html": ("application/octet-stream", "attachment", b"<script>"),
    "no extension": ("application/octet-stream", "attachment", b"<html><script>"),
    "a.": ("application/octet-stream", "attachment", b"<html><script>"),
    "a.txt": ("text/plain; charset=utf-8", "inline", b"<html><script>"),
    "a.md": ("text/markdown; charset=utf-8", "inline", "# Überschrift".encode()),
    "a.csv": ("text/csv", "inline", "Übersicht".encode("latin-1")),
    "a.gif": ("image/gif", "inline", b"GIF89a/*<script>*/"),
    "a.dwg": ("image/vnd.dwg", "attachment", b"AC1032"),
    "a.dxf": ("image/vnd.dxf", "attachment", b"0\nSECTION"),
    "a.ifc": ("application/x-step", "attachment", b"ISO-10303-21;"),
    "a.docx": (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "attachment",
        b"PK",
    ),
    "a.zip": ("application/zip", "attachment", b"PK"),
    "a.mp4": ("video/mp4", "inline", b"<script>"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("large", [False, True])
def test_what_somebody_has_put_there_has_no_rights(tmp_path, name, large):
    kind, taken, content = HOSTILE[name]
    file = tmp_path / "file"
    file.write_bytes(content.ljust(LARGE if large else 1, b" "))
    os.utime(file, (784_111_777, 784_111_777))
    answers = {method: get_file(file, request(method, f"/P/{name}"), name) for method in ("GET", "HEAD")}
    assert answers["GET"].headers == answers["HEAD"].headers
    assert without_dates(answers["GET"]) == {
        "content-security-policy": PLAYED if name == "a.mp4" else SANDBOX,
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "cache-control": "private, no-cache",
        "etag": tag_of(file.stat()),
        "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "accept-ranges": "bytes",
        "content-disposition": f'{taken}; filename="{name}"',
        "content-type": kind,
        "content-length": str(file.stat().st_size),
    }
    assert body_of(answers["GET"]) == file.read_bytes()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("range", "bytes=0-0")], 206),
        ([("range", "bytes=0-0,2-2")], 206),
        ([("range", "bytes=9-")], 416),
        ([("if-match", '"x"')], 412),
        ([("if-none-match", "*")], 304),
    ],
)
def test_every_other_answer_is_as_harmless(tmp_path, headers, status):
    file = tmp_path / "a.html"
    file.write_bytes(b"<scri")
    answer = get_file(file, request(headers=headers))
    found = without_dates(answer)
    assert answer.status == status
    assert (found["content-security-policy"], found["x-content-type-options"]) == (SANDBOX, "nosniff")
    assert found["cache-control"] == "private, no-cache"
    assert (status == 304) == ("content-type" not in found) == ("content-length" not in found)


def test_a_text_is_utf_8_only_if_its_start_is(tmp_path):
    file = tmp_path / "a.txt"
    for content, charset in (
        (b"a" * 65_535 + "é".encode() + b"b", "; charset=utf-8"),  # cut within the é
        (b"a" * 65_535 + b"\xc3", ""),
        (b"a" * 65_534 + "é".encode("latin-1") + b"b", ""),
        (b"a" * 65_536 + b"\xff", "; charset=utf-8"),  # nobody looks so far
        ("﻿BOM".encode(), "; charset=utf-8"),
        ("BOM".encode("utf-16"), ""),
        (b"", "; charset=utf-8"),
    ):
        file.write_bytes(content)
        answer = get_file(file, request())
        assert dict(answer.headers)["content-type"] == f"text/plain{charset}"
        assert body_of(answer) == content


NAMES = [
    "A-1_B (IFC) - Pump data.pdf", 'quote".pdf', "back\\slash", "100%25.pdf", "Übersicht.pdf", "平面図 (2).pdf",
    "a;b=c,d.pdf", "'single'.pdf", "line\nbreak.pdf", "\u202egnp.exe", "x" * 250, "a*b?.pdf", "~",
    "é" * 100, "emoji 🏗.pdf",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_browser_reads_back_the_name(name):
    field = disposition(name, is_shown=False)
    assert field.isascii()
    assert field.isprintable()
    plain, is_extended, extended = field.removeprefix('attachment; filename="').partition("\"; filename*=UTF-8''")
    assert unquote(extended, errors="strict") == name if is_extended else plain == f'{name}"'
    assert re.fullmatch(r"[\w!#$&+.^`|~%-]*", extended)  # RFC 8187
    assert '"' not in plain.removesuffix('"')
    assert not set(plain) & set("\\%")  # browsers differ in what they make of these


def test_the_tag_changes_with_every_rewrite(tmp_path):
    file = tmp_path / "a.bin"
    tags = set()
    for content in (b"1", b"2", b"3"):
        file.write_bytes(content)
        os.utime(file, (784_111_777, 784_111_777))
        tags.add(tag_of(file.stat()))
    other = tmp_path / "b.bin"
    other.write_bytes(b"3")
    other.replace(file)
    tags.add(tag_of(file.stat()))
    assert len(tags) == 4
    assert all(len(tag) == 26 and tag.isascii() for tag in tags)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", [[], [("range", "bytes=1-2,4-5")], [("range", "bytes=9999999-")],
                                     [("if-none-match", "*")], [("if-match", '"x"')]])  # fmt: skip
@pytest.mark.parametrize("size", [0, 10, LARGE])
def test_every_descriptor_is_closed(tmp_path, method, headers, size):
    file = tmp_path / "a.txt"
    file.write_bytes(b"x" * size)
    before = open_descriptors()
    body_of(get_file(file, request(method, headers=headers)))
    unread = get_file(file, request(method, headers=headers))
    if isinstance(unread.body, Pieces):
        asyncio.run(unread.body.aclose())
        asyncio.run(unread.body.aclose())
    assert open_descriptors() == before


def test_a_file_that_becomes_shorter_is_cut_and_never_filled_up(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"x" * LARGE)
    before = open_descriptors()
    answer = get_file(file, request())
    os.truncate(file, LARGE - 1)
    with pytest.raises(CutError):
        body_of(answer)
    assert open_descriptors() == before


def test_a_small_file_that_becomes_shorter_is_cut(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"xx")
    before = open_descriptors()
    opened = os.open(file, os.O_RDONLY)
    status = os.fstat(opened)
    os.truncate(file, 1)
    with pytest.raises(CutError):
        answer_file(request(), "a.bin", opened, status)
    assert open_descriptors() == before


def test_a_file_that_grows_is_sent_as_long_as_it_was(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"x" * LARGE)
    answer = get_file(file, request())
    with file.open("ab") as more:
        more.write(b"y" * LARGE)
    assert body_of(answer) == b"x" * LARGE
