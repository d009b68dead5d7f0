"""The server behind real proxies, with the very files of examples/behind-a-proxy, on socket files."""

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests import waiting
from tests.processes import output_of, started
from tests.zddc.many_files import make_many
from tests.zddc.server.serving import connect, exchange, listens, request_for, serving

from zddc.server.certificates import make_certificate

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
EXAMPLES = Path(__file__).parents[3] / "examples" / "behind-a-proxy"
HOST = "archive.example"
KIM, LEE = "kim@acme.example", "lee@acme.example"
SECRET = "secret"
SECRET_HASHED = "$6$zddctest$Y0Hukg.1Gk0rxmm/blJlE9zQIH.lt3X5rdzPB6YnccFzVuBo3xrn.6x3X7peXVi.7ZkKvqdDhoqTLnsrDngo01"
LARGE_BYTES = (300 if SOAK else 3) * 1024**2 + 17
NAMES = 100_000 if SOAK else 2000
SIGN_IN_ADDRESS = "127.0.0.1:4180"
SERVER_SOCKET = "/run/zddc/zddc.sock"
SPELLINGS = (
    "X-Auth-Request-Email", "x-auth-request-email", "X_Auth_Request_Email", "X-Auth_Request-Email",
    "X-Auth-Request_Email", "X_AUTH-REQUEST-EMAIL", "X.Auth.Request.Email", "X-Auth-Request~Email",
)  # fmt: skip


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: the socket file where it listens, and whether it asks for a password itself."""

    file: Path
    has_passwords: bool

    def signed_in(self, email: str) -> str:
        """Return the header field of who has signed in."""
        if not self.has_passwords:
            return f"Cookie: user={email}"
        return f"Authorization: Basic {base64.b64encode(f'{email}:{SECRET}'.encode()).decode()}"

    def ask(
        self, target: str, *fields: str, method: str = "GET", data: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content of an answer."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connect(self.file), server_hostname=HOST, suppress_ragged_eofs=True)
        head = request_for(target.encode(), *fields, method=method.encode(), host=HOST.encode())
        answer = exchange(connection, head + data)
        head, _, content = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(first.split()[1]), headers, _unchunked(content) if "transfer-encoding" in headers else content


def _unchunked(content: bytes) -> bytes:
    pieces = []
    while content:
        size, _, content = content.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(content[:length])
        content = content[length + 2 :]
    return b"".join(pieces)


class SignIn(BaseHTTPRequestHandler):
    """Stands in for oauth2-proxy: whoever has a cookie is the person whom it names."""

    def do_GET(self):
        cookie = self.headers.get("Cookie", "")
        self.send_response(202 if cookie else 401)
        if email := cookie.removeprefix("user="):
            self.send_header("X-Auth-Request-Email", email)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    # The path of a socket file has to be short.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        for name, rules in {
            "": f"acl: {{allow: [{LEE}, anonymous]}}",
            "kim": f"acl: {{inherit: false, allow: [{KIM}]}}",
            "many": "{}",
            "incoming": f"acl: {{permissions: {{{LEE}: rc}}}}",
        }.items():
            (root / name).mkdir()
            (root / name / ".zddc").write_text(f"{rules}\n")
        (root / "kim" / "k.txt").write_text("for kim")
        (root / "b.txt").write_text("hello")
        (root / "large.bin").write_bytes((bytes(range(256)) * (LARGE_BYTES // 256 + 1))[:LARGE_BYTES])
        make_many(root / "many", (f"D-{number:06} plan.txt" for number in range(NAMES)))
        make_certificate(Path(folder), "127.0.0.1")
        both = [(Path(folder) / name).read_text() for name in ("certificate.pem", "key.pem")]
        (Path(folder) / "both.pem").write_text("".join(both))
        yield Path(folder)


@pytest.fixture(scope="module")
def server(place) -> Iterator[Path]:
    with serving(place / "root", place, "--trusted-proxy", "unix") as file:
        yield file


@pytest.fixture(scope="module")
def sign_in() -> Iterator[str]:
    served = ThreadingHTTPServer(("127.0.0.1", 0), SignIn)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def adapted(name: str, changes: dict[str, str]) -> str:
    """Return an example with the places of this test in it: each of the changes has something to change."""
    text = (EXAMPLES / name).read_text()
    for there, here in changes.items():
        assert there in text, there
        text = text.replace(there, here)
    return text


def nginx(name: str, place: Path, file: Path, changes: dict[str, str]) -> list[object]:
    changes |= {
        "listen 443 ssl": f"listen unix:{file} ssl",
        "/etc/ssl/certs/archive.pem": f"{place}/certificate.pem",
        "/etc/ssl/private/archive.key": f"{place}/key.pem",
    }
    temporary = "".join(
        f"{kind}_temp_path {place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = place / f"{name}.full"
    config.write_text(
        f"daemon off;\n{'user root;' if os.geteuid() == 0 else ''}\npid {place}/{name}.pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{adapted(name, changes)}}}\n"
    )
    return [program("nginx"), "-p", place, "-c", config]


def caddy(place: Path, file: Path, changes: dict[str, str]) -> list[object]:
    changes |= {
        "archive.example {\n": f"archive.example {{\n\tbind unix/{file}\n"
        f"\ttls {place}/certificate.pem {place}/key.pem\n"
    }
    config = place / "Caddyfile"
    config.write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{adapted('Caddyfile', changes)}")
    return [program("caddy"), "run", "--config", config, "--adapter", "caddyfile"]


def haproxy(place: Path, file: Path, changes: dict[str, str]) -> list[object]:
    changes |= {
        "bind :443 ssl crt /etc/haproxy/archive.pem": f"bind unix@{file} mode 600 ssl crt {place}/both.pem",
        "$6$...": f"{SECRET_HASHED}\n    user {LEE} password {SECRET_HASHED}",
    }
    config = place / "haproxy.cfg"
    config.write_text(adapted("haproxy.cfg", changes))
    return [program("haproxy"), "-db", "-f", config]


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    return found or pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="module", params=["nginx", "nginx-basic-auth", "caddy", "haproxy"])
def proxy(request, server, place, sign_in) -> Iterator[Proxy]:
    file = place / f"{request.param}.sock"
    here = {SERVER_SOCKET: str(server)}
    if request.param == "nginx":
        command = nginx("nginx.conf", place, file, {**here, SIGN_IN_ADDRESS: sign_in})
    elif request.param == "nginx-basic-auth":
        people = place / "people"
        people.write_text("".join(f"{email}:{SECRET_HASHED}\n" for email in (KIM, LEE)))
        here["/etc/nginx/archive.htpasswd;\n"] = f"{people};\n"
        command = nginx("nginx-basic-auth.conf", place, file, here)
    elif request.param == "caddy":
        command = caddy(place, file, {**here, SIGN_IN_ADDRESS: sign_in})
    else:
        command = haproxy(place, file, here)
    own_folders = {"HOME": str(place), "XDG_DATA_HOME": str(place), "XDG_CONFIG_HOME": str(place)}
    with started(command, env={**os.environ, **own_folders}) as process:
        waiting.until(lambda: process.poll() is not None or listens(file))
        yield Proxy(file, has_passwords=request.param in ("nginx-basic-auth", "haproxy"))


def person_at(proxy: Proxy, *fields: str) -> str | None:
    """Return as whom the server knows the sender of these header fields, "refused" where it answers with 400."""
    status, _, content = proxy.ask("/.profile/", "Accept: application/json", *fields)
    assert status in (200, 400), content
    return json.loads(content)["email"] if status == 200 else "refused"


def test_only_who_signed_in_is_named(proxy):
    """C2: what a client says of itself never arrives, in any spelling."""
    assert proxy.ask("/kim/k.txt")[0] == (401 if proxy.has_passwords else 302)
    assert proxy.ask("/kim/k.txt", proxy.signed_in(KIM))[2] == b"for kim"
    assert person_at(proxy, proxy.signed_in(KIM)) == KIM
    assert person_at(proxy, proxy.signed_in(LEE)) == LEE
    for name in SPELLINGS:
        forged = f"{name}: {KIM}"
        assert proxy.ask("/kim/k.txt", forged)[0] == (401 if proxy.has_passwords else 302)
        for more in ((), (forged,), (f"Connection: {name}",), (f"Connection: {SPELLINGS[0]}",)):
            assert person_at(proxy, proxy.signed_in(LEE), forged, *more) in (LEE, None, "refused")
            assert proxy.ask("/kim/k.txt", proxy.signed_in(LEE), forged, *more)[0] in (400, 404)


def test_who_signed_in_without_an_address_is_not_whom_the_client_says(proxy):
    """Where the answer of the sign-in names nobody, Caddy 2.10.0 to 2.11.1 passes the client's header on by itself."""
    if proxy.has_passwords:
        pytest.skip("nobody signs in there without an address")
    assert person_at(proxy, "Cookie: user=", f"X-Auth-Request-Email: {KIM}") in (None, "refused")
    assert proxy.ask("/oauth2/auth", proxy.signed_in(KIM))[0] in (202, 404)


def test_a_path_arrives_as_it_was_sent(proxy):
    lee = proxy.signed_in(LEE)
    for path in ("//b.txt", "/many//D-000001%20plan.txt", "/many/%2e%2e/b.txt", "/many/../b.txt", "/many%2fb.txt"):
        assert proxy.ask(path, lee)[0] == 400, path
    assert proxy.ask("/%62.txt", lee)[2] == b"hello"


def test_large_files_ranges_and_conditions_pass(proxy, place):
    lee, expected = proxy.signed_in(LEE), (place / "root" / "large.bin").read_bytes()
    status, headers, content = proxy.ask("/large.bin", lee)
    assert (status, headers["content-length"]) == (200, str(LARGE_BYTES))
    assert hashlib.sha256(content).digest() == hashlib.sha256(expected).digest()
    status, headers, content = proxy.ask("/large.bin", lee, method="HEAD")
    assert (status, headers["content-length"], content) == (200, str(LARGE_BYTES), b"")
    status, headers, content = proxy.ask("/large.bin", lee, "Range: bytes=-1000")
    assert (status, content) == (206, expected[-1000:])
    assert headers["content-range"] == f"bytes {LARGE_BYTES - 1000}-{LARGE_BYTES - 1}/{LARGE_BYTES}"
    assert proxy.ask("/large.bin", lee, f"Range: bytes={LARGE_BYTES}-")[0] == 416
    status, _, content = proxy.ask("/large.bin", lee, f"If-None-Match: {headers['etag']}")
    assert (status, content) == (304, b"")
    assert "sandbox" in headers["content-security-policy"]


def test_a_large_listing_and_a_zip_pass(proxy):
    lee, as_json = proxy.signed_in(LEE), "Accept: application/json"
    assert len(json.loads(proxy.ask("/many/", lee, as_json)[2])) == NAMES
    _, headers, content = proxy.ask("/many/", lee, as_json, "Accept-Encoding: gzip")
    assert headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(content))) == NAMES
    _, headers, content = proxy.ask("/?zip=1", lee)
    assert headers["content-length"] == str(len(content))
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        assert {"b.txt", "large.bin"} < set(file.namelist())
        assert len(file.namelist()) >= NAMES + 2


def test_what_people_hand_in_passes(proxy, place):
    folder, data = "incoming/2025-01-02_T-1%20(IFC)%20-%20Sent", os.urandom(LARGE_BYTES)
    path = f"/{folder}/{proxy.file.stem}-1_A%20(IFC)%20-%20Plan.pdf"
    sent = [proxy.signed_in(LEE), f"Content-Length: {len(data)}", f"Origin: https://{HOST}"]
    assert proxy.ask(path, *sent, method="PUT", data=data)[0] == 201
    assert proxy.ask(path, proxy.signed_in(LEE))[2] == data
    assert proxy.ask(path, "Content-Length: 1", *sent[2:], method="PUT", data=b"x")[0] in (401, 302)
    # What is refused is read all the same, up to 64 MiB: else the proxy would only see that it cannot send.
    refused = data[: 3 * 1024**2]
    kim = [proxy.signed_in(KIM), f"Content-Length: {len(refused)}", *sent[2:]]
    assert proxy.ask(path, *kim, method="PUT", data=refused)[0] == 404


def test_the_proxy_speaks_http_2_to_browsers(proxy, place):
    curl = program("curl")
    if "HTTP2" not in output_of([curl, "--version"]):
        pytest.skip("this curl has no HTTP/2")
    options = ["--http2", "--insecure", "--silent", "--unix-socket", proxy.file, "--header", proxy.signed_in(LEE)]
    for path, forged, expected in (
        ("/large.bin", None, (200, LARGE_BYTES)),
        ("/b.txt", SPELLINGS[0], (200, 5)),
        ("/kim/k.txt", SPELLINGS[0], (404, 10)),
        ("/kim/k.txt", SPELLINGS[2], None),
    ):
        more = ["--header", f"{forged}: {KIM}"] if forged else []
        shown = "%{http_version} %{http_code} %{size_download}"
        command = [curl, *options, *more, "--output", place / "got", "--write-out", shown, f"https://{HOST}{path}"]
        version, *got = output_of(command).split()
        assert version == "2"
        assert tuple(map(int, got)) == expected or (expected is None and got[0] in ("400", "404"))


def test_the_unit_of_systemd_is_valid_and_its_command_can_start(tmp_path):
    analyze = program("systemd-analyze")
    unit = tmp_path / "zddc.service"
    unit.write_text(adapted("zddc.service", {"ExecStart=/opt/zddc/bin/zddc": f"ExecStart={sys.executable}"}))
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    (tmp_path / ".zddc").write_text(f"acl: {{allow: [{KIM}]}}\n")
    own = {"/srv/archive": tmp_path, "unix:/run/zddc/zddc.sock": f"unix:{tmp_path}/s", "/var/log/zddc": tmp_path}
    text = adapted("zddc.service", {f" {there}": f" {here}" for there, here in own.items()})
    command = next(line for line in text.splitlines() if line.startswith("ExecStart=")).split()[1:]
    assert "can start" in output_of([sys.executable, "-m", "zddc", *command, "--check"])
