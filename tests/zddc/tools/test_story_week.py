"""A week of two people: vendor files are named, sent, handed in, received, found, answered, and then nothing is due.

Lee is at Pipe-Co and has her files on her disk; Kim keeps Acme's archive, which a server shows to both.
"""

import datetime
import hashlib
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tests.zddc.tools.archives import served
from tests.zddc.tools.classifier_folders import PRIVATE_FOLDER, Sheet, served_page
from tests.zddc.tools.transmittal_folders import PASSWORD, Tool, known_keys, write_key
from tests.zddc.transmittal import made

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 500
LEE, KIM = "lee@pipe-co.example", "kim@acme.example"
TODAY = datetime.datetime.now().astimezone().date()
SENT, ANSWERED = (str(TODAY - datetime.timedelta(days)) for days in (4, 1))
NUMBER = "PCO-TRN-0001"
SENT_FOLDER = f"{SENT}_{NUMBER} (IFR) - Vendor drawings"
ANSWER_FOLDER = f"{ANSWERED}_{NUMBER} (RSA) - Review of vendor drawings"
PAGE = f"{NUMBER}_{SENT} (IFR) - Vendor drawings.html"
COMMENTS = "ACME-MGT-CRS-0001_A (RSA) - Comment sheet.md"
NAMES = [f"PCO-MEC-DWG-{n:04}_A (IFR) - {'Pump' if n == 77 else 'Pipe'} support {n}.pdf" for n in range(1, COUNT + 1)]


def run(*arguments, at=None):
    """Run the command, and return the lines that it prints as JSON, if they are."""
    command = [sys.executable, "-m", "zddc", *map(str, arguments)]
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()] if "--json" in arguments else []


def digests(folder):
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir() if one.is_file()}


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """What both have on Monday: Lee a folder of scans, Kim an archive, each a key, and the other's fingerprint."""
    top = tmp_path_factory.mktemp("week")
    sent = top / "lee" / SENT_FOLDER
    sent.mkdir(parents=True)
    for number in range(1, COUNT + 1):
        (sent / f"scan{number:04}.pdf").write_bytes(b"%%PDF-1.4\n%d\n" % number * 20)
    (top / "kim").mkdir()
    root = top / "archive"
    party = root / "Pump station" / "Pipe-Co"
    for name in ("incoming", "received", "issued"):
        (party / name).mkdir(parents=True)
    (root / ".zddc").write_text("acl: {allow: ['*@acme.example']}\n")
    (root / "Pump station" / ".zddc").write_text("title: Pump station 7\n")
    (party / ".zddc").write_text("acl: {allow: ['*@pipe-co.example']}\n")
    (party / "incoming" / ".zddc").write_text("acl: {permissions: {'*@pipe-co.example': rc}}\n")
    password = top / "password"
    password.write_text(f"{PASSWORD}\n")
    keys, known = {}, {}
    for name, other, private in (("lee", "kim", made.SENDER), ("kim", "lee", made.RECEIVER)):
        keys[name] = write_key(top / name, private)
        known[other] = known_keys(top / other, **{name.title(): made.THUMBPRINTS[private is made.RECEIVER]})
    return SimpleNamespace(sent=sent, root=root, party=party, keys=keys, known=known, password=password)


@pytest.fixture(scope="module")
def address(week):
    """The archive, served: a sign-in in front of it tells who asks."""
    options = ("--tls", "none", "--trusted-proxy", "127.0.0.1", "--audit-log", "-")
    with served(week.root, *options) as address:
        yield address


def rename_the_scans(open_page, folder):
    """Give the scans of a folder good names, in a private folder of the browser, and take all of it back to the disk.

    On real files the browser checks and copies the journal with each line, which for 500 takes minutes; a test of the
    classifier does it with some.
    """
    scans = {one.name: one.read_text() for one in sorted(folder.iterdir())}
    with served_page() as address:
        sheet = Sheet(open_page("classifier", address=address, before=PRIVATE_FOLDER)).open(scans)
        sheet.go_to(0, 1)
        rows = [re.fullmatch(r"(.+)_(A) \((IFR)\) - (.+)\.pdf", name).groups() for name in NAMES]
        sheet.paste("".join("\t".join(row) + "\r\n" for row in rows))
        assert f"Renamed: {COUNT}" in sheet.apply()
        renamed = sheet.tree()
    for name in scans:
        (folder / name).unlink()
    for name, text in renamed.items():
        (folder / name).write_text(text)


def publish(folder, open_window, key, kind, **fields):
    """Make the transmittal of a folder on the disk, sign it, and publish it into that folder."""
    with open_window("transmittal") as tool:
        page = Tool(tool)
        page.drop(folder)
        page.page.locator("#field-trackingNumber").wait_for()
        page.page.locator("select").filter(has_text="Submittal").select_option(kind)
        page.fill(**fields)
        page.open_key(key, PASSWORD)
        page.page.get_by_text("Ready to publish").first.wait_for()
        page.button("Publish").click()
        dialog = page.page.get_by_role("dialog")
        assert dialog.get_by_role("radio", name=re.compile("^Signed")).is_checked()
        dialog.get_by_role("button", name="Publish", exact=True).click()
        verdict = page.page.locator(".verdict [role=status]")
        open_window.allow(verdict)
        assert verdict.inner_text().startswith("Intact and complete"), verdict.inner_text()


def hand_in(open_page, week, address):
    tool = open_page("landing", address=address, extra_http_headers={"X-Auth-Request-Email": LEE})
    page = tool.page
    page.get_by_role("link", name="Hand in", exact=True).click()
    page.get_by_role("heading", name="Hand in to incoming").wait_for()
    page.locator(".screen-head select option").first.wait_for(state="attached")
    assert page.locator(".screen-head select option").all_inner_texts() == ["Pump station/Pipe-Co/incoming"]
    tool.drop(week.sent, at=".drop-zone")
    page.get_by_role("button", name=f"Hand in {COUNT + 2} files").click()
    page.get_by_text(f"All {COUNT + 2} files are at the server").wait_for(timeout=600_000)
    tool.screenshot("story-hand-in")
    with page.expect_download() as receipt:
        page.get_by_role("button", name="Save the receipt").click()
    lines = receipt.value.path().read_text().splitlines()
    assert f"# as {LEE}" in lines
    told = dict(reversed(line.split("  ", 1)) for line in lines if not line.startswith("#"))
    there = week.party / "incoming" / SENT_FOLDER
    assert told == {f"{SENT_FOLDER}/{name}": digest for name, digest in digests(there).items()}
    assert digests(there) == digests(week.sent)


def find_and_see_what_is_due(open_page, address):
    tool = open_page("archive", address=f"{address}Pump%20station/", extra_http_headers={"X-Auth-Request-Email": KIM})
    page = tool.page
    page.locator("[data-search]").fill("pump support status:IFR")
    row = page.get_by_role("row").filter(has_text="PCO-MEC-DWG-0077")
    row.first.wait_for()
    page.get_by_text(re.compile(rf"^1 of {COUNT + 1} documents")).first.wait_for()
    row.first.dblclick()
    page.locator("#document-number", has_text="PCO-MEC-DWG-0077").wait_for()
    page.get_by_role("button", name="Due", exact=True).click()
    page.get_by_text("Ours to answer").first.wait_for()
    tool.screenshot("story-due")
    return tool


@pytest.mark.timeout(1800)  # a week is long on a busy machine
def test_a_week_of_two_people(open_page, open_window, week, address):
    before = sorted(digests(week.sent).values())
    rename_the_scans(open_page, week.sent)
    assert sorted(one.name for one in week.sent.iterdir()) == NAMES
    assert sorted(digests(week.sent).values()) == before

    fields = {"from": "Pipe-Co", "to": "Acme", "responseDue": str(TODAY + datetime.timedelta(7))}
    publish(week.sent, open_window, week.keys["lee"], "Submittal", **fields)
    assert sorted({one.name for one in week.sent.iterdir()} - set(NAMES)) == [PAGE, "SHA256SUMS"]
    hand_in(open_page, week, address)

    # Kim receives it, which acknowledges it, and Lee checks that on her side.
    signing = ("--known", week.known["kim"], "--sign", week.keys["kim"], "--password-file", week.password)
    run("receive", week.party / "incoming" / SENT_FOLDER, *signing)
    received = week.party / "received" / SENT_FOLDER
    assert not any((week.party / "incoming" / SENT_FOLDER).glob("*"))
    (acknowledgement,) = received.glob("*Acknowledgement of receipt.html")
    told = run("verify", received, "--known", week.known["lee"], "--json")
    signed = [(one["path"], one["verdict"], one["name"]) for one in told if "verdict" in one]
    assert (acknowledgement.name, "valid, known key", "Kim") in signed

    archive = find_and_see_what_is_due(open_page, address)
    assert len(run("due", "--json", at=week.root)) == COUNT

    # The answer: a comment sheet, in a transmittal of the same number with RSA.
    answer = week.party / "issued" / ANSWER_FOLDER
    answer.mkdir()
    (answer / COMMENTS).write_text("# No comments\n\nProceed.\n")
    publish(answer, open_window, week.keys["kim"], "Transmittal", **{"from": "Acme", "to": "Pipe-Co"})
    run("verify", answer, "--known", week.known["lee"], "--require-known")
    assert run("due", "--json", at=week.root) == []
    archive.page.reload()
    archive.page.get_by_text("Nothing waits for an answer.").wait_for()
