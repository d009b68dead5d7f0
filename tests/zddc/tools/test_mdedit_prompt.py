"""The Markdown editor with the browser's own question before it writes: a real file on the disk is changed."""

import pytest
from tests.zddc.tools.mdedit_folders import Editor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAME = "ACME-MGT-MOM-0001_A (IFI) - Kick-off meeting.md"
CONTENT = b"\xef\xbb\xbf---\r\ntitle: 'Kick-off'\r\n---\r\n\r\n# Kick-off\r\none\nlast"


def test_a_real_document_is_saved_after_the_browser_asked_and_only_what_was_typed_changes(open_window, tmp_path):
    document = tmp_path / "Minutes" / NAME
    document.parent.mkdir()
    document.write_bytes(CONTENT)
    with open_window("mdedit") as tool:
        page = tool.page
        editor = Editor(tool)
        tool.drop(tmp_path / "Minutes")
        editor.text.wait_for()
        editor.text.click()
        editor.press("Control+End")
        editor.type(" typed")
        page.get_by_role("button", name="Save", exact=True).click()
        open_window.allow(page.get_by_text("can write"))
        editor.toast("Saved")
        assert document.read_bytes() == CONTENT + b" typed"
        # Another program changes it meanwhile: the page sees it, and nothing is lost.
        document.write_bytes(CONTENT + b" by another")
        editor.text.click()
        editor.press("Control+End")
        editor.type(" more")
        editor.press("Control+s")
        dialog = page.get_by_role("dialog", name="Somebody else changed the document")
        dialog.get_by_role("button", name="Keep mine").click()
        editor.toast("The other version is kept as")
        assert document.read_bytes() == CONTENT + b" typed more"
        (other,) = set(document.parent.iterdir()) - {document}
        assert other.read_bytes() == CONTENT + b" by another"
        # The next draft stands beside what was issued.
        page.get_by_role("button", name="Next draft ~B").click()
        editor.badge("~B").wait_for()
        assert (document.parent / NAME.replace("_A ", "_~B ")).read_bytes() == CONTENT + b" typed more"
