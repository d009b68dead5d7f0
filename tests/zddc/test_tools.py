"""The pages in the package, and their copies in a folder."""

import base64
import hashlib
import re

import pytest

from zddc import tools
from zddc.errors import UserError
from zddc.tools import ToolPage


@pytest.fixture
def pages():
    found = tools.read_pages()
    assert "landing" in found
    return found


def test_the_hash_of_a_page_is_that_of_its_bytes_and_the_hash_of_its_code_that_of_its_script(pages):
    for page in pages.values():
        assert page.sha256 == hashlib.sha256((tools.FOLDER / page.file_name).read_bytes()).hexdigest()
        script = re.search(rb"<script>(.*?)</script>", page.content, re.DOTALL)[1]
        assert page.code_sha256 == hashlib.sha256(script).hexdigest()
        assert base64.b64encode(bytes.fromhex(page.code_sha256)).decode() in page.policy


def test_content_without_script_stands_in_the_place_of_the_notice_and_changes_nothing_else(pages):
    page = pages["landing"]
    changed = page.with_content("<p>\\1 \\g<0> $1</p>")
    before, after = page.content.split(b"<noscript>")[0], page.content.split(b"</noscript>")[1]
    assert changed == before + b"<noscript><p>\\1 \\g<0> $1</p></noscript>" + after


def test_a_page_without_a_policy_is_none():
    with pytest.raises(ValueError, match=re.escape("x.html has no policy")):
        _ = ToolPage("x", b"<html>").policy


def test_pages_are_copied_once_and_replace_another_file_only_when_asked(tmp_path, pages):
    folder = tmp_path / "new" / "pages"
    names = {page.file_name for page in pages.values()}
    assert tools.copy_pages(folder) == dict.fromkeys(names, True)
    assert {file.name for file in folder.iterdir()} == names
    assert tools.copy_pages(folder) == dict.fromkeys(names, False)
    (folder / "landing.html").write_bytes(b"mine")
    for other in names - {"landing.html"}:
        (folder / other).unlink()
    with pytest.raises(UserError, match=r"landing\.html: is another file"):
        tools.copy_pages(folder)
    assert [file.name for file in folder.iterdir()] == ["landing.html"]
    assert tools.copy_pages(folder, replace=True) == dict.fromkeys(names, True)
    assert (folder / "landing.html").read_bytes() == pages["landing"].content


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="choose another folder"):
        tools.copy_pages(tmp_path / "file")
