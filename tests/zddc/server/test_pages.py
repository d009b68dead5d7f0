"""Pages come with headers that keep them apart, in every folder that is open, and tell nothing of the others."""

import gzip
import hashlib
import json
import re

import pytest
from tests.zddc.server.test_app import Recorded, app_of

from zddc import tools
from zddc.access.policy import Policy
from zddc.server.identity import Identity
from zddc.tools import ToolPage

BROWSER = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
JSON = ("accept", "application/json")
NOBODY = Identity("x-auth-request-email", local="x@pipe.example")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "P1" / "closed").mkdir(parents=True)
    (root / "P1" / "own").mkdir()
    (root / "P1" / "own" / "landing.html").write_text("a user's own")
    (root / "P1" / "own" / "<b>&.txt").write_text("x")
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
    (root / "P1" / ".zddc").write_text("title: Pumps\n")
    (root / "P1" / "closed" / ".zddc").write_text('acl: {deny: ["*"]}\n')
    return root


@pytest.fixture
def served(root):
    with Policy(root) as policy:
        yield app_of(root, policy)


@pytest.fixture
def strange(root):
    """The same, asked by somebody whom no rule names."""
    with Policy(root) as policy:
        yield app_of(root, policy, NOBODY)


@pytest.fixture
def landing():
    return tools.read_pages()["landing"]


@pytest.fixture
def with_archive_page(monkeypatch, landing):
    """A page of the archive that is small, so that a test sees what is around it."""
    page = ToolPage("archive", landing.content)
    monkeypatch.setattr(tools, "read_pages", lambda: {"archive": page, "landing": landing})
    return page


def test_a_page_is_the_file_of_the_package_with_its_own_policy(served, ask, landing):
    got = ask(served, "/_tools/landing.html")
    assert (got.status, got.sent) == (200, landing.content)
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert got.headers["etag"] == f'"{hashlib.sha256(landing.content).hexdigest()}"'
    assert got.headers["content-security-policy"] == f"{landing.policy}; frame-ancestors 'none'"
    assert got.headers["cross-origin-opener-policy"] == "same-origin"
    assert got.headers["content-disposition"] == 'inline; filename="landing.html"'
    saved = ask(served, "/_tools/landing.html?download")
    assert saved.headers["content-disposition"] == 'attachment; filename="landing.html"'
    assert saved.sent == landing.content


def test_a_page_is_compressed_once_and_not_sent_again(served, ask, landing):
    got = ask(served, "/_tools/landing.html", headers=[("accept-encoding", "gzip, br")])
    assert got.headers["content-encoding"] == "gzip"
    assert gzip.decompress(got.sent) == landing.content
    again = [("accept-encoding", "gzip"), ("if-none-match", got.headers["etag"])]
    assert ask(served, "/_tools/landing.html", headers=again).status == 304
    assert ask(served, "/_tools/landing.html", headers=again[1:]).status == 200
    head = ask(served, "/_tools/landing.html", "HEAD", [("accept-encoding", "gzip")])
    assert (head.status, head.headers, head.sent) == (200, got.headers, b"")


def test_the_list_of_pages_has_their_hashes(served, ask):
    found = json.loads(ask(served, "/_tools/", headers=[JSON]).sent)
    assert {one["name"]: one["sha256"] for one in found} == {
        page.file_name: page.sha256 for page in tools.read_pages().values()
    }
    assert all(one["sha256"].encode() in ask(served, "/_tools/").sent for one in found)
    assert ask(served, "/_tools").headers["location"] == "/_tools/"


@pytest.mark.parametrize(
    "path", ["/_tools/none.html", "/_tools/landing.htm", "/_tools/landing.html/", "/_tools/a/landing.html"]
)
def test_what_is_no_page_is_absent(served, ask, path):
    assert ask(served, path).sent == b"not found\n"


def test_every_open_folder_has_the_pages_unless_it_has_files_of_their_names(served, ask, landing):
    assert ask(served, "/P1/landing.html").sent == landing.content
    assert ask(served, "/landing.html").sent == landing.content
    assert ask(served, "/P1/own/landing.html").sent == b"a user's own"
    for path in ("/P1/closed/landing.html", "/P1/none/landing.html", "/P1/own/landing.html/landing.html"):
        assert ask(served, path)[0::2] == (404, b"not found\n")


def test_a_person_is_told_what_is_absent_by_a_page_with_a_way_back(served, strange, ask):
    browser = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
    closed, none = (ask(served, path, headers=[browser]) for path in ("/P1/closed/", "/P1/none/"))
    assert closed == none
    assert closed.status == 404
    assert b'signed in as kim@acme.example. <a href="/">' in closed.sent
    assert b"signed in as x@pipe.example." in ask(strange, "/P1/", headers=[browser]).sent
    head = ask(served, "/P1/none/", "HEAD", headers=[browser])
    assert (head.headers["content-length"], head.sent) == (str(len(none.sent)), b"")
    for accept in ("*/*", "application/json, text/html;q=0.5", ""):
        assert ask(served, "/P1/none/", headers=[("accept", accept)]).sent == b"not found\n"


def test_a_closed_folder_has_no_pages_and_looks_like_none(strange, ask):
    closed, none = ask(strange, "/P1/landing.html"), ask(strange, "/P9/landing.html")
    assert closed == none
    assert closed.status == 404


def test_a_browser_gets_the_page_of_projects_whoever_asks(served, strange, ask, landing):
    for app in (served, strange):
        got = ask(app, "/", headers=[BROWSER])
        assert (got.status, got.sent) == (200, landing.content)
        assert ask(app, "/?projects=P1", headers=[BROWSER]).sent == landing.content
    assert ask(served, "/").sent != landing.content
    assert ask(strange, "/").status == 404
    assert ask(strange, "/", headers=[JSON]).status == 404


def test_projects_are_those_of_the_person(served, strange, ask):
    (found,) = json.loads(ask(served, "/?projects", headers=[JSON]).sent)
    assert (found["name"], found["title"], found["url"], found["entry"]) == ("P1", "Pumps", "/P1/", False)
    assert json.loads(ask(served, "/?projects=P2,P3", headers=[JSON]).sent) == []
    assert json.loads(ask(strange, "/?projects", headers=[JSON]).sent) == []


def test_projects_wait_for_the_index(root, ask):
    with Policy(root) as policy:
        app = app_of(root, policy, audit=Recorded())
        app._watcher._ready.clear()
        assert ask(app, "/?projects", headers=[JSON]).status == 503
        assert ask(app, "/", headers=[BROWSER]).status == 200


def test_a_browser_gets_the_archive_page_with_a_listing_for_when_no_script_runs(served, ask, with_archive_page):
    got = ask(served, "/P1/own/", headers=[BROWSER])
    assert got.status == 200
    assert got.headers["content-security-policy"] == f"{with_archive_page.policy}; frame-ancestors 'none'"
    assert got.headers["vary"] == "accept, accept-encoding"
    listing = re.search(rb"<noscript>(.*?)</noscript>", got.sent, re.DOTALL)[1]
    assert b'href="./%3Cb%3E&amp;.txt">&lt;b&gt;&amp;.txt</a>' in listing
    assert b"<b>" not in listing
    assert got.sent.replace(listing, b"") == with_archive_page.with_content("")
    assert json.loads(ask(served, "/P1/own/", headers=[JSON]).sent)[0]["name"] == "<b>&.txt"
    plain = ask(served, "/P1/own/", headers=[("accept", "*/*")]).sent
    assert b"<script" not in plain
    assert ask(served, "/P1/own/", headers=[BROWSER, ("if-none-match", got.headers["etag"])]).status == 304


def test_the_archive_page_lists_nothing_that_is_closed(served, ask, with_archive_page):
    assert b"closed" not in ask(served, "/P1/", headers=[BROWSER]).sent
    assert ask(served, "/P1/closed/", headers=[BROWSER]).status == 404
