"""Pages of links lead to the same files as links do, whatever is in a name."""

import hashlib
import html
import json
import re
import shutil
import zipfile
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from tests import archives

from zddc.archive.index import Index
from zddc.archive.links import hash_links, links, page_name, write_links
from zddc.archive.resolution import resolve
from zddc.archive.tree import walk
from zddc.errors import UserError
from zddc.hashing import find_files, hash_files, write_list


@pytest.fixture
def root(tmp_path):
    archives.write(tmp_path, archives.draw(200, 4))
    (tmp_path / "A(1)#%_B+C1 (IFC) - 100%?.pdf").write_text("odd")
    (tmp_path / "A&<b>_~B (IFC) - T.pdf").write_text("odd, too")
    return tmp_path


def target(page):
    """Return the path that a page leads to, as a browser reads it."""
    (address,) = re.findall(r'url=([^"]+)"', page.read_text(encoding="utf-8"))
    (link,) = re.findall(r'<a href="([^"]+)">', page.read_text(encoding="utf-8"))
    assert address == link
    return unquote(urlsplit(urljoin("http://host/.archive/page.html", html.unescape(address))).path.removeprefix("/"))


def test_every_link_has_a_page_that_leads_to_its_file(root):
    index = Index(walk(root))
    count, left_out = write_links(root, index)
    assert left_out == []
    pages = {page.name: target(page) for page in (root / ".archive").glob("*.html")}
    assert len(pages) == count > 100
    for number in index.tracking_numbers():
        for revision in ("", *{one.text for one in index.document(number).revisions}):
            link = f"{number}{'_' * bool(revision)}{revision}.html"
            entry = resolve(index, link)
            assert pages.pop(page_name(link), None) == (entry and entry.path)
    assert pages == {}


def test_a_draft_has_a_page_and_is_not_what_is_current(root):
    names = dict(links(Index(walk(root))))
    assert "A&<b>_~B.html" in names
    assert "A&<b>.html" not in names


def test_what_is_in_a_zip_has_a_page_that_leads_to_the_zip(tmp_path):
    name = "2025-10-31_T-1 (IFC) - Zipped.zip"
    with zipfile.ZipFile(tmp_path / name, "w") as made:
        made.writestr("native/A-1_A (IFC) - T.pdf", b"1")
    write_links(tmp_path, Index(walk(tmp_path)))
    assert target(tmp_path / ".archive/A-1.html") == name


def test_all_files_are_listed(root):
    index = Index(walk(root))
    write_links(root, index)
    listed = json.loads((root / ".archive/index.json").read_text(encoding="utf-8"))
    assert listed["version"] == 1
    assert [file["path"] for file in listed["files"]] == [entry.path for entry in index.entries()]
    assert set(listed["files"][0]) == {"path", "size", "mod_time"}


def test_pages_are_written_again_as_a_whole(root):
    write_links(root, Index(walk(root)))
    before = {page.name for page in (root / ".archive").iterdir()}
    shutil.rmtree(root / "Project 1")
    write_links(root, Index(walk(root)))
    after = {page.name for page in (root / ".archive").iterdir()}
    assert after < before
    assert sorted(one.name for one in root.iterdir() if one.name.startswith(".")) == [".archive"]


def test_what_a_stopped_run_left_behind_is_cleared(root):
    write_links(root, Index(walk(root)))
    (root / ".archive").rename(root / ".archive.old")
    (root / ".archive.new").mkdir()
    (root / ".archive.new/index.json").touch()
    write_links(root, Index(walk(root)))
    assert sorted(one.name for one in root.iterdir() if one.name.startswith(".")) == [".archive"]


@pytest.mark.parametrize("name", [".archive", ".archive.new", ".archive.old"])
def test_a_folder_of_somebody_else_is_not_touched(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").touch()
    with pytest.raises(UserError, match="not written by 'zddc index'"):
        write_links(tmp_path, Index(walk(tmp_path)))
    assert (tmp_path / name / "mine").exists()


def test_a_link_to_a_folder_is_not_touched(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/index.json").touch()
    (tmp_path / ".archive").symlink_to("elsewhere")
    with pytest.raises(UserError, match="not written by 'zddc index'"):
        write_links(tmp_path, Index(walk(tmp_path)))


def test_a_link_too_long_for_a_name_is_told(tmp_path):
    (tmp_path / f"{'平' * 30}_A (IFC) - T.pdf").touch()
    count, left_out = write_links(tmp_path, Index(walk(tmp_path)))
    assert count == 0
    assert left_out == [f"{'平' * 30}{end}.html: too long for the name of a page; it has none" for end in ("", "_A")]


def test_a_hash_that_a_list_names_leads_to_its_file(tmp_path):
    folders = [tmp_path / name for name in ("b", "a")]
    for folder in folders:
        folder.mkdir()
        (folder / "A-1_A (IFC) - T.pdf").write_text("same")
        (folder / "gone.pdf").write_text(folder.name)
        write_list(folder, hash_files(folder, find_files(folder)))
        (folder / "gone.pdf").unlink()
    write_links(tmp_path, Index(walk(tmp_path)))
    pages = {page.stem: target(page) for page in (tmp_path / ".archive").glob(f"{'[0-9a-f]' * 64}.html")}
    assert pages == {hashlib.sha256(b"same").hexdigest(): "a/A-1_A (IFC) - T.pdf"}


def test_a_list_that_is_none_is_told_and_stops_nothing(tmp_path):
    (tmp_path / "SHA256SUMS").write_text("nonsense\n")
    (tmp_path / "A-1_A (IFC) - T.pdf").touch()
    count, (line,) = write_links(tmp_path, Index(walk(tmp_path)))
    assert count == 2
    assert line.startswith(f"{tmp_path / 'SHA256SUMS'}:1: ")


def test_a_list_in_a_zip_is_no_list_of_the_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "2025-10-31_T-1 (IFC) - Zipped.zip", "w") as made:
        made.writestr("SHA256SUMS", f"{'0' * 64}  A-1_A (IFC) - T.pdf\n")
        made.writestr("A-1_A (IFC) - T.pdf", b"1")
    assert hash_links(tmp_path, Index(walk(tmp_path))) == ({}, [])


def test_two_links_never_share_a_page():
    names = ["A+C1.html", "A-C1.html", "A C1.html", "A%20C1.html", "A_C1.html", "A~C1.html", "A(C1).html", "Ä.html"]
    assert len({page_name(name) for name in names}) == len(names)
    assert page_name("ACME-CIV-DWG-0001_~A+C1.html") == "ACME-CIV-DWG-0001_~A+C1.html"
