"""The classifier with the browser's own question before it writes: real files on the disk are renamed and undone."""

import os

import pytest
from tests.zddc.tools.classifier_folders import Sheet

from zddc import rename_journal

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def sheet(open_window):
    with open_window("classifier") as tool:
        yield Sheet(tool)


def drop(sheet, folder):
    sheet.tool.drop(folder)
    sheet.page.locator(".sheet-body > .sheet-row").first.wait_for()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if ".zddc-rename-" not in path.name}


def test_real_files_are_renamed_after_the_browser_asked_and_undone_byte_by_byte(sheet, open_window, tmp_path):
    folder = tmp_path / "Vendor"
    folder.mkdir()
    for number in range(1, 13):
        (folder / f"Scan {number}.pdf").write_bytes(os.urandom(2000 + number))
    before = contents(folder)
    drop(sheet, folder)
    sheet.page.locator("#cell-0-1").click()
    sheet.paste("".join(f"ACME-CIV-DWG-{n:04}\tA\tIFC\tSheet {n}\r\n" for n in range(1, 13)))
    sheet.button("Rename 12 files").click()
    sheet.page.get_by_role("dialog").get_by_role("button", name="Rename", exact=True).click()
    result = sheet.page.get_by_role("dialog", name="Result")
    open_window.allow(sheet.page.get_by_text("can write"))
    result.wait_for()
    assert "Renamed: 12" in result.inner_text()
    renamed = contents(folder)
    assert renamed == {f"ACME-CIV-DWG-{n:04}_A (IFC) - Sheet {n}.pdf": before[f"Scan {n}.pdf"] for n in range(1, 13)}
    (journal,) = folder.glob(rename_journal.JOURNALS)
    assert rename_journal.read_journal(journal).finished
    result.get_by_role("button", name="Undo all").click()
    sheet.page.locator(".toast", has_text="Renamed back: 12").wait_for()
    assert contents(folder) == before

    # The page renames again, and the command line takes it back.
    sheet.button("Rename 12 files").click()
    sheet.page.get_by_role("dialog").get_by_role("button", name="Rename", exact=True).click()
    result.wait_for()
    assert "Renamed: 12" in result.inner_text()
    assert contents(folder) == renamed
    (second,) = set(folder.glob(rename_journal.JOURNALS)) - {journal}
    rename_journal.undo(folder, second)
    assert contents(folder) == before
