"""The archive page hands in: names are checked first, files are sent whole, and a receipt tells what the server has."""

import hashlib

import pytest
from tests.zddc.tools.archives import open_to_hand_in, served_by_zddc

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KIM = "kim@acme.example"
FOLDER = "2025-05-01_A-9 (IFA) - More & 100% ü"
FILES = {
    "A-9_A (IFA) - Title #1.pdf": b"the content",
    "native/A-9_A (IFA) - Title #1.dwg": bytes(range(256)),
    "A-10_B (IFA) - Empty.txt": b"",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("served") / "root"
    open_to_hand_in(root)
    (root / "P1/Acme/issued").mkdir()
    (root / ".zddc").write_text("acl: {allow: ['*@acme.example']}\n")
    return root


@pytest.fixture(scope="module")
def address(root):
    with served_by_zddc(root, KIM) as address:
        yield address


@pytest.fixture
def folder(tmp_path):
    for path, content in FILES.items():
        (tmp_path / FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / FOLDER / path).write_bytes(content)
    return tmp_path / FOLDER


def choose(page, folder):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose the folder").click()
    chooser.value.set_files(folder)


def states(page):
    rows = page.locator("table.hand-in tbody tr")
    return dict(
        zip(rows.locator("td:first-child").all_inner_texts(), rows.locator(".badge").all_inner_texts(), strict=True)
    )


def test_who_may_only_hand_in_is_led_to_it_and_to_repeat_it_does_no_harm(open_page, address, root, folder):
    tool = open_page("landing", address=address)
    page = tool.page
    page.locator("tbody tr", has_text="Drop/incoming").get_by_role("link", name="Hand in", exact=True).click()
    page.get_by_role("heading", name="Hand in to incoming").wait_for()
    assert page.locator(".screen-head select").evaluate("one => one.selectedOptions[0].text") == "Drop/incoming"
    for said in ("handed in", "was there already"):
        choose(page, folder)
        page.get_by_role("button", name="Hand in 3 files").click()
        page.get_by_text("All 3 files are at the server").wait_for()
        assert set(states(page).values()) == {said}
        with page.expect_download() as receipt:
            page.get_by_role("button", name="Save the receipt").click()
        lines = receipt.value.path().read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if not line.startswith("#")] == sorted(
            (f"{hashlib.sha256(content).hexdigest()}  {FOLDER}/{path}" for path, content in FILES.items()),
            key=lambda line: line.split("  ", 1)[1],
        )
        assert [f"# Handed in to {address}Drop/incoming/", f"# as {KIM}"] == lines[:2]
        tool.check_accessibility()
        page.get_by_role("button", name="Another folder").click()
    there = root / "Drop" / "incoming" / FOLDER
    assert {str(one.relative_to(there)): one.read_bytes() for one in there.rglob("*") if one.is_file()} == FILES


def test_names_are_checked_before_and_sent_as_they_should_be(open_page, address, root, tmp_path):
    folder = tmp_path / "2025-05-02_A-11 (ifa) – Odd"
    folder.mkdir()
    for name in ("A-11_A (ifa) - Plan.pdf", "A-12_A (IFA) - Good.pdf", "no such name.txt"):
        (folder / name).write_text(name)
    tool = open_page("archive", address=f"{address}P1/", fragment="view=hand-in")
    page = tool.page
    page.locator(".drop-zone").wait_for()
    tool.drop(folder, at=".drop-zone")
    page.get_by_text("3 names are not right").wait_for()
    assert page.locator(".screen-head select").evaluate("one => one.selectedOptions[0].text") == "P1/Acme/incoming"
    page.get_by_text("right: 2025-05-02_A-11 (IFA) - Odd/A-11_A (IFA) - Plan.pdf").wait_for()
    page.get_by_text("no such name.txt no '_' after the tracking number").wait_for()
    tool.check_accessibility()
    tool.screenshot("archive-hand-in")
    page.get_by_label("Hand in under the right names").uncheck()
    assert page.get_by_role("button", name="Hand in the other 0 files").is_visible() is False
    page.get_by_label("Hand in under the right names").check()
    page.get_by_role("button", name="Hand in the other 2 files").click()
    page.get_by_text("All 2 files are at the server").wait_for()
    there = root / "P1/Acme/incoming/2025-05-02_A-11 (IFA) - Odd"
    assert {one.name: one.read_text() for one in there.iterdir()} == {
        "A-11_A (IFA) - Plan.pdf": "A-11_A (ifa) - Plan.pdf",
        "A-12_A (IFA) - Good.pdf": "A-12_A (IFA) - Good.pdf",
    }


def test_what_the_server_refuses_is_told_and_the_rest_goes_on_after_a_stop(open_page, address, root, folder):
    taken = root / "P1/Acme/incoming" / FOLDER
    taken.mkdir(parents=True)
    (taken / "A-9_A (IFA) - Title #1.pdf").write_bytes(b"other bytes")
    tool = open_page("archive", address=f"{address}P1/", fragment="view=hand-in")
    tool.expect_complaint("status of 409")
    page = tool.page
    page.locator(".drop-zone").wait_for()
    tool.drop(folder, at=".drop-zone")
    page.get_by_role("button", name="Hand in 3 files").click()
    page.get_by_text("another file has this name; hand in a new revision").wait_for()
    page.get_by_role("button", name="Go on where it stopped").wait_for()
    page.get_by_text("2 of 3 files handed in").first.wait_for()
    (taken / "A-9_A (IFA) - Title #1.pdf").unlink()
    page.get_by_role("button", name="Go on where it stopped").click()
    page.get_by_text("All 3 files are at the server").wait_for()
    assert (taken / "A-9_A (IFA) - Title #1.pdf").read_bytes() == b"the content"


def test_a_list_of_the_names_forbids_to_correct_them(open_page, address, folder):
    (folder / "A-11_A (ifa) - Plan.pdf").write_text("x")
    (folder / "SHA256SUMS").write_text("")
    tool = open_page("archive", address=f"{address}P1/", fragment="view=hand-in")
    page = tool.page
    page.locator(".drop-zone").wait_for()
    tool.drop(folder, at=".drop-zone")
    page.get_by_text("The transmittal lists the names as they are").wait_for()
    assert page.get_by_label("Hand in under the right names").count() == 0
    (wrong,) = (path for path, state in states(page).items() if state == "not sent")
    assert wrong.startswith("A-11_A (ifa) - Plan.pdf status 'ifa' is not one of")


def test_only_a_server_of_ours_is_handed_in_to(open_page):
    page = open_page("archive", fragment="view=hand-in").page
    page.get_by_role("heading", name="Open an archive").wait_for()
    assert page.get_by_role("button", name="Hand in", exact=True).count() == 0
