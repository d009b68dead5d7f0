"""The classifier in a real Chromium: its sheet by keyboard and mouse, renames, undo, recovery, failures, hostile names.

Tests whose name begins with ``test_reported`` try what users of bulk renamers and of grids in browsers reported.
"""

import csv
import io
import json
import os
import re

import pytest
from tests.zddc.tools.classifier_folders import FAILING_FOLDER, PATIENT, PRIVATE_FOLDER, Sheet, served_page

from zddc.renaming import read_plan
from zddc.visible import INVISIBLE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
ORIGINAL, TRACKING, REVISION, STATUS, TITLE, EXTENSION, NEW_NAME, VERDICT = range(8)
VENDOR = {f"Scan {number}.pdf": f"scan {number}" for number in range(1, 6)}
GOOD = "ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf"


@pytest.fixture(scope="module")
def address():
    with served_page() as address:
        yield address


@pytest.fixture
def private(open_page, address):
    """The page with a folder that is written for real."""
    return lambda files=None, **options: Sheet(
        open_page("classifier", address=address, before=PATIENT + PRIVATE_FOLDER, **options)
    ).open(files or VENDOR)


@pytest.fixture
def failing(open_page, address):
    """The page with a folder in memory that fails on command."""
    return lambda files=None, **options: Sheet(
        open_page("classifier", address=address, before=PATIENT + FAILING_FOLDER, **options)
    ).open(files or VENDOR)


def name_all(sheet, count=5):
    """Give the first rows good names, by a paste."""
    sheet.go_to(0, TRACKING)
    sheet.paste("".join(f"ACME-CIV-DWG-{n:04}\tA\tIFC\tSheet {n}\r\n" for n in range(1, count + 1)))


NAMED = {f"ACME-CIV-DWG-{n:04}_A (IFC) - Sheet {n}.pdf": f"scan {n}" for n in range(1, 6)}


def test_the_keyboard_alone_opens_names_renames_and_undoes(private):
    sheet = private()
    sheet.go_to(0, TRACKING)
    sheet.type("ACME-CIV-DWG-0001")
    sheet.press("Tab")
    sheet.type("A")
    sheet.press("Tab")
    sheet.type("ifc")
    sheet.press("Enter")  # back to the column where Tab began
    sheet.press("ArrowUp", "Control+Shift+ArrowDown", "Control+Shift+d")
    assert sheet.column(TRACKING) == [f"ACME-CIV-DWG-{n:04}" for n in range(1, 6)]
    sheet.go_to(0, REVISION)
    sheet.press("Shift+ArrowRight", "Control+Shift+ArrowDown", "Shift+ArrowRight", "Shift+ArrowLeft", "Control+d")
    assert sheet.column(STATUS) == ["IFC"] * 5
    assert set(sheet.column(VERDICT)) == {"✓ ready"}
    said = sheet.apply()
    assert "Renamed: 5" in said
    renamed = {f"ACME-CIV-DWG-{n:04}_A (IFC) - Scan {n}.pdf": f"scan {n}" for n in range(1, 6)}
    assert sheet.tree() == renamed
    assert sheet.column(ORIGINAL) == list(renamed)
    assert len(sheet.journals()) == 1
    sheet.press("Control+k")
    sheet.page.locator(".palette input:focus").wait_for()
    sheet.type("undo the renames")
    sheet.press("Enter")
    sheet.page.get_by_role("dialog", name="Undo the renames?").wait_for()
    sheet.press("Enter")
    sheet.page.locator(".toast", has_text="Renamed back: 5").wait_for()
    assert sheet.tree() == VENDOR
    # What was typed is there again.
    assert sheet.column(NEW_NAME) == list(renamed)


def test_500_vendor_files_are_renamed_and_undone(private):
    """With WEAKSPOT_SOAK=1 there are 500."""
    count = 500 if SOAK else 60
    files = {f"Vendor package/Scan {n}.pdf": f"scan {n}" for n in range(1, count + 1)}
    sheet = private(files)
    name_all(sheet, count)
    sheet.button(f"Rename {count} files").click()
    sheet.page.get_by_role("dialog").get_by_role("button", name="Rename", exact=True).click()
    result = sheet.page.get_by_role("dialog", name="Result")
    result.wait_for()
    assert f"Renamed: {count}" in result.inner_text()
    sheet.press("Escape")
    wanted = {f"Vendor package/ACME-CIV-DWG-{n:04}_A (IFC) - Sheet {n}.pdf": f"scan {n}" for n in range(1, count + 1)}
    assert sheet.tree() == wanted
    sheet.undo_all()
    assert sheet.tree() == files


def test_very_many_rows_of_five_cells_are_pasted_and_checked(failing, record_property):
    """With WEAKSPOT_SOAK=1 there are 5,000."""
    count = 5000 if SOAK else 1500
    sheet = failing({f"Scan {n}.pdf": "" for n in range(count)})
    sheet.go_to(0, TRACKING)
    spent = sheet.page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          const input = document.querySelector(".sheet-input");
          const start = performance.now();
          input.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
          return performance.now() - start;
        }""",
        "".join(f"ACME-CIV-DWG-{n:04}\tA\tIFC\tSheet {n}\tpdf\r\n" for n in range(count)),
    )
    record_property("paste_ms", round(spent))
    print(f"{count:,} x 5 cells pasted and checked: {spent:.0f} ms")
    sheet.button(f"Rename {count:,} files").wait_for()
    sheet.press("Control+z")
    sheet.page.get_by_role("button", name="Rename…").wait_for()
    assert sheet.cell(0, TRACKING) == ""


# So many files are renamed, and then no more: who looks at them may be slow.
HOLD = """most => {
  const move = FileSystemFileHandle.prototype.move;
  FileSystemFileHandle.prototype.move = function (name) {
    most -= 1;
    return most < 0 ? new Promise(() => undefined) : move.call(this, name);
  };
}"""


@pytest.mark.parametrize("answer", ["Finish the renames", "Take them back"])
def test_a_run_that_was_killed_is_found_when_the_folder_is_opened_again(private, answer):
    count = 400 if SOAK else 200
    files = {f"Scan {n}.pdf": f"scan {n}" for n in range(1, count + 1)}
    sheet = private(files)
    name_all(sheet, count)
    sheet.page.evaluate(HOLD, count // 2)
    sheet.start_renaming()
    sheet.wait("document.querySelector('.work progress')?.value > 5")
    sheet.page.close()
    sheet.tool.page = sheet.tool.page.context.new_page()
    again = Sheet(sheet.tool)
    again.page.goto(sheet.tool.address)
    half = again.tree()
    assert sorted(half.values()) == sorted(files.values())
    assert 0 < sum(name.startswith("ACME") for name in half) < count
    again.open()
    dialog = again.page.get_by_role("dialog", name="Renames were stopped on their way")
    dialog.get_by_role("button", name=answer).click()
    again.page.locator(".toast", has_text=re.compile("Finished|Renamed back")).wait_for()
    wanted = {f"ACME-CIV-DWG-{n:04}_A (IFC) - Sheet {n}.pdf": f"scan {n}" for n in range(1, count + 1)}
    assert again.tree() == (wanted if answer == "Finish the renames" else files)
    again.page.locator(".notice").wait_for(state="detached")


# failures


def fail(sheet, script):
    sheet.page.evaluate(f"() => {{ window.failing = (act, name) => {script}; }}")


def test_a_locked_file_stays_with_its_reason_and_is_tried_again(failing):
    sheet = failing()
    name_all(sheet)
    fail(sheet, "act === 'move' && name === 'Scan 3.pdf' && 'NoModificationAllowedError'")
    sheet.start_renaming()
    dialog = sheet.page.get_by_role("dialog", name="Result")
    assert "Renamed: 4" in dialog.inner_text()
    assert "another program has it open" in dialog.inner_text()
    assert "Scan 3.pdf" in sheet.tree()
    fail(sheet, "null")
    dialog.get_by_role("button", name="Try the others again").click()
    sheet.page.get_by_role("dialog", name="Rename the files?").wait_for()
    sheet.press("Enter")
    sheet.page.get_by_role("dialog", name="Result").get_by_role("button", name="Close").last.click()
    assert sheet.tree() == NAMED
    sheet.undo_all()
    assert sheet.tree() == VENDOR


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("act === 'close' && 'QuotaExceededError'", "the disk is full"),
        ("act === 'write' && 'InvalidStateError'", "InvalidStateError"),
        ("act === 'createWritable' && 'NotAllowedError'", "no longer lets this page write"),
        ("act === 'permission'", "did not allow this page to write"),
    ],
)
def test_nothing_is_renamed_where_no_journal_can_be_written(failing, script, said):
    sheet = failing()
    name_all(sheet)
    fail(sheet, script)
    sheet.start_renaming()
    sheet.page.locator(".toast", has_text=said).first.wait_for()
    assert sheet.tree(journals=True) == VENDOR
    assert sheet.button("Rename 5 files").is_enabled()


def test_permission_lost_on_the_way_stops_and_is_finished_later(failing):
    sheet = failing()
    name_all(sheet)
    sheet.page.evaluate(
        "() => { let moves = 0; window.failing = (act) => act === 'move' && ++moves > 2 ? 'NotAllowedError' : null; }"
    )
    sheet.start_renaming()
    dialog = sheet.page.get_by_role("dialog", name="Result")
    assert "stopped on its way" in dialog.inner_text()
    assert "Renamed: 2" in dialog.inner_text()
    fail(sheet, "null")
    dialog.get_by_role("button", name="Finish").click()
    sheet.page.locator(".toast", has_text="Finished: 3 more files").wait_for()
    assert sheet.tree() == NAMED


def test_a_browser_that_cannot_rename_copies_verifies_and_removes(failing):
    sheet = failing()
    name_all(sheet)
    fail(sheet, "act === 'move' && 'NotSupportedError'")
    assert "Renamed: 5" in sheet.apply()
    assert sheet.tree() == NAMED
    fail(sheet, "(act === 'move' && 'NotSupportedError') || (act === 'remove' && 'NoModificationAllowedError')")
    sheet.button("Undo all").click()
    sheet.page.get_by_role("dialog").get_by_role("button", name="Undo all").click()
    sheet.page.locator(".notice").wait_for()
    # The old file could not go: both are never there.
    assert len(sheet.tree()) <= 6


def test_a_file_that_changed_since_the_folder_was_read_is_skipped_with_the_reason(failing):
    sheet = failing()
    sheet.wait("acts.filter(one => one.startsWith('getFile')).length >= 5")
    name_all(sheet)
    sheet.page.evaluate("() => { files.set('Scan 2.pdf', {text: 'scan 2, signed', modified: 2000}); }")
    said = sheet.apply()
    assert "Renamed: 4" in said
    assert "it has changed since the folder was read" in said
    assert sheet.tree()["Scan 2.pdf"] == "scan 2, signed"


def test_a_name_that_the_browser_does_not_take_is_told(failing):
    sheet = failing()
    name_all(sheet)
    fail(sheet, "act === 'move' && name === 'Scan 1.pdf' && 'TypeError'")
    assert "the browser does not take this name" in sheet.apply()


def test_without_write_access_the_plan_is_a_csv_that_zddc_rename_reads(open_page, tmp_path):
    folder = tmp_path / "Vendor"
    folder.mkdir()
    for name, text in VENDOR.items():
        (folder / name).write_text(text, encoding="utf-8")
    sheet = Sheet(open_page("classifier", before="delete window.showDirectoryPicker"))
    sheet.page.locator("input[type=file]").set_input_files(folder)
    sheet.page.locator(".sheet-body > .sheet-row").first.wait_for()
    sheet.page.locator("#cell-0-1").click()
    name_all(sheet)
    sheet.press("Control+s")
    dialog = sheet.page.get_by_role("dialog", name="Rename the files?")
    assert "cannot be renamed from here" in dialog.inner_text()
    with sheet.page.expect_download() as download:
        dialog.get_by_role("button", name="Save the plan as CSV").click()
    plan = tmp_path / download.value.suggested_filename
    download.value.save_as(plan)
    assert plan.name == "rename-plan.csv"
    rows = list(csv.DictReader(io.StringIO(plan.read_text(encoding="utf-8-sig"))))
    prefix = "Vendor/" if rows[0]["path"].startswith("Vendor/") else ""
    assert {row["path"]: row["new_name"] for row in rows} == {
        f"{prefix}{old}": new for old, new in zip(VENDOR, NAMED, strict=True)
    }
    assert [line.size for line in read_plan(plan)] == [6] * 5


# the sheet


def test_rows_are_filtered_sorted_hidden_and_split_and_the_address_says_how(private):
    sheet = private({**VENDOR, GOOD: "x", "sub/ACME-CIV-DWG-0002_A(ifc)-Plan.pdf": "y", "sub/B rev 2 Valve.dwg": "z"})
    sheet.page.get_by_label("Hide good names").check()
    assert GOOD not in sheet.column(ORIGINAL)
    sheet.button("With one correction").click()
    assert sheet.column(ORIGINAL) == ["ACME-CIV-DWG-0002_A(ifc)-Plan.pdf"]
    sheet.button("Take 1 correction").click()
    assert sheet.cell(0, NEW_NAME) == "ACME-CIV-DWG-0002_A (IFC) - Plan.pdf"
    sheet.button("With one correction").click()
    sheet.button("sub").click()
    assert len(sheet.column(ORIGINAL)) == 2
    sheet.button("All folders").click()
    sheet.page.locator(".sheet-head .sheet-extension").click()
    sheet.page.locator(".sheet-head .sheet-title").click(modifiers=["Shift"])
    sheet.page.locator(".sheet-head .sheet-title").click(modifiers=["Shift"])
    assert sheet.column(ORIGINAL)[:2] == ["B rev 2 Valve.dwg", "Scan 5.pdf"]
    sheet.press("Control+Shift+e")
    sheet.type("{tracking} rev {revision} {title}.{extension}")
    sheet.page.get_by_text("matches 1 of 7 rows").wait_for()
    sheet.press("Enter")
    sheet.wait("location.hash.includes('pattern=')")
    assert [sheet.cell(0, one) for one in (TRACKING, REVISION, TITLE)] == ["B", "2", "Valve"]
    address = sheet.page.evaluate("location.hash")
    assert "hide=good" in address
    assert "sort=extension,-title" in address
    sheet.page.locator("[data-search]").fill("valve")
    sheet.wait_for_rows(1)


def test_a_rule_is_applied_also_while_its_preview_is_worked_out(open_page, address):
    slow = """
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (data) { setTimeout(() => post.call(this, data), 600); };
    """
    sheet = Sheet(open_page("classifier", address=address, before=PATIENT + FAILING_FOLDER + slow)).open(VENDOR)
    sheet.press("Control+Shift+e")
    sheet.type("{any} {title}.{extension}")
    sheet.press("Enter")
    sheet.page.get_by_text("matches 5 of 5 rows").wait_for()
    sheet.wait("location.hash.includes('pattern=')")
    assert sheet.column(TITLE) == ["1", "2", "3", "4", "5"]


def test_what_is_typed_is_lost_only_when_somebody_says_so(failing):
    sheet = failing()
    sheet.go_to(1, TITLE)
    sheet.type("Pump")
    sheet.press("Enter")
    sheet.page.evaluate("files.set('Scan 0.pdf', {text: 'late'})")
    sheet.press("Control+k")
    sheet.page.locator(".palette input:focus").wait_for()
    sheet.type("read the folder again")
    sheet.press("Enter")
    sheet.wait_for_rows(6)
    assert sheet.column(TITLE) == ["Scan 0", "Scan 1", "Pump", "Scan 3", "Scan 4", "Scan 5"]
    sheet.press("Control+o")
    asked = sheet.page.get_by_role("dialog", name="Open another folder?")
    asked.wait_for()
    assert "What you typed for 1 file is not renamed yet." in asked.inner_text()
    sheet.tool.check_accessibility()
    asked.get_by_role("button", name="Cancel").click()
    assert sheet.cell(2, TITLE) == "Pump"
    sheet.press("Control+o")
    asked.get_by_role("button", name="Open another folder").click()
    sheet.wait("document.querySelector('#cell-2-4')?.textContent === 'Scan 2'")


def test_what_is_typed_right_after_a_key_goes_to_the_rule_that_the_key_opens_and_not_into_a_cell(private):
    sheet = private()
    sheet.go_to(1, TITLE)
    before = sheet.column(TITLE)
    assert sheet.tool.focused_at_once("h", ctrlKey=True, inside="#find-text")
    assert sheet.tool.focused_at_once("E", ctrlKey=True, shiftKey=True, inside="#split-pattern")
    sheet.type("words of a pattern")
    assert sheet.column(TITLE) == before


def test_a_pattern_that_never_comes_to_an_end_is_ended(private):
    sheet = private({f"{'a' * 60}!.pdf": "x"})
    sheet.page.evaluate("() => { window.isPatient = false; }")
    sheet.press("Control+h")
    sheet.type("(a+)+$")
    sheet.page.get_by_label("Regular expression").check()
    sheet.page.get_by_text("takes too long").first.wait_for()
    sheet.page.evaluate("() => { window.isPatient = true; }")
    sheet.page.get_by_label("Find", exact=True).fill("a{59}")
    sheet.page.get_by_text("changes 1 cell").wait_for()


def test_the_corner_of_a_cell_drags_a_series_and_cells_are_selected_by_the_mouse(private):
    sheet = private()
    sheet.page.locator("#cell-0-1").click()
    sheet.type("D-0098")
    sheet.press("Enter", "ArrowUp")
    box = sheet.page.locator(".sheet-handle").bounding_box()
    target = sheet.page.locator("#cell-3-1").bounding_box()
    sheet.page.mouse.move(box["x"] + 4, box["y"] + 4)
    sheet.page.mouse.down()
    sheet.page.mouse.move(target["x"] + 20, target["y"] + 10, steps=4)
    sheet.page.mouse.up()
    assert sheet.column(TRACKING) == ["D-0098", "D-0099", "D-0100", "D-0101", ""]
    sheet.page.locator("#cell-0-2").click()
    sheet.page.locator("#cell-2-3").click(modifiers=["Shift"])
    assert sheet.page.locator('[role=gridcell][aria-selected="true"]').count() == 6
    sheet.page.locator("#cell-4-4").dblclick()
    sheet.press("Control+a")
    sheet.type("Valve")
    sheet.press("Escape")
    assert sheet.cell(4, TITLE) == "Scan 5"
    assert sheet.page.locator(".sheet-handle").is_visible()


def test_statuses_and_numbers_are_offered(private):
    sheet = private({**VENDOR, GOOD: "x"})
    sheet.go_to(1, STATUS)
    sheet.press("Alt+ArrowDown", "ArrowDown", "ArrowDown", "Enter")
    assert sheet.cell(1, STATUS) == "IFA"
    sheet.go_to(1, TRACKING)
    sheet.type("acme")
    option = sheet.page.get_by_role("option", name="ACME-CIV-DWG-0001")
    option.wait_for()
    sheet.press("ArrowDown", "Enter")
    assert sheet.cell(1, TRACKING) == "ACME-CIV-DWG-0001"


def test_the_file_of_the_row_is_shown(private):
    png = "\u0089PNG\r\n\u001a\n"
    sheet = private(
        {"a.txt": "Hello \u202ethere", "b.html": "<script>parent.pwned=1</script>", "c.png": png, "d.dwg": "AC1032"}
    )
    sheet.tool.expect_complaint("Blocked script execution")
    sheet.press("Control+i")
    sheet.page.locator(".preview-text", has_text="Hello ⟦U+202E⟧there").wait_for()
    sheet.page.locator("#cell-1-1").click()
    assert sheet.page.locator("iframe.preview-frame").get_attribute("sandbox") == ""
    sheet.page.locator("#cell-2-1").click()
    sheet.page.locator(".preview-image img").wait_for()
    sheet.page.locator("#cell-3-1").click()
    sheet.page.get_by_text("No preview for 'dwg'").wait_for()


# what others' users reported


def test_the_viewer_of_a_pdf_does_not_take_the_keyboard(private):
    sheet = private()
    sheet.go_to(1, TITLE)
    sheet.press("Control+i")
    sheet.page.locator("iframe").wait_for()
    sheet.page.wait_for_timeout(3000)  # the viewer takes it when it has read the file
    sheet.type("Pump")
    sheet.press("Enter")
    assert sheet.cell(1, TITLE) == "Pump"


def test_reported_the_first_key_of_an_input_method_is_composed_and_enter_ends_only_the_composition(private):
    """jspreadsheet 1417, react-datasheet-grid 387: the first letter came out raw; mui-x 2338: Enter left the cell."""
    sheet = private()
    sheet.go_to(0, TITLE)
    session = sheet.page.context.new_cdp_session(sheet.page)
    session.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    assert sheet.page.evaluate("document.querySelector('.sheet').classList.contains('is-editing')")
    sheet.page.evaluate(
        """() => document.querySelector('.sheet-input').dispatchEvent(
             new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"""
    )
    assert sheet.page.evaluate("document.querySelector('.sheet').classList.contains('is-editing')")
    session.send("Input.insertText", {"text": "日本"})
    sheet.press("Enter")
    assert sheet.cell(0, TITLE) == "日本"


def test_reported_a_filter_that_hides_the_row_keeps_what_is_being_typed(private):
    """sv-grid 49: a filter while a cell was edited threw the edit away."""
    sheet = private()
    sheet.go_to(1, TITLE)
    sheet.type("Typed and not entered")
    sheet.page.locator("[data-search]").fill("scan 5")
    sheet.wait_for_rows(1)
    sheet.page.locator("[data-search]").fill("")
    sheet.wait_for_rows(5)
    assert sheet.cell(1, TITLE) == "Typed and not entered"
    assert sheet.cell(4, TITLE) == "Scan 5"


def test_reported_a_row_stays_where_it_is_after_an_edit_in_a_sorted_filtered_sheet(private):
    """mui-x 13728, canvas-datagrid 370: it jumped away; react-data-grid 532: another row was changed."""
    sheet = private()
    sheet.page.locator("[data-search]").fill("scan")
    sheet.page.locator(".sheet-head .sheet-title").click()
    sheet.page.locator(".sheet-head .sheet-title").click()
    assert sheet.cell(0, ORIGINAL) == "Scan 5.pdf"
    sheet.go_to(0, TITLE)
    sheet.type("Aaa")
    sheet.press("Enter")
    assert [sheet.cell(0, ORIGINAL), sheet.cell(0, TITLE)] == ["Scan 5.pdf", "Aaa"]
    sheet.button("Filter and sort again").click()
    assert sheet.column(ORIGINAL)[-1] == "Scan 5.pdf"


def test_reported_an_edit_goes_on_while_its_row_is_scrolled_out_of_sight(failing):
    """ui-grid 2980: scrolling ended the edit."""
    sheet = failing({f"Scan {n}.pdf": "" for n in range(400)})
    sheet.go_to(0, TITLE)
    sheet.type("Begun")
    sheet.page.evaluate("() => { document.querySelector('.sheet-scroll').scrollTop = 8000; }")
    sheet.page.locator("#cell-300-0").wait_for()
    sheet.type(", and done")
    sheet.press("Enter")
    assert sheet.cell(0, TITLE) == "Begun, and done"


def test_reported_the_clipboard_has_all_rows_of_a_range_and_quoted_cells(failing):
    """mui-x 1197: only drawn rows were copied; slickgrid-universal 1559: quoted line breaks began new rows."""
    sheet = failing({f"Scan {n}.pdf": "" for n in range(300)})
    sheet.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sheet.go_to(0, TITLE)
    sheet.paste('"Two\r\nlines"\r\nOne "quoted" word\r\n')
    assert [sheet.cell(0, TITLE), sheet.cell(1, TITLE), sheet.cell(2, TITLE)] == [
        "Two lines",
        'One "quoted" word',
        "Scan 2",
    ]
    sheet.go_to(0, TITLE)
    sheet.press("Control+Shift+ArrowDown", "Control+c")
    sheet.page.locator(".toast", has_text="Copied: 300 rows").wait_for()
    copied = sheet.page.evaluate("navigator.clipboard.readText()")
    assert len(copied.splitlines()) == 300
    sheet.go_to(0, TRACKING)
    sheet.press("Control+v")
    sheet.wait("document.querySelector('#cell-0-1').textContent === 'Two lines'")
    sheet.press("Control+x")
    assert sheet.cell(0, TRACKING) == ""


def test_reported_names_are_swapped_and_rename_is_pressed_twice(private):
    """nnn 971, ranger 1621: a swap lost a file; PowerToys 19883: a second click renamed again."""
    one, two = "A-1_A (IFC) - One.pdf", "A-1_A (IFC) - Two.pdf"
    sheet = private({one: "1", two: "2"})
    sheet.go_to(0, TITLE)
    sheet.paste("Two\r\nOne\r\n")
    sheet.button("Rename 2 files").click()
    sheet.page.get_by_role("dialog").get_by_role("button", name="Rename", exact=True).dblclick()
    sheet.page.get_by_role("dialog", name="Result").wait_for()
    assert sheet.tree() == {one: "2", two: "1"}
    sheet.press("Escape", "Control+s", "Enter")
    assert sheet.button("Rename…").is_disabled()
    assert sheet.tree() == {one: "2", two: "1"}
    sheet.undo_all()
    assert sheet.tree() == {one: "1", two: "2"}


def test_reported_two_rows_that_would_get_one_name_are_refused(private):
    """clifm 288: of files that got one name, one was left."""
    sheet = private()
    sheet.go_to(0, NEW_NAME)
    sheet.paste(f"{GOOD}\r\n{GOOD.upper().replace('PDF', 'pdf')}\r\n")
    assert "would get this name too" in sheet.cell(0, VERDICT)
    assert sheet.button("Two rows, one name").count() == 1
    assert sheet.button("Rename…").is_disabled()


# hostile texts


def test_hostile_names_run_nothing_and_are_shown_as_they_are(failing, evil):
    names = [text.replace("/", "\u2215") for text in evil]
    files = {f"{name}/{name}.pdf": "x" for name in names} | {f"{name}.txt": "y" for name in names}
    sheet = failing(
        files, height=2000, fragment="q=&pattern=" + "%3Cimg src=x onerror=pwned=1%3E&folder=%3Csvg%3E&check=__proto__"
    )
    shown = sheet.column(ORIGINAL)
    # What begins with "_" is no part of an archive.
    assert len(shown) == 2 * sum(not name.startswith("_") for name in names)
    assert not any(INVISIBLE.search(text) or "\n" in text for text in shown)
    sheet.page.locator("#cell-0-1").click()
    for column in (TRACKING, REVISION, STATUS, TITLE, EXTENSION, NEW_NAME):
        sheet.go_to(0, column)
        sheet.paste("".join('"' + text.replace('"', '""') + '"\r\n' for text in evil))
        sheet.press("Control+z")
        for text in evil[: 6 if SOAK else 2]:
            sheet.type(text)
            sheet.press("Enter")
    some = evil if SOAK else evil[::3]
    sheet.press("Control+Shift+e")
    for text in some:
        sheet.page.locator("#split-pattern").fill(text)
        sheet.page.locator("#split-pattern").press("Enter")
    sheet.press("Control+h")
    for text in some:
        sheet.page.locator("#find-text").fill(text)
        sheet.page.get_by_label("Replace with").fill(text)
        sheet.page.locator("#find-text").press("Enter")
    sheet.page.locator("[data-search]").fill(evil[0])
    sheet.page.locator("[data-search]").fill("")
    sheet.page.locator("#cell-0-1").click()
    sheet.press("Control+a", "Delete")
    sheet.go_to(0, TRACKING)
    sheet.paste(
        "".join(f"D-{n:04}\tA\tIFC\t" + '"' + text.replace('"', '""') + '"\tpdf\r\n' for n, text in enumerate(evil * 2))
    )
    if sheet.button("Rename…").count() == 0:
        sheet.page.locator(".tools .primary").click()
        sheet.page.get_by_role("dialog").get_by_role("button", name="Rename", exact=True).click()
        sheet.page.get_by_role("dialog", name="Result").wait_for()
        sheet.press("Escape")
        sheet.undo_all()
    assert set(sheet.tree()) == set(files)


def test_a_hostile_journal_renames_nothing_elsewhere(failing):
    heading = {"journal": "zddc rename", "version": 1, "created": "<img src=x onerror=pwned=1>", "steps": 1}
    steps = [{"from": "a", "to": "../b"}, {"from": "<img src=x onerror=pwned=1>", "to": "<script>pwned=1"}]
    files = {
        f".zddc-rename-{n}.jsonl": f"{json.dumps(heading)}\n{json.dumps(step)}\n" + '{"do": 0}\n'
        for n, step in enumerate(steps)
    }
    sheet = failing({**VENDOR, **files})
    dialog = sheet.page.get_by_role("dialog", name="Renames were stopped on their way")
    dialog.get_by_role("button", name="Take them back").click()
    sheet.page.locator(".toast", has_text="none of them is there").first.wait_for()
    assert sheet.tree() == VENDOR


# for everybody


def test_every_state_is_accessible(failing):
    """That of the page without a folder is looked at with those of the other pages."""
    sheet = failing({**VENDOR, GOOD: "x", "sub/ACME-CIV-DWG-0002_A(ifc)-Plan.pdf": "y"})
    sheet.tool.check_accessibility(in_dark=True)
    sheet.go_to(1, STATUS)
    sheet.press("Alt+ArrowDown")
    sheet.tool.check_accessibility(in_dark=True)
    sheet.press("Escape")
    name_all(sheet)
    fail(sheet, "act === 'move' && name === 'Scan 3.pdf' && 'NoModificationAllowedError'")
    sheet.button(re.compile(r"^Rename \d+ files")).wait_for()
    sheet.press("Control+s")
    sheet.page.get_by_role("dialog", name="Rename the files?").wait_for()
    sheet.tool.check_accessibility(in_dark=True)
    sheet.press("Enter")
    sheet.page.get_by_role("dialog", name="Result").wait_for()
    sheet.tool.check_accessibility(in_dark=True)
    # Last: the browser's own view of a PDF takes the focus when it is there.
    sheet.press("Escape", "Control+i")
    for summary in sheet.page.locator(".rule summary").all():
        summary.click()
    sheet.tool.check_accessibility(in_dark=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(failing, width):
    files = {f"From vendor/Scan {n}.pdf": f"scan {n}" for n in range(1, 40)}
    files |= {f"Drawings/ACME-CIV-DWG-{n:04}_A(ifc)-Foundation plan sheet {n}.pdf": "x" for n in range(1, 13)}
    files |= {f"Drawings/ACME-CIV-DWG-{n:04}_B (IFC) - Foundation plan sheet {n}.dwg": "y" for n in range(1, 8)}
    sheet = failing({**files, "Meeting notes.txt": "Minutes of the meeting\n\n1. Foundation plans\n"}, width=width)
    sheet.go_to(0, TRACKING)
    sheet.paste("ACME-MGT-MOM-0001\tA\tIFI\r\n")
    sheet.button(re.compile("Take 12 corrections")).click()
    for scheme in ("dark", "light"):
        sheet.tool.screenshot(f"classifier-{scheme}-{width}", scheme)
    assert sheet.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
