import hashlib
import json
import os
import zipfile

import pytest
from tests.zddc.server.asking import request

from zddc import hashing
from zddc.access.policy import Policy
from zddc.archive.index import Index
from zddc.archive.tree import walk
from zddc.server.hash_links import HashLinks
from zddc.server.virtual import answer_archive
from zddc.transmittal.block import BLOCK_ID

KIM, LEE = "kim@acme.example", "lee@acme.example"
ONE, TWO = "2025-01-02_T-1 (IFC) - Sent", "2025-02-02_T-2 (IFC) - Again"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def transmit(root, folder, **texts):
    """Write files and their list into a folder."""
    place = root / folder
    place.mkdir(parents=True)
    for name, text in texts.items():
        (place / f"{name}.txt").write_text(text)
    (place / hashing.LIST_NAME).write_text("".join(f"{sha256(t)}  {name}.txt\n" for name, t in texts.items()))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
    transmit(root, f"P/received/{TWO}", a="plan", b="list")
    transmit(root, f"P/received/{ONE}", a="plan", c="other")
    transmit(root, f"Q/issued/{ONE}", a="plan", q="for Q")
    transmit(root, f"P/incoming/{ONE}", bad="handed in")
    return root


def find(root, text, project="", email=KIM, links=None):
    """Return what a link leads to, and None where that looks absent."""
    index = Index(walk(root))
    path = f"/{project}/.archive/{sha256(text)}.html" if project else f"/.archive/{sha256(text)}.html"
    with Policy(root) as policy:
        return answer_archive(request(path=path, email=email), index, policy, root, links or HashLinks(root))


def test_a_link_leads_to_the_first_file_of_a_hash(root):
    assert find(root, "plan") == ("P", "received", ONE, "a.txt")
    assert find(root, "plan", "Q") == ("Q", "issued", ONE, "a.txt")
    assert find(root, "for Q") == ("Q", "issued", ONE, "q.txt")
    for text, project in (("for Q", "P"), ("unknown", ""), ("handed in", "P"), ("handed in", "")):
        assert find(root, text, project) is None


def test_who_may_not_read_one_copy_gets_another_or_nothing(root):
    (root / "P" / "received" / ONE / ".zddc").write_text(f"acl: {{deny: [{LEE}]}}")
    assert find(root, "plan", "P", LEE) == ("P", "received", TWO, "a.txt")
    assert find(root, "other", "P", LEE) is None
    assert find(root, "plan", "P", "x@pipe.example") is None


def test_a_file_that_is_another_by_now_is_not_what_was_asked_for(root):
    links, file = HashLinks(root), root / "P" / "received" / ONE / "c.txt"
    assert find(root, "other", links=links) == ("P", "received", ONE, "c.txt")
    status = file.stat()
    file.write_text("OTHER")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert find(root, "other", links=links) is None


def test_a_list_that_changes_is_read_again_and_one_that_is_none_has_no_files(root):
    links, place = HashLinks(root), root / "P" / "received" / ONE
    assert find(root, "new", links=links) is None
    (place / "d.txt").write_text("new")
    (place / hashing.LIST_NAME).write_text(f"{sha256('new')}  d.txt\n{sha256('gone')}  gone.txt\n")
    assert find(root, "new", links=links) == ("P", "received", ONE, "d.txt")
    assert find(root, "gone", links=links) is None
    (place / hashing.LIST_NAME).write_text("no list")
    assert find(root, "new", links=links) is None


@pytest.fixture
def page():
    """Make the HTML of a transmittal that names one file."""

    def make(text, filename, path=""):
        rows = [{"sha256": sha256(text).upper(), "filename": filename, "path": path}, {"filename": "no hash.txt"}]
        data = {"version": 1, "payload": {"version": 1, "files": rows}}
        block = f'<script id="{BLOCK_ID}" type="application/json">{json.dumps(data)}</script>'
        return f"<!doctype html><title>T</title>{block}"

    return make


def test_a_transmittal_names_files_as_a_list_does(root, page):
    place, name = root / "P" / "issued" / "2025-03-03_T-3 (IFC) - Third", "T-3_0 (IFC) - Transmittal.html"
    (place / "sub").mkdir(parents=True)
    (place / "sub" / "d.txt").write_text("third")
    (place / "other_0 (IFC) - Page.html").write_text(page("third", "d.txt", "./sub"))
    assert find(root, "third") is None  # that is no page of this transmittal
    (place / name).write_text(page("third", "d.txt", "./sub"))
    assert find(root, "third") == ("P", "issued", place.name, "sub", "d.txt")
    assert find(root, "third", "Q") is None
    assert find(root, "third", email="x@pipe.example") is None
    (place / "sub" / "d.txt").write_text("changed")
    assert find(root, "third") is None
    (place / name).write_text("no transmittal")
    assert find(root, "third") is None


def test_a_transmittal_in_a_zip_names_files_and_one_in_incoming_does_not(root, page):
    folder, name = "2025-04-04_T-4 (IFC) - Fourth", "T-4_0 (IFC) - Transmittal.html"
    for kind in ("issued", "incoming"):
        place = root / "P" / kind / f"{folder}.zip"
        place.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place, "w") as packed:
            packed.writestr(name, page(f"packed, {kind}", "d.txt"))
            packed.writestr("d.txt", f"packed, {kind}")
    assert find(root, "packed, issued") == ("P", "issued", f"{folder}.zip", "d.txt")
    assert find(root, "packed, incoming") is None


def test_only_so_much_is_kept(root, monkeypatch):
    monkeypatch.setattr("zddc.server.hash_links._MOST_LISTS", 1)
    monkeypatch.setattr("zddc.server.hash_links._MOST_DIGESTS", 1)
    links = HashLinks(root)
    for _ in range(2):
        for text in ("plan", "other", "list"):
            assert find(root, text, links=links)
    assert find(root, "plan")[:1] == ("P",)
    assert len(links._digests) == len(links._lists) == 1


def test_a_name_that_is_no_hash_is_no_link(root):
    with Policy(root) as policy:
        index = Index(walk(root))
        for name in (sha256("plan").upper(), sha256("plan")[1:], sha256("plan")):
            asked = request(path=f"/P/.archive/{name}{'.html' * (name != sha256('plan'))}", email=KIM)
            assert answer_archive(asked, index, policy, root, HashLinks(root)) is None
