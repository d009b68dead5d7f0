"""A real server on a socket file, asked byte by byte, and behind a real nginx."""

import contextlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from tests import waiting
from tests.processes import started

from zddc.errors import UserError
from zddc.server.run import check_files
from zddc.server.settings import Given, make_settings

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
ROOT = Path(__file__).parents[3]
SECRET = b"the planted secret"
LISTS = Path("/usr/share/wfuzz/wordlist")  # of Debian's package wfuzz, where it is installed
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def exchange(file: Path, data: bytes) -> bytes:
    """Send bytes to a socket file, and return all that comes back until the connection ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(file))
        connection.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def get(file: Path, target: bytes, *fields: str) -> tuple[int, bytes]:
    """Return the status and the rest of an answer to a GET; 0 where there is no answer."""
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: a", b"Connection: close", *(field.encode() for field in fields)]
    answer = exchange(file, b"\r\n".join([*lines, b"", b""]))
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    return int(found[1]) if found else 0, answer


def listens(file: Path) -> bool:
    """Whether somebody listens at a socket file."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(file)) == 0


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
    file, audit = place / "zddc.sock", place / "audit.jsonl"
    command = [sys.executable, "-m", "zddc", "serve", place / "root", "--listen", f"unix:{file}"]
    with started([*command, "--trusted-proxy", "unix", "--audit-log", audit]) as process:
        waiting.until(lambda: process.poll() is not None or listens(file))
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
        assert status in (0, 200, 301, 400, 404), (path, answer)
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
        answer = exchange(server, data)
        assert answer.count(b"HTTP/1.1 ") <= 1, data
        assert not answer or answer.startswith(b"HTTP/1.1 4"), data


@pytest.mark.slow
def test_a_method_that_is_not_served_is_told_which_are(server):
    answer = exchange(server, b"DELETE /a/b.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"allow: GET, HEAD, OPTIONS\r\n" in answer


@pytest.mark.slow
def test_a_trusted_proxy_says_who_asks(server, place):
    kim = "X-Auth-Request-Email: kim@acme.example"
    assert get(server, b"/a/kim/k.txt")[0] == 404
    assert get(server, b"/a/kim/k.txt", kim)[1].endswith(b"for kim")
    assert get(server, b"/a/kim/k.txt", kim, kim)[0] == 400
    assert get(server, b"/a/kim/k.txt", kim.replace("-", "_"))[0] == 400
    audit = [json.loads(line) for line in (place / "audit.jsonl").read_text().splitlines()]
    assert {(one["via"], one["email"]) for one in audit[1:]} >= {("header", "kim@acme.example"), ("none", None)}


@pytest.mark.slow
def test_a_second_server_does_not_take_the_place_of_the_first(server, place):
    given = Given(place / "root", listen=f"unix:{server}", audit_log="off")
    with pytest.raises(UserError, match="another server listens there"):
        check_files(make_settings(given, {}))


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


class SignIn(BaseHTTPRequestHandler):
    """Stands in for oauth2-proxy: whoever has a cookie is the person whom it names."""

    def do_GET(self):
        cookie = self.headers.get("Cookie", "")
        self.send_response(202 if cookie else 401)
        if cookie:
            self.send_header("X-Auth-Request-Email", cookie.removeprefix("user="))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def proxy(server, place) -> Iterator[Path]:
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed")
    sign_in = ThreadingHTTPServer(("127.0.0.1", 0), SignIn)
    threading.Thread(target=sign_in.serve_forever, daemon=True).start()
    file = place / "nginx.sock"
    site = (ROOT / "examples" / "behind-a-proxy" / "nginx.conf").read_text()
    for there, here in {
        "unix:/run/zddc/zddc.sock": f"unix:{server}",
        "listen 443 ssl": f"listen unix:{file}",
        "127.0.0.1:4180": f"127.0.0.1:{sign_in.server_port}",
    }.items():
        assert there in site
        site = site.replace(there, here)
    site = re.sub(r" *ssl_certificate.*\n", "", site)
    temporary = "".join(
        f"{kind}_temp_path {place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(
        f"daemon off;\n{'user root;' if os.geteuid() == 0 else ''}\npid {place}/nginx.pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n"
    )
    with started([NGINX, "-p", place, "-c", place / "nginx.conf"]) as process:
        waiting.until(lambda: process.poll() is not None or listens(file))
        yield file
    sign_in.shutdown()
    sign_in.server_close()


@pytest.mark.slow
def test_behind_nginx_only_who_signed_in_is_named(proxy, place):
    """C2: what a client says of itself never arrives, in any spelling."""
    kim, lee = "Cookie: user=kim@acme.example", "Cookie: user=lee@acme.example"
    assert get(proxy, b"/a/kim/k.txt")[0] == 302
    assert get(proxy, b"/a/kim/k.txt", kim)[1].endswith(b"for kim")
    for name in ("X-Auth-Request-Email", "x-auth-request-email", "X_Auth_Request_Email", "X-Auth_Request-Email"):
        forged = f"{name}: kim@acme.example"
        assert get(proxy, b"/a/kim/k.txt", forged)[0] == 302
        assert get(proxy, b"/a/kim/k.txt", lee, forged)[0] == 404
        assert get(proxy, b"/a/kim/k.txt", lee, forged, forged)[0] == 404
    assert get(proxy, b"/oauth2/auth", kim)[0] == 404


@pytest.mark.slow
def test_behind_nginx_a_path_arrives_as_it_was_sent(proxy):
    lee = "Cookie: user=lee@acme.example"
    assert get(proxy, b"/a//b.txt", lee)[0] == 400
    assert get(proxy, b"/a/%2e%2e/a/b.txt", lee)[0] == 400
    assert get(proxy, b"/a/b.txt", lee)[1].endswith(b"hello")
