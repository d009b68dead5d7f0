"""D1: httplint, which is installed beside (``pip install httplint``), finds no error in answers of every class."""

import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.zddc.server.serving import connect, exchange, request_for, serving

pytestmark = pytest.mark.slow

PROGRAM = shutil.which("httplint")
JSON, GZIP = "Accept: application/json", "Accept-Encoding: gzip"
CLASSES: dict[str, tuple] = {
    "200 small file": ("/a.txt",),
    "200 large file": ("/large.bin",),
    "200 page of a folder": ("/",),
    "200 JSON of a folder": ("/", JSON),
    "200 JSON, compressed": ("/many/", JSON, GZIP),
    "200 lines of JSON": ("/?recursive=1",),
    "200 lines of JSON, compressed": ("/?recursive=1", GZIP),
    "200 zip": ("/?zip=1",),
    "200 member of a zip": ("/x.zip/in/b.txt",),
    "200 folder in a zip": ("/x.zip/in/",),
    "200 link to a document": ("/P/.archive/D-1.html",),
    "200 revisions of a document": ("/P/.archive/D-1/", JSON),
    "200 links of a project": ("/P/.archive/",),
    "200 profile": ("/.profile/",),
    "200 health": ("/.health",),
    "206 one part": ("/large.bin", "Range: bytes=5-9"),
    "206 several parts": ("/large.bin", "Range: bytes=5-9,20-30"),
    "301 folder": ("/many",),
    "304 file": ("/a.txt", "If-None-Match: *"),
    "304 folder": ("/", "If-None-Match: *"),
    "400 path": ("/a//b",),
    "400 body": ("/a.txt", "Content-Length: 3"),
    "401 token": ("/a.txt", "Authorization: Bearer x"),
    "404 absent": ("/none",),
    "412 file": ("/a.txt", 'If-Match: "x"'),
    "416 file": ("/a.txt", "Range: bytes=99-"),
    "431 header": ("/a.txt", f"X: {'x' * 20_000}"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    # The path of a socket file has to be short.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        sent = root / "P" / "2025-01-02_T-1 (IFC) - Sent"
        for made in (sent, root / "many"):
            made.mkdir(parents=True)
        (root / ".zddc").write_text("acl: {allow: [anonymous]}\n")
        (root / "a.txt").write_text("hello")
        (root / "large.bin").write_bytes(bytes(200_000))
        (sent / "D-1_A (IFC) - Plan.pdf").write_bytes(b"%PDF-1.4")
        for number in range(200):
            (root / "many" / f"{number}.txt").touch()
        with zipfile.ZipFile(root / "x.zip", "w") as file:
            file.writestr("in/b.txt", "zipped")
        with serving(root, Path(folder)) as file:
            yield file


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_answers_have_no_error(server, name, method):
    path, *fields = CLASSES[name]
    answer = exchange(connect(server), request_for(path.encode(), *fields, method=method.encode()))
    assert answer.startswith(f"HTTP/1.1 {name[:3]} ".encode()) or (method == "HEAD" and name[:3] in ("206", "416"))
    if PROGRAM is None:
        pytest.skip("httplint is not installed")
    if method == "HEAD":  # it cannot be told that no content follows: the length is checked by other tests
        answer = re.sub(rb"\r\ncontent-length: \d+", b"", answer)
    told = subprocess.run([PROGRAM, "-n"], input=answer, capture_output=True, check=True).stdout.decode()
    assert "###" in told
    if name == "206 several parts":  # each part has its own, and the answer must have none: RFC 9110, section 15.3.7.2
        told = told.replace("[BAD] This response is partial, but doesn't have a Content-Range header.", "")
    assert not re.search(r"^\* \[BAD\].*", told, re.MULTILINE), told


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE"])
def test_answers_to_other_methods_have_no_error(server, method):
    answer = exchange(connect(server), request_for(b"/a.txt", method=method.encode()))
    assert answer.startswith((b"HTTP/1.1 204 ", b"HTTP/1.1 405 "))
    if PROGRAM is None:
        pytest.skip("httplint is not installed")
    told = subprocess.run([PROGRAM, "-n"], input=answer, capture_output=True, check=True).stdout.decode()
    assert not re.search(r"^\* \[BAD\].*", told, re.MULTILINE), told
