"""Whole tables of requests, asked of a real server, and an archive that is changed under those who read."""

import ctypes
import itertools
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from tests.processes import output_of
from tests.zddc.server.serving import connect, exchange, get, request_for, serving
from tests.zddc.server.test_conditions import DATA, HEAD, SECONDS, TABLE
from tests.zddc.server.test_identity import AMBIGUOUS, HEADER, TAKEN
from tests.zddc.tools.archives import served

from zddc.server.tokens import FOLDER, TokenStore

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
KIM = "kim@acme.example"
CLIENTS, READS, SECONDS_OF_SWAPPING = (4, 50_000, 60) if SOAK else (4, 1000, 0)
METHODS = (
    "POST", "DELETE", "PATCH", "TRACE", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH",
    "REPORT", "LINK", "PURGE", "get", "Get", "GETS", "X", "M-SEARCH",
)  # fmt: skip
_EXCHANGE = 2  # of renameat2: both names change places at once


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    # The path of a socket file has to be short.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        for name, rules in {
            "": "acl: {allow: [anonymous]}", "kim": f"acl: {{inherit: false, allow: [{KIM}]}}", "open": "title: open",
            "closed": "acl: {inherit: false, allow: [nobody@acme.example]}",
        }.items():  # fmt: skip
            (root / name).mkdir()
            (root / name / ".zddc").write_text(f"{rules}\n")
        (root / "kim" / "k.txt").write_text("for kim")
        (root / "a.bin").write_bytes(DATA)
        os.utime(root / "a.bin", (SECONDS, SECONDS))
        (Path(folder) / "outside").mkdir()
        for there, text in (("root/open", b"open"), ("root/closed", b"closed"), ("outside", b"outside")):
            (Path(folder) / there / "a.txt").write_bytes(text * 100)
        yield Path(folder)


@pytest.fixture(scope="module", params=["trusted", "untrusted"])
def peer(request, place) -> Iterator[tuple[Path, bool]]:
    """Start a server that takes the socket file's peers for a proxy, and one that does not."""
    folder = place / request.param
    folder.mkdir()
    is_trusted = request.param == "trusted"
    with serving(place / "root", folder, *(["--trusted-proxy", "unix"] if is_trusted else [])) as file:
        yield file, is_trusted


@pytest.fixture(scope="module")
def server(place) -> Iterator[Path]:
    (place / "plain").mkdir()
    with serving(place / "root", place / "plain") as file:
        yield file


class Connection(HTTPConnection):
    """A connection to a socket file that is kept for many requests."""

    def __init__(self, file: Path):
        super().__init__("a")
        self.file = file

    def connect(self):
        self.sock = connect(self.file)

    def ask(self, method: str, path: str, headers=()) -> tuple[HTTPResponse, bytes]:
        self.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            self.putheader(name, value.encode("latin-1"))
        self.endheaders()
        answer = self.getresponse()
        return answer, answer.read()


def test_a_header_names_somebody_only_where_the_peer_is_trusted_and_it_is_plain(peer):
    """C1: each form of the header, from a trusted peer and from another."""
    file, is_trusted = peer
    for value in TAKEN:
        assert get(file, b"/kim/k.txt", f"{HEADER}: {value}")[0] == (200 if is_trusted else 404), value
    for fields in AMBIGUOUS:
        lines = [f"{name}: {value}" for name, value in fields]
        found = get(file, b"/kim/k.txt", *lines)[0]
        is_no_header = any(set(value) & {"\0", "\x1b"} for _, value in fields)
        assert found == (400 if is_trusted or is_no_header else 404), fields


def test_what_rfc_9110_says_is_answered_over_a_connection(server):
    """D2: the table of conditions and ranges, one request after the other on one connection."""
    connection = Connection(server)
    tag = connection.ask("HEAD", "/a.bin")[0].headers["etag"]
    for method, given, (status, expected) in TABLE:
        if not all(value.isascii() for value in given.values()):
            continue
        headers = [(name, re.sub(r"\bT\b", tag, value)) for name, value in given.items()]
        answer, content = connection.ask(method, "/a.bin", headers)
        assert answer.status == status, given
        assert answer.headers["date"]
        assert answer.headers["etag"] == tag
        if status == 200:
            assert content == (b"" if method == HEAD else DATA)
        if expected.startswith("bytes"):
            assert answer.headers["content-range"] == expected
    assert connection.sock is not None
    connection.close()


def test_a_token_that_is_bad_expired_or_revoked_is_answered_with_401(server, place):
    """C3, over a connection, while the server runs."""
    store = TokenStore(place / "root" / FOLDER)
    good, _ = store.issue(KIM, 1)
    expired = TokenStore(store.folder, lambda: datetime.now(UTC) - timedelta(days=3)).issue(KIM, 1)[0]
    revoked, token = store.issue(KIM, 1)
    assert get(server, b"/kim/k.txt", f"Authorization: Bearer {revoked}")[0] == 200
    store.revoke(token.id)
    for text in (expired, revoked, good[:-1], good.upper(), token.id, "x", "zddc_" + "A" * 43):
        assert get(server, b"/kim/k.txt", f"Authorization: Bearer {text}")[0] == 401, text
    assert get(server, b"/kim/k.txt", f"Authorization: Bearer {good}")[1].endswith(b"for kim")
    assert not any(good.encode() in file.read_bytes() for file in store.folder.iterdir())


def test_other_methods_are_told_which_there_are(server):
    for method in METHODS:
        answer = exchange(connect(server), request_for(b"/a.bin", method=method.encode()))
        assert answer.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 400 ")), answer
        assert b"405" not in answer[:13] or re.search(rb"\r\nallow: [A-Z, ]*GET", answer)
        assert DATA not in answer


@pytest.fixture
def swapping(place) -> Iterator[None]:
    """Swap, as long as the test runs, a file and a folder for links, and an open folder for a closed one."""
    root, ended, failed = place / "root", threading.Event(), []
    libc = ctypes.CDLL(None, use_errno=True)
    swaps = [(root / "open", root / "closed")]
    for name, target in (("file-link", place / "outside" / "a.txt"), ("folder-link", place / "outside")):
        (place / name).symlink_to(target)
    swaps += [(root / "open" / "a.txt", place / "file-link"), (root / "open", place / "folder-link")]

    def swap():
        for one, other in itertools.cycle(swaps):
            for _ in range(2):
                if libc.renameat2(-100, bytes(one), -100, bytes(other), _EXCHANGE):
                    failed.append(os.strerror(ctypes.get_errno()))
                    return
                time.sleep(0.0002)
            if ended.is_set():
                return

    swapper = threading.Thread(target=swap)
    swapper.start()
    yield
    ended.set()
    swapper.join()
    assert not failed


def test_what_is_swapped_while_others_read_leads_nowhere_else(server, swapping):
    """B3: no byte from outside the root, and none of a closed folder that takes the place of an open one."""
    found, count, lock = set(), [0], threading.Lock()
    began = time.monotonic()

    def read():
        connection = Connection(server)
        # The swapper may be stopped for a while where all is in its place, or where all is swapped.
        while count[0] < READS or len(found) < 2 or time.monotonic() - began < SECONDS_OF_SWAPPING:
            answer, content = connection.ask("GET", "/open/a.txt")
            with lock:
                found.add((answer.status, content))
                count[0] += 1
        connection.close()

    readers = [threading.Thread(target=read) for _ in range(CLIENTS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    print(f"{count[0]} reads in {time.monotonic() - began:.0f} s")
    assert found == {(200, b"open" * 100), (404, b"not found\n")}


def test_rclone_copies_what_the_person_of_a_token_may_read(place, tmp_path):
    program = shutil.which("rclone")
    if program is None:
        pytest.skip("rclone is not installed")
    root = tmp_path / "root"
    for name in ("a b.txt", "100% & more #1?.txt", "deep/Übersicht.pdf", "closed/secret.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
        os.utime(root / name, (SECONDS, SECONDS))
    (root / ".zddc").write_text(f"acl: {{allow: [{KIM}]}}\n")
    (root / "closed" / ".zddc").write_text('acl: {deny: ["*"]}\n')
    token = TokenStore(root / FOLDER).issue(KIM, 1)[0]
    with served(root, "--tls", "none", "--audit-log", "off") as address:
        given = ["--http-url", address, "--header", f"Authorization: Bearer {token}"]
        output_of([program, "--config", os.devnull, "sync", *given, ":http:", tmp_path / "copy"])
    copied = {file.relative_to(tmp_path / "copy").as_posix(): file for file in (tmp_path / "copy").rglob("*.*")}
    assert {name: file.read_text() for name, file in copied.items()} == {
        name: name for name in ("a b.txt", "100% & more #1?.txt", "deep/Übersicht.pdf")
    }
    assert {int(file.stat().st_mtime) for file in copied.values()} == {SECONDS}
