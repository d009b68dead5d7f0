"""The landing page: what is there for a person, found by keyboard; what the browser allows; nothing hostile runs."""

import hashlib
import json
import re
from functools import partial

import pytest
from tests.zddc.tools.archives import open_to_hand_in, served_by, served_by_zddc

from zddc import tools

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KIM = "kim@acme.example"


def write(root, path, rules=None, name=None):
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    if rules is not None:
        (folder / ".zddc").write_text(rules)
    if name is not None:
        (folder / name).write_text("x")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("served") / "root"
    open_to_hand_in(root)
    write(root, ".", "acl: {allow: ['*@acme.example']}\nadmins: [kim@acme.example]\n")
    write(root, "P1", "title: Pump station 7\n")
    for day in (1, 2):
        folder = f"P1/Acme/received/2025-03-0{day}_A-{day} (IFA) - Set {day}"
        write(root, folder, name=f"A-{day}_A (IFA) - Title.pdf")
    write(root, "Harbour/Pipe-Co/issued/2025-11-12_H-1 (IFC) - Quay", name="H-1_0 (IFC) - Quay wall.pdf")
    write(root, "Closed", "acl: {deny: ['*']}\n")
    write(root, "Closed/for kim", "acl: {allow: [kim@acme.example]}\ntitle: Tenders\n", name="x.txt")
    return root


@pytest.fixture(scope="module")
def address(root):
    with served_by_zddc(root, KIM) as address:
        yield address


@pytest.fixture
def landing(open_page, address):
    tool = open_page("landing", address=address)
    tool.page.locator(".projects").wait_for()
    return tool


def names(page) -> list[str]:
    return page.locator(".projects tbody .names > :first-child").all_inner_texts()


def test_a_person_sees_her_projects_and_nothing_of_the_others(landing):
    page = landing.page
    assert names(page) == ["Drop/incoming", "Harbour", "Pump station 7", "Tenders"]
    row = page.locator("tbody tr", has_text="Pump station 7")
    assert row.locator("td").all_inner_texts()[1:5] == ["2", "2", "2025-03-02", "Hand in"]
    assert page.locator("tbody tr", has_text="Tenders").get_by_text("opened to you").is_visible()
    drop = page.locator("tbody tr", has_text="Drop/incoming")
    assert drop.locator("a.open").count() == 0
    assert drop.get_by_text("hand in only").is_visible()
    assert page.locator(".recent a").all_inner_texts() == ["H-1 (IFC) - Quay", "A-2 (IFA) - Set 2", "A-1 (IFA) - Set 1"]
    assert f"This server knows you as {KIM}" in page.locator(".side").inner_text()
    assert page.locator(".place .badge").inner_text() == f"served · {KIM}"
    page.locator(".status-line [role=status]", has_text=re.compile("^4 projects$")).wait_for()


def test_a_project_is_found_starred_and_opened_by_keyboard(landing):
    page = landing.page
    landing.press("/")
    page.keyboard.type("pump sta")
    assert names(page) == ["Pump station 7"]
    page.locator(".status-line [role=status]", has_text=re.compile("^1 of 4 projects$")).wait_for()
    page.wait_for_url("**#q=pump+sta")
    landing.press("Escape")
    assert len(names(page)) == 4
    landing.press("ArrowDown", "ArrowDown", "Space")
    page.wait_for_function("() => document.activeElement.dataset.name === 'P1'")
    assert names(page)[0] == "Pump station 7"
    page.reload()
    page.locator(".projects").wait_for()
    assert names(page)[0] == "Pump station 7"
    landing.press("/", "ArrowDown")
    with page.expect_navigation():
        landing.press("Enter")
    assert page.url.endswith("/P1/")


def test_columns_sort_and_the_view_is_in_the_address(landing):
    page = landing.page
    page.get_by_role("button", name="Last transmittal").click()
    assert names(page)[:2] == ["Harbour", "Pump station 7"]
    page.wait_for_url("**#sort=-latest")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Last transmittal")
    page.reload()
    page.locator(".projects").wait_for()
    assert names(page)[0] == "Harbour"
    page.get_by_role("button", name="Last transmittal").click()
    assert names(page)[-1] == "Harbour"


def test_why_one_may_see_a_project_is_told(landing):
    page = landing.page
    page.locator("tbody tr", has_text="Tenders").get_by_role("button", name="Why may I see this?").click()
    facts = page.locator(".facts")
    facts.wait_for()
    assert '/Closed/for kim/.zddc line 1: acl.allow "kim@acme.example"' in facts.inner_text()
    landing.check_accessibility()


def test_the_address_restricts_the_page_to_projects(open_page, address):
    page = open_page("landing", address=f"{address}?projects=P1,Drop").page
    page.locator(".projects").wait_for()
    assert names(page) == ["Drop/incoming", "Pump station 7"]
    page.get_by_role("link", name="Show all").click()
    page.locator("tbody tr", has_text="Harbour").wait_for()


def test_a_page_is_downloaded_and_then_known_as_the_one_of_this_server(landing, tmp_path):
    page = landing.page
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Start for offline use").click()
    saved = tmp_path / "landing.html"
    download.value.save_as(saved)
    assert saved.read_bytes() == tools.read_pages()["landing"].content
    other = tmp_path / "other.html"
    other.write_bytes(saved.read_bytes() + b" ")
    landing.drop(saved, other, at="#verify-zone")
    rows = page.locator(".checked tbody tr")
    rows.nth(1).wait_for()
    assert "the same as on this server" in rows.nth(0).inner_text()
    assert "not a page of this server" in rows.nth(1).inner_text()
    assert hashlib.sha256(other.read_bytes()).hexdigest() in rows.nth(1).inner_text()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_keeps_a_screen_reader_from_the_projects(open_page, address, width):
    tool = open_page("landing", address=address, width=width)
    tool.page.locator(".projects").wait_for()
    tool.check_accessibility(in_dark=True)
    assert tool.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    for scheme in ("dark", "light"):
        tool.screenshot(f"landing-{width}-{scheme}", scheme)


def test_who_sees_nothing_is_told_whom_to_ask(open_page, root):
    with served_by_zddc(root, "x@pipe.example") as address:
        tool = open_page("landing", address=address)
        tool.page.get_by_text("Nothing is open to you as x@pipe.example.").wait_for()
        tool.check_accessibility()


def given(**answers):
    """Answer some paths of a server of ours in another way: a status and a text."""

    def prepare(context):
        for path, (status, body) in answers.items():
            pattern = {"projects": "**/?projects*", "profile": "**/.profile/", "tools": "**/_tools/"}[path]
            context.route(pattern, partial(answer, status, body))

    def answer(status, body, route):
        route.fulfill(status=status, content_type="application/json", body=body)

    return prepare


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ({"profile": (401, "{}")}, "You are signed out."),
        ({"projects": (500, "")}, "The server did not answer: 500."),
        ({"projects": (200, '{"a": 1}')}, "the answer is not what a ZDDC server sends"),
        ({"projects": (503, "")}, "The server is still reading the archive."),
    ],
)
def test_an_answer_that_is_none_is_told(open_page, address, answers, line):
    tool = open_page("landing", address=address, prepare=given(**answers))
    tool.expect_complaint("Failed to load resource")
    tool.page.get_by_text(line).wait_for()
    tool.check_accessibility()


def test_hostile_answers_stay_text_and_lead_nowhere(open_page, address, evil):
    projects = [
        {
            "name": text, "title": text, "url": url, "entry": True, "documents": text, "transmittals": 1e400,
            "latest": text, "recent": [{"date": text, "name": text, "url": url}],
            "incoming": [{"name": text, "url": url}],
        }
        for text in evil
        for url in ("/P/", "javascript:pwned=1", "//evil.example/", "data:text/html,<script>pwned=1</script>")
    ]  # fmt: skip
    person = {"email": evil[0], "via": "__proto__", "is_admin": "yes"}
    pages = [{"name": "archive.html", "url": "javascript:pwned=1", "size": 1, "sha256": "a" * 64}, {"name": evil[0]}]
    answers = {"projects": projects, "profile": person, "tools": pages}
    as_text = {name: (200, json.dumps(value).replace("Infinity", "1e400")) for name, value in answers.items()}
    tool = open_page("landing", address=address, prepare=given(**as_text))
    page = tool.page
    page.locator(".projects").wait_for()
    assert page.locator("tbody tr").count() == len(evil)
    shown = page.locator("main").inner_text()
    assert "<script>pwned=1</script>" in shown
    assert "⟦U+202E⟧gnp.exe" in shown
    hrefs = page.eval_on_selector_all("main a", "links => links.map(one => one.href)")
    assert {href for href in hrefs if not href.startswith(address)} == set()
    assert page.locator("main").locator("script, img, iframe, style, base, meta, form, link").count() == 0


def test_a_server_of_somebody_else_is_asked_for_nothing(open_page):
    page = tools.read_pages()["landing"].content

    with served_by(lambda path: (200, "text/html; charset=utf-8", page)) as address:
        tool = open_page("landing", address=f"{address}landing.html")
        tool.page.locator(".siblings").wait_for()
        assert tool.requests == [tool.address]


def test_from_the_disk_it_says_what_the_browser_allows_and_checks_a_page(open_page, tmp_path):
    tool = open_page("landing")
    page = tool.page
    assert page.locator(".checks .badge").all_inner_texts() == ["works"] * 6
    assert [one.get_attribute("href") for one in page.locator(".siblings a").all()] == [
        "./archive.html", "./classifier.html", "./transmittal.html", "./mdedit.html",
    ]  # fmt: skip
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pages").click()
    file = tmp_path / "<img src=x onerror=pwned=1>.html"
    file.write_bytes(b"x")
    chooser.value.set_files(file)
    page.locator(".checked tbody tr").wait_for()
    shown = page.locator(".checked").inner_text()
    assert hashlib.sha256(b"x").hexdigest() in shown
    assert file.name in shown
    tool.check_accessibility()
    for scheme in ("light", "dark"):
        tool.screenshot(f"landing-offline-1280-{scheme}", scheme)


def test_a_browser_that_allows_less_says_what_to_do_instead(open_page):
    lacks = "delete window.showDirectoryPicker; delete DataTransferItem.prototype.getAsFileSystemHandle"
    page = open_page("landing", before=lacks).page
    assert page.locator(".checks .badge").all_inner_texts() == ["does not work"] * 3 + ["works"] * 3
    assert page.get_by_text("every page offers its result as a download").is_visible()
