"""The archive page's screens Transmittals, Findings, Expected, Due, Check files and Compare, in a real Chromium."""

import csv
import io
import json
import os
import re
import shutil
from urllib.parse import quote

import pytest
from tests.zddc.tools.archives import HELD_FOLDER, small_archive

from zddc.archive.contents import sha256_of
from zddc.archive.findings import findings
from zddc.archive.index import Index
from zddc.archive.tree import walk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
PROJECT = "Pump station 7"
NO_SAVE_PICKER = "delete window.showSaveFilePicker"
# Rows of a table, without the box that selects; the head of a group is one text in brackets.
ROWS = """label => [...document.querySelectorAll('.table')]
    .filter(table => table.ariaLabel === label || table.querySelector(`[aria-label="${label}"]`))
    .flatMap(table => [...table.querySelectorAll('.table-row')].map(row => row.classList.contains('is-group')
        ? '[' + row.textContent + ']' : [...row.children].slice(1).map(cell => cell.textContent)))"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The small archive, to read only."""
    root = tmp_path_factory.mktemp("archives") / "archive"
    small_archive().make(root)
    return root


def rows_of(tool, label):
    return tool.page.evaluate(ROWS, label)


def groups_of(tool, label):
    return [row for row in rows_of(tool, label) if isinstance(row, str)]


def show(open_page, root, view, fragment="", **options):
    """Open the page on the archive, and show a screen of it."""
    tool = open_page("archive", fragment=f"view={view}{fragment}", height=1400, **options)
    tool.drop(root)
    tool.page.get_by_role("heading", level=1, name=re.compile(view, re.IGNORECASE)).first.wait_for()
    return tool


def downloaded(tool, button):
    with tool.page.expect_download() as told:
        tool.page.get_by_role("button", name=button, exact=True).click()
    return told.value.path().read_text(encoding="utf-8-sig")


def test_transmittals_are_shown_by_party_and_month_with_what_is_in_them(open_page, root):
    tool = show(open_page, root, "transmittals")
    tool.page.get_by_role("gridcell", name="PS7-TRN-0005").first.wait_for()
    heads = groups_of(tool, "Transmittals")
    assert any("Rock · 2025-05" in head for head in heads)
    assert any("Pipe-Co · 2025-05" in head for head in heads)
    assert any("Outstanding" in head for head in heads)
    shown = [row for row in rows_of(tool, "Transmittals") if not isinstance(row, str)]
    assert ["2025-05-05", "PS7-TRN-0005", "IFC", "Documents, 0", "received", "11"] in shown
    assert "PS7-TRN-0006" not in [row[1] for row in shown], "what was handed in is off at first"
    tool.page.get_by_role("button", name="incoming", exact=True).click()
    tool.page.get_by_role("gridcell", name="PS7-TRN-0006").first.wait_for()
    tool.page.get_by_role("gridcell", name="PS7-TRN-0005").first.dblclick()
    tool.page.get_by_role("heading", level=2, name="2025-05-05 PS7-TRN-0005").wait_for()
    files = [row for row in rows_of(tool, "Files of the transmittal") if not isinstance(row, str)]
    assert len(files) == 11
    assert ["PS7-CIV-DWG-0001", "Site layout", "0", "IFC", "pdf"] in files
    tool.check_accessibility()
    tool.screenshot("archive-transmittals")


def test_findings_are_those_of_the_command_when_the_bytes_are_compared(open_page, root):
    tool = show(open_page, root, "findings", before=NO_SAVE_PICKER)
    tool.page.get_by_role("button", name=re.compile("Compare the bytes of")).click()
    tool.page.get_by_text("The bytes of all copies are compared.").wait_for()
    tool.page.get_by_text("Conflicts: one name, other bytes").first.wait_for()
    rows = [*csv.reader(io.StringIO(downloaded(tool, "Save this list as CSV"), newline=""))]
    assert rows[0] == ["Kind", "Path", "What is odd", "Right name"]
    kinds = {"number", "conflict", "duplicate", "draft issued", "gap"}
    index = Index(walk(root))
    expected = {tuple(one) for one in findings(index, lambda entry: sha256_of(root, entry)) if one.kind in kinds}
    # The zip is not opened here, so a document that is only in it does not count.
    assert {(path, kind, reason) for kind, path, reason, _ in rows[1:] if kind in kinds} == expected
    (dash,) = [row for row in rows[1:] if "En dash" in row[1]]
    assert dash[3] == "PS7-ELE-DWG-0004_A (IFR) - En dash.pdf"
    assert not any(row[1].startswith(("=", "+", "-", "@")) for row in rows)
    tool.check_accessibility()
    tool.screenshot("archive-findings")


def test_a_list_says_what_was_promised_and_what_came(open_page, root):
    tool = show(open_page, root, "expected", before=NO_SAVE_PICKER)
    tool.check_accessibility()
    promised = (
        "Document No;Title;Rev;Due date\r\n"
        "PS7-CIV-DWG-0001;Site layout;0;2025-05-10\r\n"
        "PS7-CIV-DWG-0002;;0;2025-05-01\r\n"
        "PS7-CIV-DWG-0003;;A;2025-03-10\r\n"
        "PS7-CIV-SPC-0001;;1;2025-06-01\r\n"
        "PS7-STR-DWG-0001;Crane beam;;\r\n"
        "not a number;;;\r\n"
    )
    tool.page.get_by_label("List of deliverables").fill(promised)
    tool.page.get_by_role("button", name="Compare", exact=True).last.click()
    tool.page.get_by_text("1 line of the list cannot be taken as they are").wait_for()
    rows = [*csv.DictReader(io.StringIO(downloaded(tool, "Save this list as CSV"), newline=""))]
    states = {row["Tracking Number"]: row["State"] for row in rows}
    assert states["PS7-CIV-DWG-0001"] == "Received"
    assert states["PS7-CIV-DWG-0002"] == "Late"
    assert states["PS7-CIV-DWG-0003"] == "Superseded"
    assert states["PS7-CIV-SPC-0001"] == "Late"  # revision 1 was only handed in
    assert states["PS7-STR-DWG-0001"] == "Not received"
    assert states["PS7-CIV-CAL-0001"] == "Not on the list"
    assert {row["Tracking Number"]: row["Days late"] for row in rows}["PS7-CIV-DWG-0002"] == "4"
    tool.check_accessibility()
    tool.screenshot("archive-expected")


def test_what_has_no_answer_on_a_day_is_due(open_page, root):
    tool = show(open_page, root, "due", "&asof=2025-04-10", before=NO_SAVE_PICKER)
    rows = [*csv.DictReader(io.StringIO(downloaded(tool, "Save this list as CSV"), newline=""))]
    # Revision B of Rock's documents came for approval on the 2nd of April, and was answered on the 14th.
    assert rows
    assert {(row["Party"], row["Revision"], row["Due"], row["Days left"]) for row in rows} == {
        ("Rock", "B", "2025-04-16", "6")
    }
    tool.check_accessibility()
    tool.screenshot("archive-due")
    tool.page.get_by_label("As of").fill("2025-04-14")
    tool.page.get_by_text("Nothing waits for an answer.").wait_for()
    tool.page.get_by_label("As of").fill("2025-03-20")
    tool.page.get_by_role("gridcell", name="4 days", exact=True).first.wait_for()


def test_a_transmittal_that_asks_for_a_day_is_due_on_it(open_page, root, tmp_path):
    asking = shutil.copytree(root, tmp_path / "archive", symlinks=True)
    folder = next((asking / PROJECT / "Rock/received").glob("2025-04-02_PS7-TRN-0003*"))
    page = folder / "PS7-TRN-0003_2025-04-02 (IFA) - Documents.html"
    page.write_text(
        '<!doctype html><script id="transmittal-data" type="application/json">'
        '{"payload": {"responseDue": "2025-04-30"}}</script>',
        encoding="utf-8",
    )
    tool = show(open_page, asking, "due", "&asof=2025-04-10")
    tool.page.get_by_role("gridcell", name="2025-04-30").first.wait_for()
    assert "20 days" in [row[1] for row in rows_of(tool, "What waits for an answer") if not isinstance(row, str)]


def test_loose_files_are_current_superseded_changed_or_unknown(open_page, root, tmp_path):
    received = root / PROJECT / "Rock/received"
    current = next(received.glob("2025-05-05*/PS7-CIV-DWG-0001_0 (IFC)*.pdf"))
    old = next(received.glob("2025-03-03*/PS7-CIV-DWG-0001_A (IFR)*.pdf"))
    loose = tmp_path / "loose"
    loose.mkdir()
    shutil.copy(current, loose / "renamed by somebody.pdf")
    shutil.copy(old, loose)
    data = next(received.glob("2025-05-05*/PS7-CIV-DWG-0002_0 (IFC)*.dxf"))
    (loose / data.name).write_bytes(data.read_bytes() + b"changed")
    (loose / "holiday.jpg").write_bytes(b"nothing of the archive")
    tool = show(open_page, root, "check")
    tool.check_accessibility()
    tool.drop(loose, at=".drop-zone")
    tool.page.get_by_role("gridcell", name="superseded by 0 since 2025-05-05").wait_for()
    tool.page.wait_for_function("() => !document.querySelector('.running')")
    shown = rows_of(tool, "Checked files")
    verdicts, head = {}, ""
    for row in shown:
        if isinstance(row, str):
            head = row
        else:
            verdicts[row[0].rpartition("/")[2]] = head
    assert "[Current" in verdicts["renamed by somebody.pdf"]
    assert "[Superseded" in verdicts[old.name]
    assert "other bytes" in verdicts[data.name]
    assert "[Unknown" in verdicts["holiday.jpg"]
    tool.check_accessibility()
    tool.screenshot("archive-check")


def test_files_dropped_while_the_archive_is_read_or_before_it_is_read_again_are_compared_with_it(
    open_page, root, tmp_path
):
    own = tmp_path / "archive"
    shutil.copytree(root, own, symlinks=True)
    current = next((own / PROJECT / "Rock/received").glob("2025-05-05*/PS7-CIV-SPC-0001_0 (IFC)*.md"))
    loose = tmp_path / "loose"
    loose.mkdir()
    shutil.copy(current, loose)
    tool = open_page("archive", fragment="view=check", height=1400, before=HELD_FOLDER)
    tool.drop(own)
    tool.drop(loose, at=".drop-zone")
    tool.page.evaluate("() => { window.isHeld = false; }")
    tool.page.locator(".table-row.is-group", has_text="Current (1)").wait_for()
    current.write_bytes(current.read_bytes().swapcase())
    tool.press("Control+k")
    tool.page.locator(".palette input").fill("Read the folder again")
    tool.page.locator('.palette [aria-selected="true"]', has_text="Read the folder again").wait_for()
    tool.press("Enter")
    tool.page.locator(".table-row.is-group", has_text="other bytes (1)").wait_for()


def test_texts_too_long_to_be_compared_as_a_whole_say_so(open_page, tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    line = "a" * 199 + "\n"
    for revision, end in (("A", "old"), ("B", "new")):
        (folder / f"A-1_{revision} (IFC) - Log.txt").write_text(line * 10_100 + end)
    tool = show(open_page, folder, "compare", "&of=A-1")
    tool.page.get_by_text("Only the first 2 MB of each text are compared.").wait_for()


def test_two_revisions_are_compared_word_by_word(open_page, root):
    old = next((root / PROJECT / "Rock/received").glob("2025-03-03*/PS7-CIV-SPC-0001_A*.md")).relative_to(root)
    new = next((root / PROJECT / "Rock/received").glob("2025-05-05*/PS7-CIV-SPC-0001_0*.md")).relative_to(root)
    tool = show(open_page, root, "compare", f"&of=PS7-CIV-SPC-0001&old={quote(str(old))}&new={quote(str(new))}")
    tool.page.get_by_text("The bytes differ.").wait_for()
    tool.page.locator(".diff").wait_for()
    removed, added = (tool.page.locator(f".diff {tag}").all_text_contents() for tag in ("del", "ins"))
    assert "A" in removed
    assert "0" in added
    assert "IFR" in removed
    assert "IFC" in added
    tool.check_accessibility(".screen")
    tool.screenshot("archive-compare")
    tool.page.get_by_role("button", name="Swap").click()
    tool.page.wait_for_function(
        "() => [...document.querySelectorAll('.diff ins')].some(one => one.textContent === 'IFR')"
    )


def test_two_drawings_stand_side_by_side(open_page, root):
    tool = show(open_page, root, "compare", "&doc=PS7-CIV-DWG-0001")
    tool.page.locator("iframe").nth(1).wait_for()
    assert all(frame.get_attribute("src").startswith("blob:") for frame in tool.page.locator("iframe").all())
    tool.page.get_by_role("columnheader", name="SHA-256").wait_for()


def test_dark_and_narrow_screens_are_readable(open_page, root):
    tool = show(open_page, root, "due", "&asof=2025-04-10", scheme="dark", width=390)
    for view in ("due", "transmittals", "findings", "expected", "check", "compare"):
        tool.page.evaluate("view => { location.hash = `view=${view}&asof=2025-04-10` }", view)
        tool.page.get_by_role("heading", level=1, name=re.compile(view, re.IGNORECASE)).first.wait_for()
        tool.check_accessibility()
        tool.screenshot(f"archive-{view}-dark-390")


def hostile_archive(evil, root):
    """Write files and folders with hostile names, as far as a disk takes them, and give them hostile contents."""
    folder = root / "Party/received/2025-01-01_T-1 (IFR) - Plans"
    folder.mkdir(parents=True)
    for number, text in enumerate(evil):
        name = re.sub(r"[/\x00]", "-", text)[:80].encode()[:180].decode(errors="ignore")
        for at, revision in enumerate("AB"):
            (folder / f"H-{number}_{revision} (IFR) - {name}.txt").write_text(f"{text}\n{at}\n", encoding="utf-8")
        inside = root / name / f"received/2025-01-02_T-2 (IFR) - {name}"
        inside.mkdir(parents=True)
        (inside / f"{name}.csv").write_text(f"{text},{text}\n", encoding="utf-8")


def visit(tool, evil):
    """Show every screen, open what is there, and paste a hostile list."""
    for view in ("register", "files", "transmittals", "findings", "due", "check", "compare", "expected"):
        tool.page.evaluate("view => { location.hash = `view=${view}&doc=H-0` }", view)
        tool.page.wait_for_timeout(150)
    lines = ["\t".join((f"H-{number}", text, text, text)) for number, text in enumerate(evil)]
    tool.page.get_by_label("List of deliverables").fill("\n".join([*lines, *evil]))
    tool.page.get_by_role("button", name="Compare", exact=True).last.click()
    tool.page.get_by_label("Expected documents").first.wait_for()
    tool.page.get_by_text(re.compile("lines of the list cannot")).click()


def test_nothing_of_a_hostile_folder_runs(open_page, evil, tmp_path):
    root = tmp_path / "hostile"
    hostile_archive(evil, root)
    tool = show(open_page, root, "transmittals")
    visit(tool, evil)
    for number in range(0, len(evil), 4):
        tool.page.evaluate("number => { location.hash = `view=compare&doc=H-${number}` }", number)
        # The browser does not list what Windows cannot hold.
        tool.page.locator(".diff, .empty").first.wait_for()
    loose = tmp_path / "loose"
    hostile_archive(evil, loose)
    tool.page.evaluate("() => { location.hash = 'view=check' }")
    tool.page.get_by_role("heading", level=1, name="Check files").wait_for()
    tool.drop(loose, at=".drop-zone")
    tool.page.get_by_label("Checked files").first.wait_for()
    assert tool.page.evaluate("'pwned' in window") is False


def test_nothing_of_a_hostile_index_runs(open_page, evil, tmp_path):
    files = [
        {"path": f"{text}/received/2025-01-01_T-{number} (IFR) - {text}/H-{number}_A (IFR) - {text}.pdf", "size": 1}
        for number, text in enumerate(evil)
    ]
    files += [{"path": text, "size": 1} for text in evil]
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"version": 1, "files": files}), encoding="utf-8")
    tool = open_page("archive", height=1400)
    tool.drop(index)
    tool.page.locator('[data-region="middle"] .table').wait_for()
    visit(tool, evil)
    assert tool.page.evaluate("'pwned' in window") is False


def test_nothing_of_a_hostile_address_runs(open_page, root, evil):
    tool = show(open_page, root, "compare", "&doc=PS7-CIV-DWG-0001")
    parameters = {"view": "due", "doc": "due", "of": "compare", "old": "compare", "new": "compare"}
    parameters |= {"transmittal": "transmittals", "days": "due", "asof": "due"}
    tool.page.evaluate(
        """async ([parameters, texts]) => {
            for (const [name, view] of parameters) for (const text of texts) {
                location.hash = new URLSearchParams({view, of: "PS7-CIV-DWG-0001", [name]: text}).toString();
                await new Promise(done => setTimeout(done));
            }
        }""",
        [[*parameters.items()], evil if SOAK else evil[::3]],
    )
    tool.page.evaluate("() => { location.hash = 'view=transmittals' }")
    tool.page.get_by_role("heading", level=1, name="Transmittals").wait_for()
    assert tool.page.evaluate("'pwned' in window") is False
