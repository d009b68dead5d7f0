import asyncio
import io
import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest

from zddc.access.policy import Policy
from zddc.server.app import App
from zddc.server.audit import Audit
from zddc.server.identity import Identity
from zddc.server.metrics import Metrics
from zddc.server.tokens import TokenStore
from zddc.server.watching import Watcher

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
PAIRS = 10_000 if SOAK else 300
KIM = "kim@acme.example"
LOCAL = Identity("x-auth-request-email", local=KIM)


class Recorded(Audit):
    """An audit that is kept in memory."""

    def __init__(self):
        super().__init__("off")
        self.entries = []

    def record(self, entry):
        self.entries.append(dict(entry))

    def record_now(self, entry):
        self.record(entry)
        return True


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "root"
    (root / "a" / "closed").mkdir(parents=True)
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
    (root / "a" / "closed" / ".zddc").write_text('acl: {deny: ["*"]}\n')
    (root / "a" / "closed" / "b.txt").write_text("closed")
    (root / "a" / "b c.txt").write_text("hello")
    (root / "large.bin").write_bytes(bytes(range(256)) * 4096)
    return root


def app_of(root, policy, identity=LOCAL, audit=None) -> App:
    watcher = Watcher(root)
    watcher.read_all()
    return App(root, policy, identity, watcher, audit or Recorded(), Metrics())


@pytest.fixture
def served(root):
    audit = Recorded()
    with Policy(root) as policy:
        app = app_of(root, policy, audit=audit)
        app.entries = audit.entries
        yield app


def test_a_file_is_sent_and_recorded(served, ask):
    got = ask(served, "/a/b%20c.txt")
    assert (got.status, got.sent, got.ended) == (200, b"hello", True)
    assert served.entries[0].items() >= {
        "status": 200, "bytes": 5, "email": KIM, "via": "local", "path": "/a/b%20c.txt", "decision": "allow",
        "by": "/.zddc line 1",
    }.items()  # fmt: skip


def test_a_large_file_is_sent_in_pieces(served, root, ask):
    got = ask(served, "/large.bin")
    assert got.sent == (root / "large.bin").read_bytes()
    assert served.entries[0]["bytes"] == len(got.sent)


def test_head_is_get_without_content(served, ask):
    for path in ("/a/b%20c.txt", "/large.bin", "/none", "/a", "/a//b", "/.health"):
        got, head = ask(served, path), ask(served, path, "HEAD")
        assert (head.status, head.headers, head.sent) == (got.status, got.headers, b"")


def test_a_folder_without_its_slash_leads_to_it(served, ask):
    assert ask(served, "/a").headers["location"] == "/a/"
    assert ask(served, "/a/b%20c.txt/").status == 404


def test_options_tell_nothing_of_a_path(served, ask):
    for path in ("/a", "/none"):
        got = ask(served, path, "OPTIONS")
        assert (got.status, got.headers, got.sent) == (204, {"allow": "GET, HEAD, OPTIONS"}, b"")


@pytest.mark.parametrize(
    ("status", "path", "method", "headers"),
    [
        (400, "/a//b", "GET", ()),
        (400, "/a/../b", "GET", ()),
        (400, "/%ff", "GET", ()),
        (400, "*", "OPTIONS", ()),
        (405, "/a", "PUT", ()),
        (405, "/a", "DELETE", ()),
        (400, "/a", "GET", [("content-length", "3")]),
        (400, "/a", "GET", [("host", "localhost")]),
        (431, "/a", "GET", [("x", "y")] * 100),
        (404, "/.zddc", "GET", ()),
        (404, "/a/closed/", "GET", ()),
    ],
)
def test_refusals_are_one_line_and_recorded(served, ask, status, path, method, headers):
    got = ask(served, path, method, headers)
    assert (got.status, got.sent.count(b"\n")) == (status, 1)
    assert got.headers["x-content-type-options"] == "nosniff"
    assert served.entries[0]["status"] == status


def test_what_is_refused_is_recorded_with_its_line(served, ask):
    ask(served, "/a/closed/b.txt")
    assert served.entries[0].items() >= {"decision": "deny", "by": "/a/closed/.zddc line 1"}.items()


def test_a_folder_is_listed_and_sent_as_a_zip(served, ask):
    rows = json.loads(ask(served, "/", headers=[("accept", "application/json")]).sent)
    assert [row["name"] for row in rows] == ["a/", "large.bin"]
    assert b'<a href="./b%20c.txt">' in ask(served, "/a/").sent
    got = ask(served, "/a/?zip=1")
    assert [one.filename for one in zipfile.ZipFile(io.BytesIO(got.sent)).infolist()] == ["b c.txt"]
    assert ask(served, "/a?zip=1").headers["location"] == "/a/?zip=1"


def test_a_zip_is_read_as_a_folder(served, root, ask):
    with zipfile.ZipFile(root / "a" / "x.ZIP", "w") as file:
        file.writestr("in/b.txt", "zipped")
    (root / "a" / "y.zip").mkdir()
    (root / "a" / "y.zip" / "c.txt").write_text("in a folder")
    shutil.copy(root / "a" / "x.ZIP", root / "a" / "closed" / "x.zip")
    assert ask(served, "/a/x.ZIP/in/b.txt").sent == b"zipped"
    assert b"b.txt" in ask(served, "/a/x.ZIP/in/").sent
    assert ask(served, "/a/x.ZIP").headers["content-type"] == "application/zip"
    assert ask(served, "/a/y.zip/c.txt").sent == b"in a folder"
    for path in ("/a/x.ZIP/none", "/a/none.zip/in/b.txt", "/a/closed/x.zip/in/b.txt"):
        assert ask(served, path) == ask(served, "/none")


def test_a_token_that_is_none_is_asked_for_again(root, ask, tmp_path):
    with Policy(root) as policy:
        app = app_of(root, policy, Identity("x-email", tokens=TokenStore(tmp_path)))
        got = ask(app, "/", headers=[("authorization", "Bearer x")])
    assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer")


def test_a_name_of_another_host_does_not_lead_here(root, ask):
    with Policy(root) as policy:
        app = app_of(root, policy)

        async def elsewhere(scope, receive, send):
            headers = [(b"host", b"evil.example:8443")]
            await app({**scope, "headers": headers}, receive, send)

        assert ask(elsewhere, "/a/b%20c.txt").status == 421
        assert ask(app, "/a/b%20c.txt").status == 200


def test_who_cannot_be_recognised_gets_nothing(root, ask):
    from ipaddress import ip_network

    with Policy(root) as policy:
        audit = Recorded()
        app = app_of(root, policy, Identity("x-email", (ip_network("10.0.0.1"),)), audit)
        named = [("x-email", KIM)]
        assert ask(app, "/a/b%20c.txt", headers=named, peer="10.0.0.1").status == 200
        assert ask(app, "/a/b%20c.txt", headers=named, peer="10.0.0.2").status == 404
        assert ask(app, "/a/b%20c.txt", headers=[*named, *named], peer="10.0.0.1").status == 400
        assert ask(app, "/.health", headers=[*named, *named], peer="10.0.0.1").status == 200
    assert [entry["email"] for entry in audit.entries] == [KIM, None, None, None]


def test_a_client_that_leaves_is_not_read_to(served, ask):
    got = ask(served, "/large.bin", leaves_after=1)
    assert not got.ended
    assert served.entries[0].items() >= {"status": 200, "cut": "the client left"}.items()
    assert served.entries[0]["bytes"] < 2**20
    assert not [one for one in Path("/proc/self/fd").iterdir() if _target(one).endswith("large.bin")]


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def test_a_file_that_shrinks_is_cut_and_not_filled_up(served, root, ask, monkeypatch):
    read = os.pread

    def shrink(file, size, position):
        os.truncate(root / "large.bin", 1000)
        return read(file, size, position)

    monkeypatch.setattr(os, "pread", shrink)
    got = ask(served, "/large.bin")
    assert (got.status, got.ended, len(got.sent)) == (200, False, 1000)
    assert "shorter" in served.entries[0]["cut"]


def test_a_disk_that_fails_is_not_an_absent_file(served, ask, monkeypatch):
    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", fail)
        got = ask(served, "/a/b%20c.txt")
    assert got.status == 503


def test_too_many_at_once_are_told_to_come_back(served, ask, monkeypatch):
    monkeypatch.setattr("zddc.server.app.MOST_AT_ONCE", 0)
    got = ask(served, "/")
    assert (got.status, got.headers["retry-after"]) == (503, "10")


def test_one_person_keeps_nobody_else_out(root, ask, loop, monkeypatch):
    """Slow readers hold requests for minutes; those of one person are no more than half of all."""
    monkeypatch.setattr("zddc.server.app.MOST_OF_ONE", 2)
    with Policy(root) as policy:
        app = app_of(root, policy, Identity("x-email", trusts_unix=True))
        lee, goes_on = [("x-email", "lee@acme.example")], asyncio.Event()
        fields = [(b"host", b"a"), (b"x-email", KIM.encode())]
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "raw_path": b"/large.bin", "query_string": b""}

        async def stall(message):
            await goes_on.wait()

        async def hold(count):
            asked = [app({**scope, "headers": fields, "client": ("", 0)}, goes_on.wait, stall) for _ in range(count)]
            holding = [asyncio.create_task(one) for one in asked]
            while sum(app._at_once.values()) < count:
                await asyncio.sleep(0)
            return holding

        async def end(holding):
            goes_on.set()
            await asyncio.gather(*holding)

        holding = loop.run(hold(2))
        got = ask(app, "/a/b%20c.txt", headers=[("x-email", KIM)], peer="")
        assert (got.status, got.headers["retry-after"]) == (429, "10")
        assert ask(app, "/a/b%20c.txt", headers=lee, peer="").status == 200
        loop.run(end(holding))
        assert ask(app, "/a/b%20c.txt", headers=[("x-email", KIM)], peer="").status == 200
        assert not app._at_once


def test_a_link_is_answered_with_the_current_revision_in_its_place(served, root, ask):
    folder = root / "P" / "received" / "2025-01-02_T-1 (IFC) - Sent"
    folder.mkdir(parents=True)
    for revision in ("A", "0"):
        (folder / f"D-1_{revision} (IFC) - Plan.pdf").write_text(revision)
    with Policy(root) as policy:
        app = app_of(root, policy)
        got = ask(app, "/P/.archive/D-1.html")
        assert (got.status, got.sent) == (200, b"0")
        assert got.headers["content-location"].endswith("/D-1_0%20%28IFC%29%20-%20Plan.pdf")
        assert ask(app, "/P/.archive/D-2.html") == ask(app, "/P/.archive/D-2.pdf") == ask(app, "/none")
        rows = ask(app, "/P/?recursive=1", headers=[("accept", "application/x-ndjson")]).sent.splitlines()
        assert [json.loads(row)["name"][:5] for row in rows] == ["D-1_0", "D-1_A"]
        assert json.loads(ask(app, "/.profile/", headers=[("accept", "application/json")]).sent)["email"] == KIM


def test_what_needs_the_index_waits_for_it(root, ask):
    with Policy(root) as policy:
        app = App(root, policy, LOCAL, Watcher(root), Recorded(), Metrics())
        for path in ("/a/.archive/D-1.html", "/a/?recursive=1"):
            assert ask(app, path).headers["retry-after"] == "2"
        assert ask(app, "/.health").status == 503
        assert ask(app, "/a/b%20c.txt").status == 200
        assert ask(app, "/a/closed/?recursive=1").status == 404


def test_health_says_no_more_than_it_must(served, ask):
    assert ask(served, "/.health").sent == b"ok\n"


NAMES = ("plan.pdf", "a b.txt", "Übersicht.md", "x.zip", "data.csv", "page.html")
CONDITIONS = (
    (), [("range", "bytes=0-3")], [("range", "bytes=999999-")], [("if-none-match", "*")], [("if-match", '"x"')],
    [("if-modified-since", "Sat, 01 Jan 2050 00:00:00 GMT")],
    [("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT")],
    [("accept", "application/json")], [("accept", "text/html")], [("accept", "application/x-ndjson")],
    [("accept-encoding", "gzip")], [("range", "bytes=0-0,2-3")], [("if-range", '"x"'), ("range", "bytes=0-1")],
)  # fmt: skip
QUERIES = ("", "?zip=1", "?recursive=1", "?zip=x", "?x=%ff", "?recursive=", "?download")


def test_forbidden_looks_like_absent(tmp_path, ask):
    """B4: the same question to an archive with what is forbidden, and to one without it."""
    drawn = random.Random(7)
    full, bare = tmp_path / "full", tmp_path / "bare"
    for root in (full, bare):
        (root / "open").mkdir(parents=True)
        (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
        (root / "open" / "plan.pdf").write_bytes(b"%PDF-1.4")
        (root / "open" / "hidden").mkdir()
        (root / "open" / "hidden" / ".zddc").write_text('acl: {deny: ["*"], allow: [lee@acme.example]}\n')
    shutil.rmtree(bare / "open" / "hidden")
    for folder in (full / "open" / "hidden", full / "open" / "hidden" / "deep", full / "open" / "hidden" / ".archive"):
        folder.mkdir(exist_ok=True)
        for name in NAMES:
            (folder / name).write_bytes(b"secret " * drawn.randrange(1, 20_000))
    for root in (full, bare):
        os.utime(root / "open" / "plan.pdf", ns=(10**18, 10**18))
    folders = ("/open/hidden", "/open/hidden/deep", "/open/hidden/.archive", "/open/hidden/none")
    with Policy(full) as one, Policy(bare) as other:
        apps = [app_of(full, one), app_of(bare, other)]
        for _ in range(PAIRS):
            tail = drawn.choice(["", "/", *(f"/{name}" for name in NAMES), "/x.zip/", "/x.zip/a", "/.zddc", "/none"])
            path = f"{drawn.choice(folders)}{tail}{drawn.choice(QUERIES)}"
            method = drawn.choice(("GET", "GET", "HEAD", "OPTIONS"))
            headers = drawn.choice(CONDITIONS)
            assert ask(apps[0], path, method, headers) == ask(apps[1], path, method, headers), (path, method, headers)
        for path in ("/open/", "/"):
            for headers in CONDITIONS:
                first, second = (ask(app, path, "GET", headers) for app in apps)
                if (first.status, first.headers.get("content-type")) == (200, "application/json"):
                    names = [[row["name"] for row in json.loads(got.sent)] for got in (first, second)]
                    assert names[0] == names[1]
