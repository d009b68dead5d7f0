"""What people have reported of other servers, tried on ours: the table 'What was tried' in docs/server.md."""

import html.parser
import io
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest
from tests.zddc.server.test_app import KIM, app_of

from zddc.access.policy import Policy
from zddc.server.identity import Identity

SERVER_PAGE = Path(__file__).parents[3] / "docs" / "server.md"
NAMES = (
    "TestSession #01.cue", "bind9_1%3a9.deb", "unreachable-file?", "some-file", "some-file?", "some-file?jkl",
    "my:file", "a&b.pdf", "a+b.pdf", "90%hello.txt", "1%.txt", "[x] (y).mp3", "a,b.pdf", "it's.txt", 'say "x".txt',
    "a%2fb.txt", "a%62c.txt", "Übersicht–é.pdf", "手机.mmf", "a=b;c@d~!$.txt", "<b>.txt", "http:", "a*b.txt",
)  # fmt: skip
JSON = [("accept", "application/json")]


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "root"
    (root / "names").mkdir(parents=True)
    (root / ".zddc").write_text(f"acl: {{allow: [{KIM}]}}\n")
    for name in NAMES:
        (root / "names" / name).write_text(name)
    return root


@pytest.fixture
def of(root):
    """Return the application for somebody, None for who has no address."""
    with Policy(root) as policy:
        yield lambda email: app_of(root, policy, Identity("x-auth-request-email", local=email))


class Links(html.parser.HTMLParser):
    """The addresses that a page leads to."""

    def __init__(self, page: bytes):
        super().__init__()
        self.found: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if tag == "a" and name == "href"]


def test_every_name_in_a_listing_leads_to_its_file(of, ask):
    """miniserve #229 and #1076, static-web-server #149, nextcloud #12030, weborf #7."""
    app = of(KIM)
    links = [link for link in Links(ask(app, "/names/").sent).found if link != "../"]
    assert sorted(ask(app, urljoin("/names/", link)).sent.decode() for link in links) == sorted(NAMES)
    rows = json.loads(ask(app, "/names/", headers=JSON).sent)
    assert {row["name"]: ask(app, urljoin("/names/", row["url"])).sent.decode() for row in rows} == {
        name: name for name in NAMES
    }


def test_a_saved_file_has_its_own_name(of, ask):
    """dufs #201: a browser saves the name as it stands between quotation marks, with its percent signs."""
    app = of(KIM)
    for row in json.loads(ask(app, "/names/", headers=JSON).sent):
        told = ask(app, urljoin("/names/", row["url"])).headers["content-disposition"]
        plain = re.search(r'filename="([^"]*)"', told)[1]
        extended = re.search(r"filename\*=UTF-8''(\S+)$", told)
        assert unquote(extended[1]) if extended else plain == row["name"]
        assert "%" not in plain or plain == row["name"]


def test_a_folder_as_a_zip_holds_no_more_than_its_listing(root, tmp_path, of, ask):
    """miniserve #1568: links are followed into a zip; filebrowser #402: rules do not count for a folder's download."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (root / "names" / "link").symlink_to(tmp_path / "outside")
    (root / "names" / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    for name in ("closed", ".hidden"):
        (root / "names" / name).mkdir()
        (root / "names" / name / "secret.txt").write_text("secret")
    (root / "names" / "closed" / ".zddc").write_text('acl: {deny: ["*"]}\n')
    sent = ask(of(KIM), "/names/?zip=1").sent
    assert b"secret" not in sent
    assert len(zipfile.ZipFile(io.BytesIO(sent)).namelist()) == len(NAMES)


def test_a_zip_is_named_after_its_folder_and_not_empty_for_who_has_no_address(root, of, ask):
    """owncloud #22836: every zip is called 'download'; gtsteffaniak/filebrowser #2631: it is empty for the public."""
    (root / "names" / ".zddc").write_text("acl: {allow: [anonymous]}\n")
    app = of(None)
    got = ask(app, "/names/?zip=1")
    assert got.headers["content-disposition"] == 'attachment; filename="names.zip"'
    assert len(zipfile.ZipFile(io.BytesIO(got.sent)).namelist()) == len(NAMES)
    assert ask(app, "/?zip=1").status == 404


def test_a_zip_can_be_unpacked_on_windows(of, ask):
    """nextcloud #29455: Windows shows an empty zip where a name in it has '*'; #51617: a comma in a name."""
    sent = ask(of(KIM), "/names/?zip=1").sent
    names = zipfile.ZipFile(io.BytesIO(sent)).namelist()
    assert len(set(map(str.lower, names))) == len(NAMES)
    assert not [name for name in names if set(name) & set('<>:"|?*\\')]
    assert {"a,b.pdf", "TestSession #01.cue", "Übersicht–é.pdf"} <= set(names)


def test_a_folder_on_the_way_to_an_open_one_tells_no_names(root, of, ask):
    """dufs #263: the folders above what somebody may read list all that is in them."""
    (root / "names" / "deep").mkdir()
    (root / "names" / "deep" / ".zddc").write_text("acl: {allow: [lee@rival.example]}\n")
    app = of("lee@rival.example")
    for path in ("/", "/names/", "/names/?recursive=1", "/?zip=1", "/names/none/"):
        assert ask(app, path) == ask(app, "/none"), path
    assert ask(app, "/names/deep/").status == 200
    assert b"/names/deep" in ask(app, "/.profile/", headers=JSON).sent


def test_an_unchanged_listing_says_what_it_depends_on(of, ask):
    """Caddy #5849: an answer with 304 lacks Vary, so a cache mixes up two forms."""
    app = of(KIM)
    fresh = ask(app, "/names/", headers=JSON)
    same = ask(app, "/names/", headers=[*JSON, ("if-none-match", fresh.headers["etag"])])
    assert (same.status, same.headers["vary"]) == (304, fresh.headers["vary"])
    assert ask(app, "/names/", headers=[("if-none-match", fresh.headers["etag"])]).status == 200


def test_what_could_be_compressed_has_its_length_and_parts(root, of, ask):
    """Caddy #5031 and #7250: compression takes away length and ranges, or makes a part of the whole."""
    (root / "large.txt").write_bytes(b"text\n" * 50_000)
    app, gzip = of(KIM), ("accept-encoding", "gzip")
    whole = ask(app, "/large.txt", headers=[gzip])
    assert (whole.status, whole.headers["content-length"], whole.headers["accept-ranges"]) == (200, "250000", "bytes")
    part = ask(app, "/large.txt", headers=[gzip, ("range", "bytes=5-9")])
    assert (part.status, part.sent) == (206, b"text\n")


def test_programs_that_read_a_zip_from_afar_get_its_end(root, of, ask):
    """python-remotezip #13 and copyparty #329: 416 for the end of a small zip, and no sign that parts can be had."""
    with zipfile.ZipFile(root / "small.zip", "w") as file:
        file.writestr("a", "b")
    app, size = of(KIM), (root / "small.zip").stat().st_size
    assert ask(app, "/small.zip", "HEAD").headers["accept-ranges"] == "bytes"
    got = ask(app, "/small.zip", headers=[("range", "bytes=-65536")])
    assert (got.status, got.headers["content-range"]) == (206, f"bytes 0-{size - 1}/{size}")


def test_head_is_answered_wherever_get_is(root, of, ask):
    """andesite #56: programs that copy, such as rclone, ask with HEAD first and get 405."""
    app = of(KIM)
    for path in ("/", "/names/", "/names/a,b.pdf", "/names/?zip=1", "/names/?recursive=1", "/.profile/", "/.health"):
        got, head = ask(app, path), ask(app, path, "HEAD")
        assert (head.status, head.headers, head.sent) == (got.status, got.headers, b"")
        assert got.status == 200


def test_a_link_to_a_file_does_not_outlive_the_right_to_read_it(root, of, ask):
    """copyparty, CVE-2025-58753 and a report on names used again: who has a link to one file reads its neighbours."""
    (root / "names" / ".zddc").write_text('acl: {deny: ["*"]}\n')
    assert ask(of(KIM), "/names/a,b.pdf") == ask(of(KIM), "/none")


def test_all_of_these_are_in_the_document():
    reports = re.findall(r"[\w/-]+ (?:CVE-[\d-]+|#\d+)", SERVER_PAGE.read_text().partition("## What was tried")[2])
    assert len(set(reports)) >= 10
