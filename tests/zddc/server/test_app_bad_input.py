"""What a server does with what is wrong on the disk, in a request, or around it, while it serves."""

import json
import os
import re
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests import waiting
from tests.processes import started
from tests.zddc.many_files import make_many
from tests.zddc.server.serving import TRUSTED, listens, server_at, tell
from tests.zddc.server.test_app import KIM, LOCAL, Recorded, app_of

from zddc.access.policy import Policy
from zddc.server.app import App, Options
from zddc.server.audit import Audit
from zddc.server.certificates import make_certificate
from zddc.server.metrics import Metrics
from zddc.server.watching import Watcher

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
MANY = 200_000 if SOAK else 5_000
FOLDER = "2025-01-02_T-1 (IFC) - Sent"
PLACE = f"/P/incoming/{FOLDER}/D-1_A (IFC) - Plan.pdf".replace(" ", "%20")
JSON = [("accept", "application/json")]


@pytest.fixture
def place():
    # The path of a socket file has to be short.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        (root / "P" / "incoming").mkdir(parents=True)
        (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\nadmins: ["kim@acme.example"]\n')
        (root / "P" / "incoming" / ".zddc").write_text('acl: {permissions: {"*@acme.example": rc}}\n')
        (root / "a.txt").write_text("hello")
        yield Path(folder)


@pytest.fixture
def root(place) -> Path:
    return place / "root"


def test_a_file_that_is_removed_while_it_is_sent_is_sent_whole(root, ask, monkeypatch):
    (root / "large.bin").write_bytes(bytes(2**20))
    read = os.pread

    def remove(file, size, position):
        (root / "large.bin").unlink(missing_ok=True)
        return read(file, size, position)

    monkeypatch.setattr(os, "pread", remove)
    with Policy(root) as policy:
        got = ask(app_of(root, policy), "/large.bin")
    assert (got.status, got.ended, len(got.sent)) == (200, True, 2**20)


def test_a_folder_of_very_many_names_is_listed_whole_as_json_and_in_part_as_a_page(root, ask):
    (root / "many").mkdir()
    make_many(root / "many", (f"{number:06d}.txt" for number in range(MANY)))
    with Policy(root) as policy:
        app = app_of(root, policy)
        rows = json.loads(ask(app, "/many/", headers=JSON).sent)
        page = ask(app, "/many/").sent
    assert [row["name"] for row in rows] == [f"{number:06d}.txt" for number in range(MANY)]
    assert f"{MANY:,} names; the first 2,000 are shown".encode() in page
    assert page.count(b"<tr><td>") == 2001
    assert len(page) < 400_000


def test_what_is_no_file_and_no_folder_looks_absent(root, ask):
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("a.txt")
    Path(os.fsdecode(os.fsencode(root) + b"/plan-\xff.pdf")).touch()
    with socket.socket(socket.AF_UNIX) as bound, Policy(root) as policy:
        bound.bind(str(root / "sock"))
        app = app_of(root, policy)
        absent = ask(app, "/none")
        for path in ("/pipe", "/sock", "/link", "/pipe/", "/sock/x", "/link/x"):
            assert ask(app, path) == absent, path
        assert ask(app, "/plan-%FF.pdf").status == 400
        names = [row["name"] for row in json.loads(ask(app, "/", headers=JSON).sent)]
    assert names == ["P/", "a.txt"]


def test_a_rule_file_that_becomes_nonsense_closes_its_folder_at_once(root, ask):
    (root / "P" / ".zddc").write_text("title: P\n")
    (root / "P" / "b.txt").write_text("hello")
    with Policy(root) as policy:
        app = app_of(root, policy)
        assert ask(app, "/P/b.txt").status == 200
        absent = ask(app, "/none")
        for nonsense in ("acl: [", "acl: {alow: []}", "\xff"):
            (root / "P" / ".zddc").write_text(nonsense, encoding="latin-1")
            assert ask(app, "/P/b.txt") == absent
            assert ask(app, "/P/") == absent
        (root / "P" / ".zddc").write_text("title: P\n")
        assert ask(app, "/P/b.txt").status == 200
        (root / "P" / ".zddc").unlink()
        (root / "P" / ".zddc").mkdir()
        assert ask(app, "/P/b.txt") == absent


def test_where_nothing_is_taken_a_put_is_no_method(root, ask):
    with Policy(root) as policy:
        got = ask(app_of(root, policy), PLACE, "PUT", [("content-length", "0")])
    assert (got.status, got.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.fixture
def taking(root):
    """An application that takes files, and whose pages at tools.example may read."""
    audit = Recorded()
    with Policy(root) as policy:
        watcher = Watcher(root)
        watcher.read_all()
        options = Options(1000, frozenset({"https://tools.example"}))
        app = App(root, policy, LOCAL, watcher, audit, Metrics(), options)
        app.entries, app.watcher = audit.entries, watcher
        yield app


def test_what_is_handed_in_is_recorded_once_with_its_decision(taking, ask, root):
    empty = [("content-length", "0")]
    assert ask(taking, PLACE, "PUT", empty).status == 201
    assert ask(taking, PLACE, "PUT", empty).status == 200
    assert ask(taking, PLACE, "PUT", [("content-length", "1001")]).status == 413
    assert ask(taking, "/P/x", "PUT", empty).status == 404
    assert ask(taking, f"{PLACE[:-8]}.zip/x", "PUT", empty).status == 405
    assert [entry["status"] for entry in taking.entries] == [201, 200, 413, 404, 405]
    assert taking.entries[0].items() >= {"received": 0, "decision": "allow", "by": "/P/incoming/.zddc line 1"}.items()
    assert not [name for entry in taking.entries for name in entry if name.startswith("_")]
    assert all(entry["ms"] >= 0 for entry in taking.entries)


@pytest.mark.parametrize("headers", [[("origin", "https://tools.example")], [("sec-fetch-site", "cross-site")]])
def test_a_page_of_another_site_hands_nothing_in(taking, ask, headers):
    assert ask(taking, PLACE, "PUT", [("content-length", "0"), *headers]).status == 403
    assert ask(taking, "/.profile/rescan", "POST", headers).status == 403


def test_only_an_admin_has_all_folders_looked_at_and_only_by_post(taking, ask):
    assert ask(taking, "/.profile/rescan", "POST").status == 202
    assert taking.watcher._asked.is_set()
    assert ask(taking, "/.profile/rescan") == ask(taking, "/none")
    assert ask(taking, "/a.txt", "POST").status == 405
    assert json.loads(ask(taking, "/.profile/", headers=JSON).sent)["is_admin"]
    assert ask(taking, "/.profile/findings").status == 200


def test_the_pages_of_a_named_site_may_read(taking, ask):
    origin = ("origin", "https://tools.example")
    assert ask(taking, "/a.txt", headers=[origin]).headers["access-control-allow-origin"] == origin[1]
    assert "access-control-allow-origin" not in ask(taking, "/a.txt", headers=[("origin", "https://x")]).headers
    asked = ask(taking, "/a.txt", "OPTIONS", [origin, ("access-control-request-method", "GET")])
    assert (asked.status, asked.headers["access-control-allow-methods"]) == (204, "GET, HEAD")


def test_where_the_audit_cannot_be_written_files_are_sent_and_none_is_taken(root, ask):
    audit = Audit("/dev/full")
    with Policy(root) as policy, audit.running():
        watcher = Watcher(root)
        watcher.read_all()
        app = App(root, policy, LOCAL, watcher, audit, Metrics(), Options(1000))
        assert ask(app, "/a.txt").status == 200
        assert ask(app, PLACE, "PUT", [("content-length", "0")]).status == 503
        assert ask(app, "/a.txt").status == 200
        health = ask(app, "/.health")
    assert (health.status, health.sent) == (503, b"the audit cannot be written\n")
    assert audit.failures >= 3
    assert not [file for file in (root / "P" / "incoming").rglob("*") if file.is_file() and file.name != ".zddc"]


@pytest.mark.slow
def test_a_rule_file_that_becomes_nonsense_closes_a_running_server_within_a_second(root, place):
    with server_at(root, place / "s.sock", *TRUSTED):
        assert tell(place / "s.sock", "GET", "/a.txt", KIM).status == 200
        (root / ".zddc").write_text("nonsense: [")
        closed = time.monotonic()
        waiting.until(lambda: tell(place / "s.sock", "GET", "/a.txt", KIM).status == 404)
        print(f"closed after {time.monotonic() - closed:.3f} s")


@pytest.mark.slow
def test_a_server_that_is_told_to_end_finishes_what_it_sends(root, place):
    """The answer is longer than what the system keeps for a socket; it is read only when the server has been told."""
    size = 64 * 2**20
    with (root / "large.bin").open("wb") as file:
        file.truncate(size)
    with server_at(root, place / "s.sock", *TRUSTED) as server, socket.socket(socket.AF_UNIX) as reader:
        reader.connect(str(place / "s.sock"))
        reader.sendall(b"GET /large.bin HTTP/1.1\r\nHost: a\r\nX-Auth-Request-Email: kim@acme.example\r\n\r\n")
        got = len(reader.recv(1000))
        server.terminate()
        waiting.until(lambda: not listens(place / "s.sock"))
        while data := reader.recv(2**20):
            got += len(data)
        assert server.wait(waiting.PATIENCE_SECONDS) == 0
    assert got > size


@pytest.mark.slow
def test_a_server_does_not_wait_for_ever_for_who_reads_nothing(root, place):
    with (root / "large.bin").open("wb") as file:
        file.truncate(64 * 2**20)
    code = "import sys, zddc.server.run as run; run._SECONDS_TO_FINISH = 0.2; from zddc.cli import main; main()"
    listen = ["serve", root, "--listen", f"unix:{place}/s.sock", "--trusted-proxy", "unix", "--audit-log", "off"]
    with started([sys.executable, "-c", code, *listen]) as server, socket.socket(socket.AF_UNIX) as reader:
        waiting.until(lambda: server.poll() is not None or listens(place / "s.sock"))
        reader.connect(str(place / "s.sock"))
        reader.sendall(b"GET /large.bin HTTP/1.1\r\nHost: a\r\nX-Auth-Request-Email: kim@acme.example\r\n\r\n")
        assert reader.recv(1000)
        server.terminate()
        assert server.wait(waiting.PATIENCE_SECONDS) == 0


def certificate_of(port: int) -> bytes | None:
    """Return the certificate that a server shows; None where it does not, as while it takes another."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as connection:
            return connection.getpeercert(binary_form=True)
    except OSError:
        return None


@pytest.mark.slow
def test_a_signal_has_the_certificate_read_again_and_a_broken_one_is_not_taken(root, place):
    made = []
    for name in ("one", "other"):
        (place / name).mkdir()
        made.append(make_certificate(place / name, "127.0.0.1")[:2])
    used = place / "certificate.pem", place / "key.pem"

    def use(certificate, key):
        used[0].write_bytes(certificate)
        used[1].write_bytes(key)

    use(*(file.read_bytes() for file in made[0]))
    options = ["--listen", "127.0.0.1:0", "--tls", f"{used[0]},{used[1]}", "--audit-log", "off"]
    (said := place / "said").touch()
    command = ["sh", "-c", 'exec "$@" 2>"$0"', said, sys.executable, "-m", "zddc", "serve", root, *options]
    with started(command) as server:
        waiting.until(lambda: server.poll() is not None or re.search(r":\d+/", said.read_text()))
        port = int(re.search(r":(\d+)/", said.read_text())[1])
        waiting.until(lambda: certificate_of(port))
        before = certificate_of(port)
        use(b"nonsense", made[1][1].read_bytes())
        server.send_signal(1)
        waiting.until(lambda: "no certificate" in said.read_text())
        assert "the certificate that was read before is kept" in said.read_text()
        assert certificate_of(port) == before
        use(made[1][0].read_bytes(), made[0][1].read_bytes())
        server.send_signal(1)
        waiting.until(lambda: "does not fit the key" in said.read_text())
        assert certificate_of(port) == before
        use(*(file.read_bytes() for file in made[1]))
        server.send_signal(1)
        waiting.until(lambda: certificate_of(port) not in (None, before))
        assert server.poll() is None
        server.terminate()
        assert server.wait(waiting.PATIENCE_SECONDS) == 0
