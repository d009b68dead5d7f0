"""A real server on a socket file, asked byte by byte."""

import itertools
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.waiting import until
from tests.zddc.server.serving import connect, exchange, get, serving

from zddc.errors import UserError
from zddc.server.audit import Audit
from zddc.server.run import check_files, open_audit
from zddc.server.settings import Given, make_settings

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
SECRET = b"the planted secret"
LISTS = Path("/usr/share/wfuzz/wordlist")  # of Debian's package wfuzz, where it is installed


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    # The path of a socket file has to be short.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        (root / "a" / "closed").mkdir(parents=True)
        (root / ".zddc").write_text('acl: {allow: ["*@acme.example", anonymous]}\n')
        (root / "a" / "kim").mkdir()
        (root / "a" / "kim" / ".zddc").write_text("acl: {inherit: false, allow: [kim@acme.example]}\n")
        (root / "a" / "kim" / "k.txt").write_text("for kim")
        (root / "a" / "closed" / ".zddc").write_text('acl: {deny: ["*", anonymous]}\n')
        (root / "a" / "b.txt").write_text("hello")
        for secret in (root / "a" / "closed", root / "..", root / ".hidden"):
            secret.mkdir(exist_ok=True)
            (secret / "secret.txt").write_bytes(SECRET)
        (root / "link.txt").symlink_to("../secret.txt")
        yield Path(folder)


@pytest.fixture(scope="module")
def server(place) -> Iterator[Path]:
    with serving(place / "root", place, "--trusted-proxy", "unix") as file:
        yield file


def spellings(payload: str) -> Iterator[bytes]:
    """Yield a path in the ways in which one may try to get it past a check."""
    plain = payload.encode()
    yield plain
    yield quote(payload, safe="").encode()
    yield quote(payload, safe="/").encode()
    yield quote(quote(payload, safe=""), safe="").encode()
    yield plain.replace(b"/", b"\\")
    yield plain.replace(b"/", b"%5c").replace(b".", b"%2e")
    yield plain.replace(b".", b"%c0%ae").replace(b"/", b"%c0%af")
    yield plain.replace(b"../", b"....//")
    separators = itertools.cycle((b"%2f", b"/", b"\\", b"%5C", b"%252f"))
    yield b"".join(part + next(separators) for part in plain.split(b"/"))[:-1]


def payloads() -> Iterator[str]:
    for name in ("secret.txt", "etc/passwd", "a/closed/secret.txt", ".hidden/secret.txt", ".zddc"):
        for front in ("", "a/", "a/closed/", "a/b.txt/", "//", "./", "link.txt/"):
            for ups in range(9):
                yield front + "../" * ups + name
    files = sorted(LISTS.glob("*/*ravers*"))
    for file in files:
        yield from filter(None, file.read_text(encoding="latin-1").split("\n"))


@pytest.mark.slow
def test_no_spelling_of_a_path_leads_to_a_secret(server):
    """B1, over raw sockets: no byte of a planted secret, no error of the server, no connection that hangs."""
    asked = [path for payload in payloads() for path in spellings(payload.lstrip("/"))]
    asked = list(dict.fromkeys(path for path in asked if not set(path) & set(b"\r\n \0")))
    for path in asked if SOAK else asked[:: len(asked) // 300]:
        status, answer = get(server, b"/" + path)
        assert SECRET not in answer, path
        assert b"root:x:" not in answer, path
        assert b"acl:" not in answer, path
        assert status in (200, 301, 400, 404), (path, answer)
        if status == 200:
            assert answer.endswith((b"hello", b"</table>\n")), path
    print(f"{len(asked)} paths")


@pytest.mark.slow
def test_what_is_no_request_ends_its_connection(server):
    for data in (
        b"garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nGET /a/b.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\nX: y\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    ):
        answer = exchange(connect(server), data)
        assert answer.count(b"HTTP/1.1 ") <= 1, data
        assert not answer or answer.startswith(b"HTTP/1.1 4"), data


@pytest.mark.slow
def test_a_method_that_is_not_served_is_told_which_are(server):
    answer = exchange(connect(server), b"DELETE /a/b.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"allow: GET, HEAD, OPTIONS, PUT\r\n" in answer


@pytest.mark.slow
def test_a_trusted_proxy_says_who_asks(server, place):
    kim = "X-Auth-Request-Email: kim@acme.example"
    assert get(server, b"/a/kim/k.txt")[0] == 404
    assert get(server, b"/a/kim/k.txt", kim)[1].endswith(b"for kim")
    assert get(server, b"/a/kim/k.txt", kim, kim)[0] == 400
    assert get(server, b"/a/kim/k.txt", kim.replace("-", "_"))[0] == 400

    # A line comes a moment after its answer.
    def asked_by() -> set[tuple[str, str]]:
        lines = (place / "audit.jsonl").read_text().split("\n")[1:-1]  # the last may be half a line
        return {(one["via"], one["email"]) for one in map(json.loads, lines)}

    until(lambda: asked_by() >= {("header", "kim@acme.example"), ("none", None)})


@pytest.mark.slow
def test_a_second_server_does_not_take_the_place_of_the_first(server, place):
    given = Given(place / "root", listen=f"unix:{server}", audit_log="off")
    with pytest.raises(UserError, match="another server listens there"):
        check_files(make_settings(given, {}))


def test_a_second_server_needs_an_audit_of_its_own(place, tmp_path):
    file = str(tmp_path / "audit.jsonl")
    given = Given(place / "root", listen=f"unix:{place / 'second.sock'}", public=True, audit_log=file)
    with Audit(file).running(), pytest.raises(UserError, match="another server writes to it; give --audit-log FILE"):
        open_audit(make_settings(given, {}))


def test_where_it_cannot_listen_it_says_so(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = Given(place / "root", listen=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UserError, match="address already in use"):
            check_files(make_settings(given, {}))
    for file, problem in ((place / "none" / "a.sock", "folder is not there"), (place / "root" / "a", "something else")):
        with pytest.raises(UserError, match=problem):
            check_files(make_settings(Given(place / "root", listen=f"unix:{file}"), {}))


def test_a_certificate_that_does_not_fit_is_refused(place, tmp_path):
    from zddc.server.certificates import make_certificate

    pairs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        pairs.append(make_certificate(tmp_path / name, "127.0.0.1"))
    for certificate, key, problem in (
        (pairs[0][0], pairs[1][1], "does not fit the key"),
        (pairs[0][1], pairs[0][1], "no certificate"),
        (pairs[0][0], pairs[0][0], "PKCS#8"),
    ):
        settings = make_settings(Given(place / "root", listen="127.0.0.1:0", tls=f"{certificate},{key}"), {})
        with pytest.raises(UserError, match=problem):
            check_files(settings)
