"""A folder as a listing: what somebody may open, as JSON and as a page, and nothing else."""

import asyncio
import gzip
import html.parser
import json
import os
import re
from urllib.parse import unquote, urljoin

import pytest
from tests.zddc.access.trees import open_descriptors
from tests.zddc.many_files import make_many
from tests.zddc.server.asking import body_of, request, without_dates

from zddc.access.policy import Policy
from zddc.server.listing import accepts_gzip, answer_listing, prefers_json, url_of

JSON = ("accept", "application/json")
SECONDS = 784_111_777


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    for folder in ("open", "closed", "broken", ".hidden"):
        (root / folder).mkdir(parents=True)
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}')
    (root / "closed" / ".zddc").write_text('acl: {deny: ["kim@acme.example"]}')
    (root / "broken" / ".zddc").write_text("nonsense: [")
    for name in ("b (IFC) - x.pdf", "A.txt", "é #?.txt", ".secret", "back\\slash", "new\nline", "dot.", "blank "):
        (root / name).write_bytes(b"12345")
        os.utime(root / name, (SECONDS, SECONDS))
    (root / "A.txt").chmod(0o640)
    (root / "link").symlink_to("A.txt")
    (root / "folder-link").symlink_to("open")
    os.mkfifo(root / "pipe")
    (root / os.fsdecode(b"not-utf8-\xff")).touch()
    return root


def listing(root, names=(), headers=(JSON,), method="GET", email="kim@acme.example"):
    with Policy(root) as policy, policy.open_folder(names) as (folder, chain):
        path = "".join(f"/{name}" for name in names) + "/"
        return answer_listing(request(method, path, headers, email), folder, chain, policy)


def names_in(answer):
    return [row["name"] for row in json.loads(body_of(answer))]


def test_a_listing_has_the_keys_of_caddy(archive):
    rows = json.loads(body_of(listing(archive)))
    umask = 0o777 & (archive / "b (IFC) - x.pdf").stat().st_mode
    assert rows[0] == {
        "name": "A.txt",
        "size": 5,
        "url": "./A.txt",
        "mod_time": "1994-11-06T08:49:37Z",
        "mode": 0o640,
        "is_dir": False,
        "is_symlink": False,
    }
    assert [list(row) for row in rows] == [list(rows[0])] * len(rows)
    assert rows[1] == {**rows[0], "name": "b (IFC) - x.pdf", "url": "./b%20(IFC)%20-%20x.pdf", "mode": umask}
    assert (rows[2]["name"], rows[2]["url"], rows[2]["is_dir"], rows[2]["size"]) == ("open/", "./open/", True, 0)
    assert rows[2]["mode"] >> 31 == 1


def test_a_listing_has_what_can_be_opened_and_nothing_else(archive):
    assert names_in(listing(archive)) == ["A.txt", "b (IFC) - x.pdf", "open/", "é #?.txt"]
    assert "closed/" in names_in(listing(archive, email="lee@acme.example"))


def test_a_folder_that_looks_closed_looks_as_if_it_were_not_there(archive):
    with_closed = listing(archive)
    (archive / "closed" / ".zddc").unlink()
    (archive / "closed").rmdir()
    without = listing(archive)
    assert (with_closed.headers, with_closed.body) == (without.headers, without.body)


def test_the_headers_of_a_listing(archive):
    answer = listing(archive)
    found = without_dates(answer)
    tag = found.pop("etag")
    assert re.fullmatch(r'W/"[a-z2-7]{24}"', tag)
    policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    expected = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "cache-control": "private, no-cache",
        "vary": "accept, accept-encoding",
        "content-type": "application/json",
        "content-length": str(len(answer.body)),
    }
    assert found == expected
    page = without_dates(listing(archive, headers=()))
    assert page["content-type"] == "text/html; charset=utf-8"
    assert page["content-security-policy"].startswith(f"{policy}; style-src 'sha256-")
    assert page["etag"] != tag
    head = listing(archive, method="HEAD")
    assert (head.headers, head.body) == (answer.headers, b"")


def test_the_tag_follows_what_is_listed(archive):
    first = dict(listing(archive).headers)["etag"]
    asked = [JSON, ("if-none-match", first)]
    for method in ("GET", "HEAD"):
        answer = listing(archive, headers=asked, method=method)
        assert (answer.status, answer.body) == (304, b"")
        assert {"etag", "cache-control", "vary"} <= set(without_dates(answer))
    assert listing(archive, headers=[JSON, ("if-none-match", f'"x", {first}')]).status == 304
    assert listing(archive, headers=[("if-none-match", first)]).status == 200  # that of the page is another
    (archive / "open" / "inside").touch()
    os.utime(archive / "open", (1, 1))
    assert listing(archive, headers=asked).status == 200
    second = dict(listing(archive).headers)["etag"]
    (archive / "closed" / "inside").touch()
    assert dict(listing(archive).headers)["etag"] == second


def test_a_file_that_grows_is_listed_anew_though_its_folder_is_as_old_as_before(archive):
    asked = [JSON, ("if-none-match", dict(listing(archive).headers)["etag"])]
    before = (archive / "A.txt").parent.stat().st_mtime_ns
    with (archive / "A.txt").open("ab") as file:
        file.write(b"more")
    assert (archive / "A.txt").parent.stat().st_mtime_ns == before
    assert listing(archive, headers=asked).status == 200
    assert listing(archive, headers=[JSON, ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]).status == 200


def test_a_large_listing_is_compressed_for_those_who_can_read_it(archive):
    make_many(archive / "open", (f"A-{n:04}_B (IFC) - Pump.pdf" for n in range(2500)))
    plain = listing(archive, ["open"])
    packed = listing(archive, ["open"], [JSON, ("accept-encoding", "br, gzip")])
    assert dict(packed.headers)["content-encoding"] == "gzip"
    assert int(dict(packed.headers)["content-length"]) == len(packed.body) < len(plain.body) // 5
    assert gzip.decompress(packed.body) == plain.body
    assert dict(packed.headers)["etag"] == dict(plain.headers)["etag"]
    assert len(json.loads(plain.body)) == 2500
    assert "content-encoding" not in dict(listing(archive, ["closed"], [JSON, ("accept-encoding", "gzip")]).headers)
    page = body_of(listing(archive, ["open"], ())).decode()
    assert "2,500 names; the first 2,000 are shown" in page
    assert page.count("<tr>") == 2002


def test_a_name_that_is_not_plain_is_as_it_is_among_many_that_are(archive):
    hard = ['"quoted".pdf', "é.pdf", "A-1000 50% #1.pdf"]
    names = sorted([*hard, *(f"A-{n:04} - Pump.pdf" for n in range(4200))])
    make_many(archive / "open", names)
    answer = listing(archive, ["open"], [JSON, ("accept-encoding", "gzip")])
    rows = json.loads(gzip.decompress(answer.body))
    assert [row["name"] for row in rows] == names
    assert [unquote(row["url"]) for row in rows] == [f"./{name}" for name in names]


class _Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]


HARD = [
    "a\"b'c.pdf",
    "<script>.txt",
    "a&amp;.txt",
    "100%25.pdf",
    "a:b.txt",
    "?q#f.txt",
    "..a",
    "javascript:x",
    "a;b",
    "é",
]


def test_a_page_works_without_script_and_each_link_leads_to_its_file(archive):
    for name in HARD:
        (archive / "open" / name).touch()
    answer = listing(archive, ["open"], ())
    parser = _Links()
    parser.feed(body_of(answer).decode())
    assert "script" not in parser.tags
    place = "http://host.example/open/"
    found = [unquote(urljoin(place, link).removeprefix(place)) for link in parser.links if link != "../"]
    visible = sorted(name for name in HARD if not name.startswith("."))
    assert found == visible
    rows = json.loads(body_of(listing(archive, ["open"])))
    assert [unquote(urljoin(place, row["url"]).removeprefix(place)) for row in rows] == visible
    assert all(urljoin(place, row["url"]).isascii() for row in rows)


@pytest.mark.parametrize("name", [*HARD, "plain", "a b", "日本"])
def test_an_address_is_its_name(name):
    assert unquote(url_of(name)) == f"./{name}"
    assert not set(url_of(name)) & set(' ?#"<>%'.replace("%", ""))


def test_an_empty_folder_is_an_empty_list(archive):
    assert body_of(listing(archive, ["open"])) == b"[]"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/html, application/json", True),
        ("application/json;q=0.9, text/html", False),
        ("application/json;q=0.9, text/html;q=0.8", True),
        ("application/json;q=0", False),
        ("application/json;q=nonsense", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("*/*", False),
        ("application/*", False),
        ("application/jsonp", False),
        ("", False),
    ],
)
def test_json_is_for_those_who_name_it(accept, expected):
    assert prefers_json(accept) is expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [("gzip", True), ("GZIP;q=0.5", True), ("*", True), ("gzip;q=0, *", False), ("br", False), ("", False),
     ("gzip;q=0.000", False), ("x-gzip", False), ("identity, gzip;q=1.0", True)],
)  # fmt: skip
def test_gzip_is_for_those_who_allow_it(accept_encoding, expected):
    assert accepts_gzip(accept_encoding) is expected


def test_every_descriptor_is_closed(archive):
    before = open_descriptors()
    asyncio.run(asyncio.to_thread(listing, archive))
    assert open_descriptors() == before
