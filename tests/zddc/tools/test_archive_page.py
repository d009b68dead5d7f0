"""The archive page in a real Chromium: real folders, indexes, zips and servers, hostile names, keyboard, print."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from urllib.parse import quote

import pytest
from tests.zddc.tools.archives import HELD_FOLDER, listing, served_by, served_by_caddy, served_by_zddc, small_archive

from zddc.archive.index import Index
from zddc.archive.rows import file_row, revision_row
from zddc.archive.tree import walk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
REGISTER = '[data-region="middle"] .table'
# A browser that cannot ask where to save makes downloads, which a test can have.
NO_SAVE_PICKER = "delete window.showSaveFilePicker"
COLUMNS = ("tracking_number", "title", "revision", "status", "date", "party", "extension")

ROWS = """table => [...table.querySelectorAll('.table-row:not(.is-group)')].map(row =>
    [...row.children].slice(1).map(cell =>
        cell.querySelector('.revisions-cell')
            ? [...cell.querySelectorAll('.chip')].map(one => one.textContent).join(', ')
            : cell.textContent))"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The small archive, to read only."""
    root = tmp_path_factory.mktemp("archives") / "archive"
    small_archive().make(root)
    return root


@pytest.fixture
def copy(root, tmp_path):
    """The small archive, to change."""
    return shutil.copytree(root, tmp_path / "archive", symlinks=True)


def rows_of(tool):
    """Return the texts of all rows in view, without the box that selects."""
    return tool.page.locator(REGISTER).evaluate(ROWS)


def wait_for_status(tool, pattern):
    tool.page.locator('[role="status"]', has_text=re.compile(pattern)).first.wait_for()


def wait_for_rows(tool, count):
    tool.page.wait_for_function(
        "([table, count]) => document.querySelector(table)?.getAttribute('aria-rowcount') === String(count + 1)",
        arg=[REGISTER, count],
    )


def opened(open_page, root, count=17, **options):
    tool = open_page("archive", height=1100, **options)
    tool.drop(root)
    wait_for_rows(tool, count)
    return tool


def entries_of(root):
    """Return the files that a browser lists of a folder: it hides names that Windows cannot have."""
    return [
        entry
        for entry in Index(walk(root)).entries()
        if not re.search(r'[\x00-\x1f"*/:<>?\\|\u202e]|[. ]$|^con\.', entry.name, re.IGNORECASE)
    ]


def filter_by(tool, text):
    tool.page.locator("[data-search]").fill(text)


def run_action(tool, label):
    """Start what the palette has under a name."""
    tool.press("Control+k")
    tool.page.locator(".palette input").fill(label)
    tool.page.locator('.palette [aria-selected="true"]', has_text=label).wait_for()
    tool.press("Enter")
    tool.page.locator(".palette").wait_for(state="detached")


def downloaded(tool, label):
    with tool.page.expect_download() as waiting:
        run_action(tool, label)
    return waiting.value


def register_of(root):
    """Return the register as the command has it, in the page's columns."""
    rows = [revision_row(document, document.current) for document in Index(walk(root)).documents()]
    return [[row[column] for column in COLUMNS] for row in rows]


def shown_register(tool):
    """Return the register as the page shows it, in the same columns."""
    shown = []
    for number, title, revision, status, date, party, _, extensions in rows_of(tool):
        shown.append([number, title, revision, status, date, party, ", ".join(sorted(extensions.split(", ")))])
    return shown


def test_a_folder_dropped_on_the_page_is_the_register_of_the_command(open_page, root):
    tool = opened(open_page, root)
    assert shown_register(tool) == register_of(root)
    wait_for_status(tool, "^17 documents$")
    assert tool.page.locator(".place").inner_text() == "archive\nlocal · read-only"
    assert len(tool.requests) == 1
    tool.screenshot("archive-register")
    tool.check_accessibility()


def test_the_files_are_those_of_the_command_with_sizes_read_from_the_disk(open_page, root):
    entries = entries_of(root)
    tool = opened(open_page, root, len(entries), fragment="view=files&sort=-size")
    largest = max(entry.size for entry in entries)
    names = [entry.name for entry in entries if entry.size == largest]
    tool.page.wait_for_function(
        """([table, names]) => {
            const cells = document.querySelector(`${table} .table-row`)?.children;
            return cells && names.includes(cells[1].textContent) && / (B|KB)$/.test(cells[10].textContent);
        }""",
        arg=[REGISTER, names],
    )
    tool.check_accessibility()


def test_the_filter_answers_every_key_and_marks_what_is_wrong(open_page, root):
    tool = opened(open_page, root)
    index = Index(walk(root))
    for expression, test in (
        ("dwg", lambda row: "dwg" in row["tracking_number"].lower()),
        ("status:IFU", lambda row: row["status"] == "IFU"),
        ("ext:svg !drainage", lambda row: row["extension"] == "svg" and "Drainage" not in row["title"]),
    ):
        filter_by(tool, expression)
        counting = [entry for entry in index.entries() if "incoming" not in entry.folder and test(file_row(entry))]
        numbers = {row["tracking_number"] for row in map(file_row, counting)} & set(index.tracking_numbers())
        wait_for_rows(tool, len(numbers))
        assert {row[0] for row in rows_of(tool)} == numbers
    before = rows_of(tool)
    filter_by(tool, "ext:svg colour:red")
    wrong = tool.page.locator("#filter-error")
    wrong.wait_for()
    assert wrong.locator("mark").inner_text() == "colour"
    assert rows_of(tool) == before
    assert tool.page.locator("[data-search]").get_attribute("aria-invalid") == "true"
    tool.check_accessibility()
    filter_by(tool, "nothing-has-this")
    tool.page.get_by_role("button", name="Clear the filter and all choices").click()
    wait_for_rows(tool, 17)


def test_choices_narrow_the_list_and_stand_in_the_address(open_page, root):
    tool = opened(open_page, root)
    tool.page.get_by_role("button", name=re.compile("^Volt")).click()
    wait_for_rows(tool, 4)
    tool.page.get_by_label("Group by").select_option("discipline")
    wait_for_rows(tool, 5)
    group = tool.page.locator(".table-row.is-group")
    assert group.inner_text() == "ELE (4)"
    group.click()
    wait_for_rows(tool, 1)
    tool.page.wait_for_function("() => location.hash === '#party=Volt&group=discipline'")
    again = open_page("archive", fragment="party=Volt&group=discipline")
    again.drop(root)
    wait_for_rows(again, 5)


def test_a_document_shows_its_time_line_and_previews(open_page, root):
    tool = opened(open_page, root)
    tool.page.locator(".table-row", has_text="PS7-CIV-DWG-0003").locator(".table-cell").nth(1).dblclick()
    detail = tool.page.locator('[data-region="right"]')
    detail.locator(".time-line").wait_for()
    assert detail.locator(".time-line > li .chip.revision").all_inner_texts() == ["~1", "0", "B+C1", "B", "A+C1", "A"]
    assert detail.locator("li.is-current .chip.revision").inner_text() == "0"
    frame = detail.locator("iframe")
    frame.wait_for()
    assert frame.get_attribute("src").startswith("blob:")
    tool.page.wait_for_function("() => document.querySelector('iframe').clientHeight > 200")
    detail.get_by_role("button", name=re.compile("^svg 2025-05-05")).click()
    image = detail.locator(".preview-image img")
    image.wait_for()
    tool.page.wait_for_function("() => document.querySelector('.preview-image img').naturalWidth > 0")
    detail.get_by_role("button", name="Hash all copies").click()
    file = next(root.rglob("PS7-CIV-DWG-0003_0 (IFC) - Drainage.svg"))
    detail.get_by_role("button", name=hashlib.sha256(file.read_bytes()).hexdigest()).wait_for()
    tool.check_accessibility()
    tool.screenshot("archive-document")
    tool.press("Escape")
    detail.wait_for(state="detached")
    tool.page.wait_for_function("() => location.hash === '' || location.hash === '#'")


def test_text_and_tables_are_previewed(open_page, root):
    tool = opened(open_page, root)
    filter_by(tool, "ext:md concrete")
    wait_for_rows(tool, 1)
    tool.page.locator(".table-row").locator(".chip", has_text=re.compile("^md$")).click()
    text = tool.page.locator(".preview-text")
    text.wait_for()
    assert text.inner_text().startswith("---\nnumber: PS7-CIV-SPC-0001\n")
    filter_by(tool, "MDL")
    tool.page.locator(".table-row").locator(".chip", has_text=re.compile("^csv$")).click()
    table = tool.page.locator(".preview-table .table")
    table.wait_for()
    assert table.locator(".table-title").first.inner_text() == "tracking number"
    assert table.get_attribute("aria-rowcount") == "16"
    tool.check_accessibility()


def test_the_exports_hold_what_is_shown(open_page, root, tmp_path):
    tool = opened(open_page, root, before=NO_SAVE_PICKER, accept_downloads=True)
    filter_by(tool, "party:Volt tracking:^PS7-ELE-DWG")
    wait_for_rows(tool, 1)
    found = sorted(
        entry.path
        for entry in Index(walk(root)).entries()
        if (row := file_row(entry))["party"] == "Volt" and row["tracking_number"].startswith("PS7-ELE-DWG")
    )
    assert len(found) >= 5

    text = downloaded(tool, "Export as CSV").path().read_text(encoding="utf-8")
    assert text.startswith("\ufeffTracking Number,Title,Revision,Status,Extension,Size,Size (bytes),Path,Modified,")
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert sorted(row["Path"] for row in rows) == found
    sizes = {entry.path: entry.size for entry in Index(walk(root)).entries()}
    assert {row["Path"]: int(row["Size (bytes)"]) for row in rows} == {path: sizes[path] for path in found}

    exported = json.loads(downloaded(tool, "Export as JSON").path().read_text(encoding="utf-8"))
    assert sorted(row["path"] for row in exported) == found
    assert {row["is_current"] for row in exported if row["revision"] == "0"} == {True}

    report = downloaded(tool, "Export as an HTML report").path().read_text(encoding="utf-8")
    assert report.count("<tr") == len(found) + 1

    sums = downloaded(tool, "Export SHA256SUMS").path().read_text(encoding="utf-8")
    inside = [path for path in found if (root / path).is_file()]
    (tmp_path / "SHA256SUMS").write_text("".join(line for line in sums.splitlines(True) if line[66:-1] in inside))
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", tmp_path / "SHA256SUMS"], cwd=root, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert len(sums.splitlines()) == len(found)

    hashes = list(csv.reader(io.StringIO(downloaded(tool, "Export a hash report").path().read_text("utf-8")[1:])))
    assert [row[0] for row in hashes] == ["Path", *(row["Path"] for row in rows)]

    saved = downloaded(tool, "Export the files as a zip")
    assert re.fullmatch(r"archive-\d{8}T\d{6}Z\.zip", saved.suggested_filename)
    with zipfile.ZipFile(saved.path()) as made:
        assert made.testzip() is None
        common = os.path.commonpath([path.rpartition("/")[0] for path in found])
        assert sorted(made.namelist()) == sorted(os.path.relpath(path, common) for path in found)
        for path in inside:
            assert made.read(os.path.relpath(path, common)) == (root / path).read_bytes()


def test_what_is_selected_is_what_is_exported(open_page, root):
    tool = opened(open_page, root, before=NO_SAVE_PICKER, accept_downloads=True)
    tool.page.locator(".table-row").nth(0).locator(".table-cell").first.click()
    tool.page.locator(".table-row").nth(2).locator(".table-cell").nth(1).click(modifiers=["Shift"])
    wait_for_status(tool, "selected")
    numbers = [row[0] for row in rows_of(tool)[:3]]
    filter_by(tool, "volt")
    exported = json.loads(downloaded(tool, "Export as JSON").path().read_text(encoding="utf-8"))
    assert sorted({row["tracking_number"] for row in exported}) == sorted(numbers)
    filter_by(tool, "")
    tool.page.get_by_role("button", name="Selected only").click()
    wait_for_rows(tool, 3)


def test_all_that_is_shown_is_selected_where_only_hidden_rows_are(open_page, root):
    tool = opened(open_page, root)
    tool.page.locator(".table-row").first.locator(".table-cell").first.click()
    wait_for_status(tool, "selected")
    box = tool.page.locator(f'{REGISTER} [data-column="_selected"]')
    assert box.inner_text() == "☑"
    first = rows_of(tool)[0][0]
    filter_by(tool, f"!tracking:^{first}$")
    wait_for_rows(tool, 16)
    box.click()
    assert tool.page.locator('.table-row[aria-selected="true"]').count() == 16
    box.click()
    assert tool.page.locator('.table-row[aria-selected="true"]').count() == 0
    filter_by(tool, "")
    wait_for_rows(tool, 17)
    assert tool.page.locator('.table-row[aria-selected="true"]').count() == 1
    run_action(tool, "Select nothing")
    tool.page.wait_for_function(
        """table => document.querySelector(`${table} [data-column="_selected"]`).textContent === '☐'""", arg=REGISTER
    )


def test_a_file_that_cannot_be_read_is_told_once(open_page, root):
    entries = entries_of(root)
    tool = opened(
        open_page,
        root,
        len(entries),
        fragment="view=files",
        before="""
        const open = FileSystemFileHandle.prototype.getFile;
        FileSystemFileHandle.prototype.getFile = function () {
            if (!this.name.includes('SPC')) return open.call(this);
            return Promise.reject(new DOMException('gone', 'NotFoundError'));
        };
        """,
    )
    count = sum("SPC" in entry.name and ".zip" not in entry.folder for entry in entries)
    problems = tool.page.locator(".problem-count", has_text=f"{count} problems")
    problems.wait_for()
    for _ in range(5):  # each redraw asks for what is not known
        tool.press("ArrowDown")
        tool.page.wait_for_timeout(100)
    assert problems.is_visible()


def test_what_was_stopped_once_is_complete_in_an_export(open_page, root):
    tool = open_page(
        "archive",
        height=1100,
        accept_downloads=True,
        before=NO_SAVE_PICKER
        + """;
        window.mayRead = new Promise(done => { window.letRead = done; });
        const open = FileSystemFileHandle.prototype.getFile;
        FileSystemFileHandle.prototype.getFile = async function () {
            if (!this.name.endsWith('.zip')) await window.mayRead;
            return open.call(this);
        };
        """,
    )
    tool.drop(root)
    wait_for_rows(tool, 17)
    run_action(tool, "Stop what is running")
    tool.page.evaluate("letRead()")
    exported = json.loads(downloaded(tool, "Export as JSON").path().read_text(encoding="utf-8"))
    assert [row["path"] for row in exported if row["size"] is None] == []


def test_an_index_opens_at_once_and_is_compared_with_the_folder(open_page, copy):
    subprocess.run([sys.executable, "-m", "zddc", "index", copy], check=True, capture_output=True)
    (copy / "Pump station 7" / "Volt" / "PS7-ELE-NEW-0001_A (IFR) - New.txt").write_text("new")
    gone = next(copy.rglob("PS7-CIV-SPC-0001_0*.md"))
    gone.unlink()
    changed = next(copy.rglob("PS7-MEC-DAT-0001_0*.csv"))
    changed.write_text("other bytes\n")
    tool = open_page("archive", height=1100)
    tool.drop(copy)
    banner = tool.page.locator(".banner")
    banner.wait_for()
    assert "1 new, 1 gone, 1 changed" in banner.inner_text()
    wait_for_rows(tool, 18)
    assert shown_register(tool) == register_of(copy)
    tool.check_accessibility()


def test_an_index_of_a_folder_that_did_not_change_says_so(open_page, copy):
    subprocess.run([sys.executable, "-m", "zddc", "index", copy], check=True, capture_output=True)
    tool = open_page("archive")
    tool.drop(copy)
    wait_for_rows(tool, 17)
    wait_for_status(tool, "The folder is as its index says")
    hidden = len(list(Index(walk(copy)).entries())) - len(entries_of(copy))
    tool.page.get_by_role("button", name=f"{hidden} problems").click()
    assert tool.page.locator("#problems").inner_text().count("the browser hides this name") == hidden
    assert tool.page.locator(".banner").count() == 0


def test_an_index_that_is_none_is_a_problem_and_the_folder_is_read(open_page, copy):
    (copy / ".archive").mkdir()
    (copy / ".archive" / "index.json").write_text('{"version": 1, "files": [')
    tool = open_page("archive", height=1100)
    tool.drop(copy)
    wait_for_rows(tool, 17)
    tool.page.get_by_role("button", name="1 problem").click()
    assert "index.json: not JSON" in tool.page.locator("#problems").inner_text()


def test_an_index_is_saved_of_the_whole_folder_or_not_at_all(open_page, copy):
    subprocess.run([sys.executable, "-m", "zddc", "index", copy], check=True, capture_output=True)
    expected = {file["path"]: file for file in json.loads((copy / ".archive" / "index.json").read_text())["files"]}
    shutil.rmtree(copy / ".archive")
    tool = open_page("archive", height=1100, before=HELD_FOLDER + NO_SAVE_PICKER)
    tool.drop(copy)
    tool.page.get_by_role("row").nth(1).wait_for()
    with tool.page.expect_download() as waiting:
        run_action(tool, "Save index")
        tool.page.evaluate("() => { window.isHeld = false; }")
    saved = json.loads(waiting.value.path().read_text())
    seen = {entry.path for entry in entries_of(copy)}  # the browser hides some names
    assert {file["path"]: file for file in saved["files"]} == {path: expected[path] for path in seen}
    tool.page.evaluate("() => { window.isHeld = true; }")
    run_action(tool, "Read the folder again")
    run_action(tool, "Stop")
    run_action(tool, "Save index")
    tool.page.evaluate("() => { window.isHeld = false; }")
    tool.page.locator(".toast", has_text="not read to its end").wait_for()


def test_an_index_alone_and_a_zip_are_opened(open_page, copy, tmp_path):
    subprocess.run([sys.executable, "-m", "zddc", "index", copy], check=True, capture_output=True)
    tool = open_page("archive", height=1100)
    tool.drop(copy / ".archive" / "index.json")
    wait_for_rows(tool, 17)
    assert shown_register(tool) == register_of(copy)
    assert "cannot be opened" in tool.page.locator(".banner").inner_text()
    part = shutil.make_archive(str(tmp_path / "part"), "zip", copy, "Pump station 7/Rock")
    tool.page.locator("body").focus()
    tool.drop(tmp_path / "part.zip")
    tool.page.locator(".place-name", has_text="part.zip").wait_for()
    expected = register_of(copy / "Pump station 7" / "Rock")
    wait_for_rows(tool, len(expected))
    assert [row[0] for row in rows_of(tool)] == [row[0] for row in expected]
    assert part.endswith("part.zip")


def test_a_folder_comes_through_an_input_where_nothing_else_does(open_page, root):
    tool = open_page("archive", height=1100, before="delete window.showDirectoryPicker")
    assert tool.page.get_by_role("button", name="Open a folder").count() == 1  # the one in the bar
    tool.check_accessibility()
    tool.page.locator("#pick-folder").set_input_files(root)
    wait_for_rows(tool, 17)
    assert shown_register(tool) == register_of(root)


def test_a_lost_permission_keeps_what_is_shown_and_can_be_given_again(open_page, root):
    tool = opened(
        open_page,
        root,
        before="""
        const values = FileSystemDirectoryHandle.prototype.values;
        FileSystemDirectoryHandle.prototype.values = function () {
            if (window.isDenied) throw new DOMException('no', 'NotAllowedError');
            return values.call(this);
        };
        FileSystemHandle.prototype.requestPermission = async () => { window.isDenied = false; return 'granted'; };
        """,
    )
    tool.page.evaluate("window.isDenied = true")
    run_action(tool, "Read the folder again")
    banner = tool.page.locator(".banner[role=alert]")
    banner.wait_for()
    assert len(rows_of(tool)) == 17
    tool.check_accessibility()
    banner.get_by_role("button", name="Allow again").click()
    banner.wait_for(state="detached")
    wait_for_rows(tool, 17)


def test_a_server_of_ours_lists_all_in_one_request(open_page, root):
    with served_by_zddc(root, "lee@acme.example") as address:
        tool = open_page("archive", address=f"{address}Pump%20station%207/archive.html", height=1100)
        wait_for_rows(tool, 16)  # the prices are closed to lee
        asked = [one.removeprefix(address) for one in tool.requests]
        assert [one for one in asked if "recursive" in one] == ["Pump%20station%207/?recursive=1"]
        expected = [row for row in register_of(root) if row[0] != "PS7-MEC-DAT-0002"]
        assert shown_register(tool) == expected
        tool.page.locator(".table-row", has_text="Site layout").locator(".table-cell").nth(1).dblclick()
        link = tool.page.get_by_role("link", name="Link to the current revision")
        link.wait_for()
        assert link.get_attribute("href") == f"{address}Pump%20station%207/.archive/PS7-CIV-DWG-0001.html"
        got = tool.page.evaluate("address => fetch(address).then(answer => answer.status)", link.get_attribute("href"))
        assert got == 200
        tool.page.wait_for_function("() => document.querySelector('iframe')")
        tool.check_accessibility()


def test_a_server_of_somebody_else_is_read_folder_by_folder(open_page, copy, pages):
    (copy / "archive.html").write_text(pages["archive"], encoding="utf-8")
    with served_by_caddy(copy) as address:
        tool = open_page("archive", address=f"{address}archive.html", height=1100)
        # Its listing does not look into zips.
        with_zip = register_of(copy)
        wait_for_rows(tool, len(with_zip))
        assert [row[0] for row in rows_of(tool)] == [row[0] for row in with_zip]


def test_hostile_and_broken_listings_are_refused_line_by_line(open_page, pages):
    good = {"name": "A-1_B (IFC) - Pump.pdf", "size": 4, "mod_time": "2025-03-01T12:00:00Z", "is_dir": False}

    def answer(path):
        if path == "/archive.html":
            return 200, "text/html", pages["archive"].encode()
        if path.endswith("?recursive=1"):
            return 404, "text/plain", b"no"
        if path == "/broken/":
            return 500, "text/plain", b"no"
        if path == "/page/":
            return 200, "text/html", b"<p>no listing"
        evil = ("..", "../up", "/etc", "a/b", "", ".", "back\\slash", "nul\0")
        names = [{**good, "name": name} for name in evil] + [{**good, "name": "../", "is_dir": True}]
        odd = [{"name": 5}, {"size": 1}, {**good, "name": "broken/", "is_dir": True}]
        return listing(good, *names, *odd, {**good, "name": "page", "is_dir": True})

    with served_by(answer) as address:
        tool = open_page("archive", address=f"{address}archive.html")
        tool.expect_complaint("status of (404|500)")
        wait_for_rows(tool, 1)
        tool.page.get_by_role("button", name="11 problems").click()
        problems = tool.page.locator("#problems").inner_text()
        assert "broken: the folder cannot be listed: the server answered 500" in problems
        assert "page: the folder cannot be listed: the answer is not a listing of a folder" in problems
        own = [one.removeprefix(address) for one in tool.requests]
        assert set(own) == {"archive.html", "?recursive=1", "", "broken/", "page/"}


def test_a_server_that_forgot_who_asks_says_so(open_page, pages):
    def answer(path):
        if path == "/archive.html":
            return 200, "text/html", pages["archive"].encode()
        return 401, "text/plain", b"who are you"

    with served_by(answer) as address:
        tool = open_page("archive", address=f"{address}archive.html")
        tool.expect_complaint("status of 401")
        tool.page.locator(".banner[role=alert]").wait_for()
        assert tool.page.get_by_role("link", name="Sign in in another tab").count() == 1
        tool.check_accessibility()


def test_everything_is_done_without_a_mouse(open_page, root):
    """Filter, select, copy, open, preview, export, other screens: a story by keyboard only."""
    context = {"permissions": ["clipboard-read", "clipboard-write"]}
    tool = opened(open_page, root, before=NO_SAVE_PICKER, accept_downloads=True, **context)
    tool.press("/")
    tool.page.keyboard.insert_text("dwg")
    wait_for_rows(tool, 6)
    tool.press("ArrowDown", "ArrowDown", "Space", "Shift+ArrowDown")
    wait_for_status(tool, "selected")
    selected = tool.page.locator('.table-row[aria-selected="true"]')
    assert selected.count() == 2
    numbers = [row.split("\t")[0] for row in copied(tool).splitlines()]
    assert numbers == ["Tracking number", "PS7-CIV-DWG-0002", "PS7-CIV-DWG-0003"]
    tool.press("End", "Home", "ArrowUp")
    assert tool.page.evaluate("document.activeElement.getAttribute('role')") == "columnheader"
    tool.press("ArrowRight", "Enter")
    tool.page.locator('[aria-sort="ascending"]', has_text="Title").wait_for()
    tool.press("Enter")
    tool.page.locator('[aria-sort="descending"]', has_text="Title").wait_for()
    assert rows_of(tool)[0][1] == "Site layout"
    tool.press("ArrowDown", "Enter")
    tool.page.locator(".time-line").wait_for()
    tool.press("ArrowDown")
    tool.page.locator("#document-number", has_text="Single line diagram").wait_for()
    tool.press("F6")
    assert tool.page.evaluate("document.activeElement.closest('[data-region]').dataset.region") == "right"
    tool.press("Escape")
    assert tool.page.evaluate("document.activeElement.getAttribute('role')") == "gridcell"
    with tool.page.expect_download() as waiting:
        tool.press("Control+s")
    text = waiting.value.path().read_text(encoding="utf-8")
    assert {row["Tracking Number"] for row in csv.DictReader(io.StringIO(text[1:]))} == set(numbers[1:])
    tool.press("Control+a")
    run_action(tool, "Select nothing")
    assert selected.count() == 0
    run_action(tool, "Show Files")
    tool.page.locator('[role="columnheader"]', has_text="SHA-256").wait_for()
    tool.press("/")
    assert tool.page.evaluate("document.activeElement.dataset.search !== undefined")
    tool.press("Control+a", "Delete")
    wait_for_status(tool, "^[0-9]+ files$")


def copied(tool):
    """Copy what is selected, and return what is in the clipboard."""
    tool.press("Control+c")
    html = tool.page.evaluate(
        "navigator.clipboard.read().then(([item]) => item.getType('text/html')).then(blob => blob.text())"
    )
    assert "<table" in html
    return tool.page.evaluate("navigator.clipboard.readText()")


def test_names_titles_and_contents_that_would_run_or_hide_do_neither(open_page, evil, tmp_path):
    """From a server, which has names that a browser hides where it reads a folder itself."""
    root = tmp_path / "root"
    root.mkdir()
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
    for number, text in enumerate(evil):
        name = re.sub(r"[/\\\x00-\x1f\u2028\u2029]", "\u2215", text)[:60].strip() + "x"
        folder = root / name / "received" / f"2025-03-01_T-{number} (IFC) - {name}"
        folder.mkdir(parents=True)
        for extension in ("md", "csv", "html", "svg"):
            (folder / f"E-{number}_A (IFC) - {name}.{extension}").write_text(text, encoding="utf-8")
    page = root / "X-1_A (IFC) - Page.html"
    page.write_text("".join(evil), encoding="utf-8")
    (root / "X-2_A (IFC) - Drawing.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" onload="pwned=1" width="9" height="9"><script>pwned=1</script></svg>'
    )
    fragment = "&".join(f"{name}={quote(evil[at])}" for at, name in enumerate(("q", "doc", "file", "party", "sort")))
    with served_by_zddc(root) as address:
        tool = open_page("archive", address=f"{address}_tools/archive.html", height=1200, fragment=fragment)
        tool.expect_complaint("Content Security Policy|sandboxed")
        tool.page.locator(REGISTER).wait_for(state="attached")
        tool.page.evaluate("location.hash = ''")
        # A name that begins with an underscore is no part of an archive.
        numbers = [number for number, text in enumerate(evil) if not text.startswith("_")]
        wait_for_rows(tool, len(numbers) + 2)
        shown = tool.page.locator(REGISTER).inner_text()
        assert "<script>pwned=1<" in shown
        assert "⟦U+202E⟧" in shown
        assert "\u202e" not in shown
        for number in numbers:
            tool.page.evaluate("name => { location.hash = `doc=${name}`; }", f"E-{number}")
            tool.page.locator("#document-number", has_text=re.compile(rf"^E-{number} ")).wait_for()
            copies = tool.page.locator(".time-line .copy")
            # One kind of file of each, another for the next, or all kinds of all.
            for at in range(copies.count()) if SOAK else (number % copies.count(),):
                copies.nth(at).click()
                tool.page.locator(".preview[aria-busy=false]").wait_for()
        tool.page.evaluate("location.hash = 'doc=X-2'")
        tool.page.locator(".preview img").wait_for()
        tool.page.evaluate("location.hash = 'doc=X-1'")
        frame = tool.page.locator(".preview iframe")
        frame.wait_for()
        assert frame.get_attribute("sandbox") == ""
        tool.page.evaluate("location.hash = 'view=files'")
        wait_for_status(tool, "files$")


def test_all_rows_are_printed(open_page, root):
    if not shutil.which("pdftotext"):
        pytest.skip("there is no pdftotext on this machine")
    entries = entries_of(root)
    tool = opened(open_page, root, len(entries), fragment="view=files")
    printed = subprocess.run(["pdftotext", "-", "-"], input=tool.page.pdf(), capture_output=True, check=True).stdout
    words = "".join(printed.decode().split())
    missing = [
        entry.name
        for entry in entries
        if entry.name.isascii() and entry.name.isprintable() and "".join(entry.name.split()) not in words
    ]
    # A long name is broken over lines of a cell, which stand between other cells: its number and title are there.
    assert [name for name in missing if not all(part in words for part in re.findall(r"[A-Za-z0-9]+", name))] == []
    assert re.search(r"\d ?/ ?\d", printed.decode())
    assert tool.page.locator(".table-printed").count() == 0


def test_it_can_be_read_in_the_dark_and_on_a_narrow_window(open_page, root):
    tool = open_page("archive", width=390, height=800)
    tool.drop(root)
    wait_for_rows(tool, 17)
    tool.check_accessibility(in_dark=True)
    tool.screenshot("archive-narrow")
    tool.page.set_viewport_size({"width": 1280, "height": 900})
    tool.screenshot("archive-dark", "dark")
