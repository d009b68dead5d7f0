"""The transmittal page makes, publishes and checks transmittals, and says of each no more than it knows."""

import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess

import pytest
from tests import waiting
from tests.zddc.tools.classifier_folders import PRIVATE_FOLDER
from tests.zddc.tools.transmittal_folders import PASSWORD, TOOLS, Tool, known_keys, served_by, write_key
from tests.zddc.transmittal import made

from zddc.hashing import read_list, verify
from zddc.naming import parse_folder
from zddc.transmittal.acknowledgement import make_acknowledgement
from zddc.transmittal.checks import ACKNOWLEDGEMENT
from zddc.transmittal.data import TEXTS, ListedFile, Transmittal, parse_transmittal, read_transmittal
from zddc.transmittal.delivery import check_delivery, find_page, find_pages, list_files
from zddc.transmittal.keys import open_key, parse_key_file
from zddc.transmittal.page import make_page, read_viewer
from zddc.transmittal.publishing import PRESENTATION
from zddc.transmittal.signatures import check_signatures, make_envelope
from zddc.transmittal.writing import make_payload

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = list(made.FILES)
SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


@pytest.fixture
def tool(open_page):
    return Tool(open_page("transmittal", accept_downloads=True))


@pytest.fixture
def written(open_page):
    """The page from a server, whose picker gives a private folder that is written for real."""
    page = (TOOLS / "transmittal.html").read_bytes()
    with served_by(lambda _: (200, "text/html; charset=utf-8", page)) as address:
        yield Tool(open_page("transmittal", address=f"{address}transmittal.html", before=PRIVATE_FOLDER))


def check(tool, *paths):
    tool.drop(*paths)
    tool.page.locator(".counts").wait_for()


def test_a_folder_that_python_sent_is_verified_and_green_only_with_a_known_key(tool, tmp_path):
    folder = made.send(tmp_path)
    check(tool, folder)
    assert tool.counts() == {"verified": 3}
    assert tool.verdict() == "Intact and complete. Signed, but you do not know the key yet."
    assert tool.page.locator(".good:not(.counts *)").count() == 0
    file = known_keys(tmp_path, Acme=made.THUMBPRINTS[0])
    tool.drop(file)
    tool.page.locator(".notice.good").wait_for()
    assert tool.verdict() == "Intact, complete, and signed with a key that you know."
    assert "This is the key of Acme." in tool.page.locator(".signature").inner_text()


def test_each_difference_is_told_as_python_tells_it(tool, tmp_path):
    folder = made.send(tmp_path)
    (folder / NAMES[0]).write_bytes(b"other bytes\n")
    (folder / "elsewhere").mkdir()
    (folder / NAMES[1]).rename(folder / "elsewhere" / NAMES[1].rpartition("/")[2])
    (folder / NAMES[2]).rename(folder / "drawings" / "Renamed.pdf")
    (folder / "_more.txt").write_text("more")
    (folder / ".hidden").write_text("more")
    (folder / "Thumbs.db").write_text("litter")
    check(tool, folder)
    page, confirmed = find_page(folder)
    expected = check_delivery(folder, page, confirmed, []).findings
    kinds = {"changed": "changed", "moved": "moved", "renamed": "renamed", "extra": "not listed"}
    rows = tool.page.locator("section[aria-labelledby=checked-head] > .scroll").first.locator("tbody tr")
    told = sorted(tuple(row.locator("td").all_inner_texts()[:2]) for row in rows.all())
    assert told == sorted((kinds[one.kind], one.path) for one in expected)
    assert len(told) == 5
    assert tool.verdict() == "Not everything is as it was sent."


def test_names_whose_accents_are_encoded_in_another_way_are_the_same_names(tool, tmp_path):
    files = {"ACME-CIV-DWG-0001_A (IFC) - Caf\u00e9.pdf": b"1\n"}
    folder = made.send(tmp_path, files=files)
    (name,) = files
    (folder / name).rename(folder / name.replace("\u00e9", "e\u0301"))
    check(tool, folder)
    assert tool.counts() == {"verified": 1}


def test_twins_of_equal_bytes_are_each_verified(tool, tmp_path):
    names = [f"ACME-CIV-DWG-000{n}_A (IFC) - Part.pdf" for n in (1, 2, 3)]
    folder = made.send(tmp_path, files=dict.fromkeys(names, b"same\n"))
    (folder / names[2]).unlink()
    check(tool, folder)
    assert tool.counts() == {"verified": 2, "missing": 1}


def test_a_changed_payload_is_refused_and_cannot_be_signed(tool, tmp_path):
    folder = made.send(tmp_path)
    page = folder / made.PAGE
    page.write_text(page.read_text().replace('"Pipe-Co"', '"Pipe-Go"'))
    check(tool, folder)
    assert tool.verdict() == "This transmittal was changed after it was published."
    tool.open_key(write_key(tmp_path), PASSWORD)
    assert tool.button("Add signature").is_disabled()


@pytest.mark.parametrize("how", ["zip", "beside", "alone"])
def test_what_came_is_found_however_it_is_dropped(tool, tmp_path, how):
    folder = made.send(tmp_path)
    if how == "zip":
        archive = shutil.make_archive(str(tmp_path / "sent"), "zip", tmp_path, made.FOLDER)
        check(tool, tmp_path / archive)
        assert tool.counts() == {"verified": 3}
    elif how == "beside":
        (folder / made.PAGE).rename(tmp_path / made.PAGE)
        check(tool, folder, tmp_path / made.PAGE)
        assert tool.counts() == {"verified": 3}
    else:
        tool.drop(folder / made.PAGE)
        tool.page.locator(".verdict").wait_for()
        assert tool.verdict() == "The transmittal itself is intact. Its files were not looked at yet."
        (folder / made.PAGE).unlink()
        check(tool, folder)
        assert tool.counts() == {"verified": 3}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda html: html.replace("</body>", '<script id="transmittal-data"></script></body>'), "two data blocks"),
        (lambda html: html.replace('"version": 1', '"version": 2', 1), "payload.version is not 1"),
        (lambda html: html.replace('"version": 1,', '"version": 1, "version": 1,', 1), "a key twice in one object"),
        (lambda html: html.replace('"version": 1,', '"version": 1,,', 1), "(line "),
        (lambda html: re.sub(r'"digest": "\w+"', '"digest": ""', html), "signatures without a digest"),
    ],
    ids=["two", "version", "twice", "broken", "no-digest"],
)
def test_a_damaged_transmittal_says_where(tool, tmp_path, change, reason):
    folder = made.send(tmp_path)
    page = folder / made.PAGE
    page.write_text(change(page.read_text()))
    tool.drop(page)
    tool.page.locator(".problem-count.has-some").wait_for()
    assert reason in tool.problems()


def seed(written, files=made.FILES):
    written.page.evaluate("files => window.seed(files)", {name: data.decode() for name, data in files.items()})


def make(written, **fields):
    written.button("Make a transmittal").click()
    written.page.locator(".files tbody tr").first.wait_for()
    written.fill(**{**{k: v for k, v in made.FIELDS.items() if k != "type"}, **fields})


def publish(written, how="With a digest", where=None):
    written.button("Publish", ".ready").click()
    dialog = written.page.get_by_role("dialog")
    dialog.get_by_role("radio", name=how).check()
    if where:
        dialog.get_by_role("radio", name=where).check()
    dialog.get_by_role("button", name="Publish" if how != "Draft" else "Save draft", exact=True).click()


def save_tree(written, folder):
    for name, content in written.page.evaluate("window.tree()").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode())
    return folder


def test_what_the_page_publishes_and_signs_python_verifies(written, tmp_path):
    seed(written)
    make(written)
    written.open_key(write_key(tmp_path), PASSWORD)
    publish(written, "Signed", "Into the folder Vendor")
    written.page.locator(".counts").wait_for()
    assert written.counts() == {"verified": 3}
    folder = save_tree(written, tmp_path / "sent")
    page, _ = find_page(folder)
    assert page.name == made.PAGE
    report = check_delivery(folder, page, [], [])
    assert not report.differs
    assert len(report.listed) == 3
    (signature,) = report.judged.check.signatures
    assert (signature.valid, signature.attested, signature.thumbprint) == (True, True, made.THUMBPRINTS[0])
    assert (signature.label, page.transmittal["subject"]) == ("Acme", "Civil package")
    # Byte by byte what the command line would have written, but for the time.
    assert (folder / made.PAGE).read_text() == make_page(page.transmittal, read_viewer())


def test_publishing_over_what_was_published_is_refused_and_a_draft_is_replaced(written, tmp_path):
    seed(written)
    make(written)
    written.button("Save draft", ".ready").click()
    dialog = written.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save draft", exact=True).click()
    written.page.locator(".toast", has_text="Published").wait_for()
    draft = made.PAGE.replace("_2025", "_~2025")
    assert set(written.page.evaluate("window.tree()")) == {*made.FILES, draft}
    publish(written, where="Into the folder Vendor")
    written.page.locator(".counts").wait_for()
    before = written.page.evaluate("window.tree()")
    assert set(before) == {*made.FILES, made.PAGE, "SHA256SUMS"}
    written.button("Revise").click()
    written.page.locator(".files tbody tr").first.wait_for()
    written.fill(subject="Civil package, again")
    publish(written, where="Into the folder Vendor")
    written.page.locator(".problem-count.has-some").wait_for()
    assert "published already" in written.problems()
    assert written.page.evaluate("window.tree()") == before


def test_a_new_folder_has_the_files_under_their_corrected_names(written, tmp_path):
    seed(written, {"acme-civ-dwg-0001_A (ifc) - Site layout.pdf": b"layout\n"})
    make(written)
    written.button("Correct the names").click()
    publish(written, where="As a new folder in one that you choose")
    written.page.locator(".counts").wait_for()
    tree = written.page.evaluate("window.tree()")
    (name,) = (one for one in tree if one.endswith("Site layout.pdf") and one.startswith(made.FOLDER))
    assert name.endswith("_A (IFC) - Site layout.pdf")
    assert set(tree) - {name} >= {f"{made.FOLDER}/{made.PAGE}", f"{made.FOLDER}/SHA256SUMS"}


def test_a_file_that_does_not_conform_stays_in_the_list_and_says_why(tool, tmp_path):
    folder = made.write_files(tmp_path / made.FOLDER, {**made.FILES, "Scan 1.pdf": b"scan\n"})
    tool.drop(folder)
    row = tool.page.locator(".files tbody tr", has_text="Scan 1.pdf")
    row.wait_for()
    assert "no '_' after the tracking number" in row.inner_text()
    tool.fill(**{"from": "Acme", "to": "Pipe-Co"})
    assert tool.button("Publish", ".ready").is_disabled()
    tool.button("Edit Scan 1.pdf").click()
    for label, value in {"Tracking number": "ACME-CIV-DWG-0003", "Rev.": "A"}.items():
        row.get_by_label(label, exact=True).fill(value)
        row = tool.page.locator(".files tbody tr:has(input[type=text])")
    row.get_by_label("Status", exact=True).select_option("IFC")
    assert "ACME-CIV-DWG-0003_A (IFC) - Scan 1.pdf (now called Scan 1.pdf)" in row.inner_text()
    tool.button("Publish", ".ready").click()
    places = tool.page.get_by_role("dialog").locator("input[name=where]")
    # Its file would need another name, so the folder as it is cannot be what is sent.
    assert places.count() == 3


def test_an_acknowledgement_says_what_came_and_python_reads_it(written, tmp_path):
    folder = made.send(tmp_path / "out")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files[NAMES[0]] = b"not the same\n"
    seed(written, files)
    written.button("Check one that came").click()
    written.page.locator(".counts").wait_for()
    written.open_key(write_key(tmp_path, made.RECEIVER), PASSWORD)
    written.button("Acknowledge receipt").click()
    dialog = written.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Acknowledge", exact=True).click()
    assert "say why" in dialog.locator("[role=alert]").inner_text()
    dialog.get_by_label("Why it is taken all the same").fill("the old layout is known")
    dialog.get_by_role("button", name="Acknowledge", exact=True).click()
    written.page.locator("#acknowledged-head").wait_for()
    back = save_tree(written, tmp_path / "back")
    (confirmed,) = (one for one in find_pages(back) if one.is_acknowledgement)
    assert confirmed.name == made.ACKNOWLEDGEMENT
    assert confirmed.transmittal["type"] == ACKNOWLEDGEMENT
    remarks = confirmed.transmittal["remarks"]
    assert "Files: verified 2, changed 1, missing 0" in remarks
    assert "Accepted all the same: the old layout is known" in remarks
    came = {one.place: one.sha256 for one in confirmed.transmittal.files}
    assert came == {name: hashlib.sha256(files[name]).hexdigest() for name in NAMES}
    (signature,) = check_signatures(confirmed.transmittal).signatures
    assert (signature.valid, signature.attested, signature.label) == (True, True, "Received By")


def test_a_signature_is_added_without_a_change_of_what_was_signed(tool, tmp_path):
    folder = made.send(tmp_path)
    before = read_transmittal(folder / made.PAGE)
    tool.drop(folder / made.PAGE)
    tool.page.locator(".verdict").wait_for()
    tool.open_key(write_key(tmp_path, made.RECEIVER), PASSWORD)
    tool.button("Add signature").click()
    dialog = tool.page.get_by_role("dialog")
    assert check_signatures(before).digest in dialog.inner_text()
    dialog.get_by_label("Signed as").fill("Pipe-Co")
    name, html = tool.download(dialog.get_by_role("button", name="Sign", exact=True).click)
    assert name == made.PAGE
    after = parse_transmittal(html)
    assert after.payload == before.payload
    assert after.envelope["digestedAt"] == before.envelope["digestedAt"]
    assert [(one.valid, one.label) for one in check_signatures(after).signatures] == [
        (True, "Sender"),
        (True, "Pipe-Co"),
    ]


def test_a_wrong_password_and_a_forgotten_key(tool, tmp_path):
    tool.open_key(write_key(tmp_path), "wrong")
    alert = tool.page.get_by_role("dialog").locator("[role=alert]")
    alert.get_by_text("the password is wrong, or the file is damaged").wait_for()
    tool.page.keyboard.press("Escape")
    tool.open_key(write_key(tmp_path), PASSWORD)
    tool.page.get_by_text(f"Signing key {made.THUMBPRINTS[0][:12]}").first.wait_for()
    tool.button("Forget the signing key").click()
    assert tool.page.locator(".top .key").count() == 0
    assert tool.page.evaluate("JSON.stringify(localStorage)") == "{}"


def test_a_new_key_opens_in_python(tool):
    tool.action("Make a signing key")
    dialog = tool.page.get_by_role("dialog")
    make = dialog.get_by_role("button", name="Make and download")
    make.click()
    assert "empty" in dialog.locator("[role=alert]").inner_text()
    for field in dialog.locator("input[type=password]").all():
        field.fill(PASSWORD)
    dialog.get_by_label("For other programs").check()
    name, content = tool.download(make.click)
    file = parse_key_file(content.encode())
    assert name == f"{json.loads(content)['publicFingerprint']}.zddc-key"
    assert json.loads(content)["iterations"] == 100_000
    open_key(file, PASSWORD)


def test_my_own_copy_keeps_my_data_and_its_code_byte_by_byte(tool, open_page, tmp_path):
    file = known_keys(tmp_path, Acme=made.THUMBPRINTS[0])
    tool.drop(file)
    tool.page.locator(".toast", has_text="known key").wait_for()
    tool.action("Save my own copy")
    dialog = tool.page.get_by_role("dialog")
    dialog.get_by_label("From, in my transmittals").fill("Acme $& </script> \u2028!")
    dialog.get_by_label("Distribution lists").fill("Everybody = Pipe-Co; Steel-Co")
    name, html = tool.download(dialog.get_by_role("button", name="Download my own copy").click)
    assert name == "transmittal.html"
    original = (TOOLS / "transmittal.html").read_text()
    cut = re.compile(r'(<script id="own-data" type="application/json">).*?(</script>)', re.S)
    assert cut.sub(r"\1{}\2", html) == original
    copy = tmp_path / "transmittal.html"
    copy.write_text(html, newline="")
    again = Tool(open_page("transmittal", address=copy.as_uri()))
    again.button("Start with an empty form").click()
    assert again.page.locator("#field-from").input_value() == "Acme $& </script> \u2028!"
    again.page.get_by_label("Distribution lists").select_option(label="Everybody")
    assert again.page.locator("#field-to").input_value() == "Pipe-Co; Steel-Co"
    again.go("Check")
    check(again, made.send(tmp_path))
    assert again.page.locator(".notice.good").count() == 1


ODD = "$& $1 $` $' </script> <!-- \u2028\u2029 \\u003c \U0001f600 \" ' & <b>"


def test_every_field_comes_back_byte_by_byte(tool, tmp_path):
    tool.button("Start with an empty form").click()
    tool.page.get_by_text("Project, client and logos").click()
    fields = {
        name: f"{name} {ODD}" for name in ("subject", "from", "to", "client", "project", "projectNumber", "title")
    }
    tool.fill(**fields, remarks=f"line\n{ODD}\n", trackingNumber="ACME-TRN-0009", date="2025-10-31", purpose="IFC")
    tool.button("Save draft", ".ready").click()
    dialog = tool.page.get_by_role("dialog")
    _, html = tool.download(dialog.get_by_role("button", name="Save draft", exact=True).click)
    read = parse_transmittal(html)
    for name, value in fields.items():
        assert read[name] == value, name
    assert read["remarks"] == f"line\n{ODD}\n"
    file = tmp_path / "draft.html"
    file.write_text(html, newline="")
    tool.fill(subject="something else")
    tool.drop(file)
    tool.page.locator(".toast", has_text="Draft opened").wait_for()
    assert tool.page.locator("#field-subject").input_value() == fields["subject"]


def evil_transmittals(texts):
    """Yield transmittals with another of the texts in each field that can have one, and a digest that is right.

    With WEAKSPOT_SOAK=1 each text comes into every field, else into some.
    """
    texts = [text for text in texts if text.isprintable() or text.encode("utf-8", "ignore").decode() == text]
    for first in range(0, len(texts), 1 if SOAK else 6):
        turn = itertools.cycle(texts[first:] + texts[:first])
        names = [one.replace("/", "-").replace("\\", "-") for one in texts]
        rows = [ListedFile(*itertools.islice(turn, 4), "", name, "0" * 64, 1) for name in names]
        payload = {"version": 1, **{field: next(turn) for field in TEXTS}}
        payload["files"] = make_payload(made.FIELDS, rows, draft=False)["files"][1:]
        envelope = {**make_envelope(payload, made.NOW), "digestedAt": next(turn)}
        entry = {name: next(turn) for name in ("signature", "signedAt", "label", "attestation")}
        signatures = [{**entry, "publicKeyJwk": {"kty": next(turn)}}]
        presentation = {name: next(turn) for name in PRESENTATION}
        yield Transmittal(payload, {**envelope, "signatures": signatures}, presentation)


def test_hostile_texts_are_shown_and_never_run(tool, open_page, evil, tmp_path):
    for number, transmittal in enumerate(evil_transmittals(evil)):
        file = tmp_path / f"{number}.html"
        file.write_text(make_page(transmittal, read_viewer()), newline="")
        tool.drop(file)
        tool.page.locator(".verdict .breaks", has_text=f"{number}.html").first.wait_for()
        tool.go("View")
        tool.page.locator(".paper h1").wait_for()
        tool.go("Compare")
        tool.drop(file)
        tool.page.locator(".compare tbody tr").first.wait_for()
        tool.go("Check")
        assert tool.page.locator("iframe, base, object, embed, form, a[href^=javascript]").count() == 0
    for number, digest in enumerate(evil):
        whole = made.data_of(made.signed())
        whole["envelope"]["digest"] = digest
        file = tmp_path / f"digest{number}.json"  # each its own: the page may not have read the one before
        file.write_text(json.dumps(whole))
        tool.drop(file)
    tool.page.locator(".problem-count.has-some").wait_for()
    waiting.until(lambda: tool.problems().count("envelope.digest is no SHA-256") == len(evil))


def test_hostile_texts_in_a_published_page_are_shown_and_never_run(open_page, evil, tmp_path):
    for number, transmittal in enumerate(evil_transmittals(evil)):
        file = tmp_path / f"{number}.html"
        file.write_text(make_page(transmittal, read_viewer()), newline="")
        opened = open_page("viewer", address=file.as_uri())
        opened.page.locator("#check:not([hidden])").wait_for()
        assert opened.page.locator("#document tbody tr").count() == len(evil)
        assert opened.page.locator("#document img, iframe, a").count() == 0
        opened.page.context.close()


def test_a_published_page_says_of_itself_only_in_grey_that_it_is_intact(open_page, tmp_path):
    folder = made.send(tmp_path)
    opened = open_page("viewer", address=(folder / made.PAGE).as_uri())
    says = opened.page.locator(".says")
    says.get_by_text("says of itself").wait_for()
    assert "own transmittal.html" in says.inner_text()
    opened.drop(folder)
    opened.page.get_by_text("All 3 files are as this copy lists them.").wait_for()
    greens = opened.page.evaluate(
        "[...document.querySelectorAll('body *')].map(one => getComputedStyle(one)).filter(style =>"
        "[style.color, style.backgroundColor, style.borderLeftColor].some(color => {"
        "const [r, g, b] = color.match(/[\\d.]+/g).map(Number); return g > r + 25 && g > b + 25; })).length"
    )
    assert greens == 0
    opened.check_accessibility()
    (folder / NAMES[0]).write_bytes(b"other\n")
    opened.drop(folder)
    opened.page.get_by_text("1 of 3 files are not as this copy lists them.").wait_for()


def test_a_page_whose_form_was_changed_shows_its_data(open_page, tmp_path):
    folder = made.send(tmp_path)
    page = folder / made.PAGE
    page.write_text(page.read_text().replace("<dd>Pipe-Co</dd>", "<dd>Somebody else</dd>"))
    opened = open_page("viewer", address=page.as_uri())
    opened.page.get_by_text("says of itself").wait_for()
    assert "Somebody else" not in opened.page.locator("body").inner_text()
    page.write_text(page.read_text().replace('"Pipe-Co"', '"Somebody else"'))
    opened.page.reload()
    opened.page.locator(".bad", has_text="was changed after it was published").wait_for()


def test_a_published_transmittal_of_200_files_is_small(tmp_path):
    transmittal = made.signed(200, subject="Many")
    assert len(make_page(transmittal, read_viewer()).encode()) <= 500_000


def test_rows_are_pasted_as_a_spreadsheet_gives_them(tool):
    tool.button("Start with an empty form").click()

    def paste(text, button="Add to the list"):
        tool.action("Paste rows")
        dialog = tool.page.get_by_role("dialog")
        dialog.locator("textarea").fill(text)
        dialog.get_by_role("button", name=button).click()

    heads = "Tracking Number\tTitle\tRevision\n"
    paste(f"{heads}ACME-CIV-DWG-0001\tSite\tA (IFR)\n\t\t\nACME-CIV-DWG-0002\tPlan\tB\tIFC\tpdf\n")
    rows = tool.page.locator(".files tbody tr")
    assert [row.locator("td").all_inner_texts()[1:6] for row in rows.all()] == [
        ["ACME-CIV-DWG-0001", "A", "IFR", "Site", ""],
        ["ACME-CIV-DWG-0002", "B", "IFC", "Plan", "pdf"],
    ]
    # Without a file a row has no hash, so nothing can be published but a draft.
    assert tool.button("Publish", ".ready").is_disabled()
    assert tool.page.locator(".cell-file .bad", has_text="no SHA-256").count() == 2
    paste("acme-civ-dwg-0001\tOther site\ta\tIFC\tpdf\n")
    assert rows.count() == 2
    assert "Other site" in rows.first.inner_text()
    paste("a\tb\tc\td\te\tf\tg\n")
    assert "a row has 7 columns" in tool.problems()
    paste("ACME-CIV-DWG-0009\tNew\t0\tIFC\tpdf\n", "Replace the list")
    assert rows.count() == 1
    tool.page.locator("h2", has_text="Files").click()
    tool.page.keyboard.press("Control+z")
    assert rows.count() == 2


def test_a_transmittal_is_compared_with_an_earlier_one(tool, tmp_path):
    earlier = made.send(tmp_path / "one")
    later = {
        **made.FILES,
        NAMES[0].replace("_A (", "_B ("): b"newer\n",
        "ACME-CIV-DWG-0009_A (IFC) - New.pdf": b"new\n",
    }
    del later[NAMES[0]], later[NAMES[1]]
    later[NAMES[2]] = b"other\n"
    check(tool, made.send(tmp_path / "two", files=later, date="2025-11-30"))
    tool.go("Compare")
    tool.drop(earlier / made.PAGE)
    rows = tool.page.locator(".compare tbody tr")
    rows.first.wait_for()
    told = {row.locator("td").nth(0).inner_text(): row.locator("td").nth(1).inner_text() for row in rows.all()}
    assert told == {
        "same revision, other bytes": "ACME-CIV-DWG-0002",
        "revised": "ACME-CIV-DWG-0001",
        "added": "ACME-CIV-DWG-0009",
    }


def test_a_served_transmittal_is_opened_from_its_address(open_page, tmp_path):
    made.send(tmp_path)
    page = (TOOLS / "transmittal.html").read_bytes()

    def answer(asked):
        path, _, query = asked.partition("?")
        if path == "/transmittal.html":
            return 200, "text/html; charset=utf-8", page
        where = tmp_path / path.strip("/")
        if where.is_file():
            return 200, "application/octet-stream", where.read_bytes()
        if where.is_dir() and not query:
            rows = [{"name": one.name, "is_dir": one.is_dir(), "size": 1} for one in where.iterdir()]
            return 200, "application/json", json.dumps(rows).encode()
        return 404, "text/plain", b"absent"

    with served_by(answer) as address:
        path = f"{made.FOLDER}/{made.PAGE}".replace(" ", "%20")
        opened = open_page(
            "transmittal", address=f"{address}transmittal.html", fragment=f"open={path.replace('%', '%25')}"
        )
        opened.expect_complaint("404")
        tool = Tool(opened)
        tool.page.locator(".counts").wait_for()
        assert tool.counts() == {"verified": 3}
        assert "open=" not in tool.page.url
        tool.page.evaluate("location.hash = '#open=https://elsewhere.example/x.html'")
        tool.page.reload()
        assert "only addresses of the server" in tool.problems()


def test_many_files_are_verified(tool, tmp_path):
    """With WEAKSPOT_SOAK=1 there are 1,000."""
    count = 1000 if SOAK else 150
    files = {f"ACME-CIV-DWG-{n:04}_A (IFC) - Part {n}.pdf": os.urandom(20_000) for n in range(count)}
    folder = made.send(tmp_path, files=files)
    check(tool, folder)
    assert tool.counts() == {"verified": count}


def test_markdown_in_the_remarks_is_shown_and_html_is_not_made_of_it(tool):
    tool.button("Start with an empty form").click()
    links = "[x](javascript:pwned=1) ![i](http://e.example/i.png)"
    tool.fill(remarks=f"**bold** <img src=x onerror=pwned=1>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n{links}")
    preview = tool.page.locator(".remarks .markdown")
    assert preview.locator("strong").inner_text() == "bold"
    assert preview.locator("td").count() == 2
    assert preview.locator("img, a").count() == 1
    assert preview.locator("a").get_attribute("href") == "http://e.example/i.png"


def test_it_works_by_keyboard_alone(tool, tmp_path):
    folder = made.write_files(tmp_path / made.FOLDER)
    tool.drop(folder)
    tool.page.locator(".files tbody tr").first.wait_for()
    page = tool.page
    page.locator("#field-from").focus()
    page.keyboard.type("Acme")
    page.keyboard.press("Tab")
    page.keyboard.type("Pipe-Co")
    page.keyboard.press("Control+Enter")
    dialog = page.get_by_role("dialog", name="Publish")
    dialog.wait_for()
    radio = dialog.get_by_role("radio", name="Only the HTML")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "where":
            break
    while not radio.is_checked():
        page.keyboard.press("ArrowDown")
    name, html = tool.download(lambda: page.keyboard.press("Enter"))
    assert name == made.PAGE
    assert [one.sha256 for one in parse_transmittal(html).files]
    tool.action("Show View")
    page.locator(".paper h1").wait_for()
    page.keyboard.press("F6")
    assert page.evaluate("document.activeElement.closest('[data-region]') !== null")


# Wide and light, narrow and dark; with WEAKSPOT_SOAK=1 each with each.
@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (390, "dark"), *([(1280, "dark"), (390, "light")] if SOAK else [])]
)
def test_every_screen_is_accessible(open_page, tmp_path, scheme, width):
    tool = Tool(open_page("transmittal", scheme=scheme, width=width))
    name = f"{width}-{scheme}"
    tool.tool.check_accessibility()
    tool.tool.screenshot(f"transmittal-start-{name}")
    folder = made.write_files(tmp_path / made.FOLDER, {**made.FILES, "Scan 1.pdf": b"scan\n"})
    tool.drop(folder)
    tool.page.locator(".files tbody tr").first.wait_for()
    tool.fill(**{"from": "Acme", "remarks": "For **construction**.\n\n- replaces revision A\n- 3 files"})
    tool.tool.check_accessibility()
    tool.tool.screenshot(f"transmittal-edit-{name}")
    tool.button("Edit Scan 1.pdf").click()
    tool.tool.check_accessibility()
    tool.button("Done").click()
    tool.button("Save draft", ".ready").click()
    tool.page.get_by_role("dialog").wait_for()
    tool.tool.check_accessibility()
    tool.tool.screenshot(f"transmittal-publish-{name}")
    tool.page.keyboard.press("Escape")
    tool.go("View")
    tool.page.locator(".paper").wait_for()
    tool.tool.check_accessibility()
    tool.tool.screenshot(f"transmittal-view-{name}")
    sent = made.send(tmp_path / "sent")
    (sent / NAMES[0]).write_bytes(b"other\n")
    tool.go("Check")
    tool.tool.check_accessibility()
    check(tool, sent)
    tool.tool.check_accessibility()
    tool.tool.screenshot(f"transmittal-check-{name}")
    tool.go("Compare")
    tool.drop(sent / made.PAGE)
    tool.page.locator(".compare tbody tr").first.wait_for()
    tool.tool.check_accessibility()
    tool.tool.screenshot(f"transmittal-compare-{name}")


def test_on_paper_are_all_rows_and_page_numbers(tool, open_page, tmp_path):
    program = shutil.which("pdftotext")
    if not program:
        pytest.skip("there is no pdftotext")
    page = tmp_path / "many.html"
    page.write_text(make_page(made.signed(150), read_viewer()), newline="")
    opened = open_page("viewer", address=page.as_uri())
    tool.drop(page)
    tool.page.locator(".verdict").wait_for()
    tool.go("View")
    tool.page.locator(".paper").wait_for()
    for one in (tool.page, opened.page):
        paper = tmp_path / "paper.pdf"
        paper.write_bytes(one.pdf(format="A4"))
        text = subprocess.run([program, "-layout", paper, "-"], capture_output=True, text=True, check=True).stdout
        sizes = {int(one) for one in re.findall(r"\b\d{1,3}00\b", text)}
        assert sizes >= {n * 100 for n in range(1, 151)}
        assert re.search(r"\b2 ?/ ?\d", text)


def test_revisions_are_compared_with_what_an_archive_has_issued(tool, tmp_path):
    folder = made.write_files(tmp_path / made.FOLDER)
    sent = ["2025-01-10_ACME-TRN-0001 (IFC) - One", "2025-03-10_ACME-TRN-0003 (IFC) - Three"]
    paths = [
        f"Pump/Rock/issued/{sent[0]}/ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf",
        f"Pump/Volt/issued/{sent[1]}/ACME-CIV-DWG-0002_1 (IFC) - Foundation plan.pdf",
    ]
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"version": 1, "files": [{"path": path, "size": 1} for path in paths]}))
    tool.drop(folder)
    tool.page.locator(".files tbody tr").first.wait_for()
    tool.fill(**{"from": "Acme", "to": "Pipe-Co"})
    tool.drop(index)
    tool.page.locator(".files .warn").first.wait_for()
    assert tool.page.locator(".files .warn").all_inner_texts() == [
        "A was issued already to Rock on 2025-01-10",
        *["0 is not newer than 1, which was issued to Volt on 2025-03-10"] * 2,
    ]
    assert tool.page.locator(".files tbody tr").count() == 3
    assert "3 revisions are not newer" in tool.page.locator(".ready").inner_text()
    tool.button("Publish", ".ready").click()
    assert "3 revisions are not newer" in tool.page.get_by_role("dialog").inner_text()


def test_an_acknowledgement_that_is_opened_is_checked_with_the_folder_that_it_confirms(tool, tmp_path):
    folder = made.send(tmp_path)
    rows = list_files(folder, made.FIELDS["trackingNumber"])
    confirmed = make_acknowledgement(parse_folder(made.FOLDER), rows, "", ("Pipe-Co", "Acme"), made.NOW)
    (folder / made.ACKNOWLEDGEMENT).write_text(make_page(confirmed, read_viewer()), encoding="utf-8", newline="")
    tool.drop(folder / made.ACKNOWLEDGEMENT)
    tool.page.locator(".verdict", has_text="Acknowledgement").wait_for()
    check(tool, folder)
    assert "Acknowledgement" in tool.page.locator(".verdict").inner_text()
    assert tool.counts() == {"verified": 3}


NO_CRYPTO = "Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined});"


def test_over_plain_http_files_are_compared_and_signatures_are_not(open_page, tmp_path):
    folder = made.send(tmp_path)
    (folder / NAMES[0]).write_bytes(b"other\n")
    tool = Tool(open_page("transmittal", before=NO_CRYPTO))
    check(tool, folder)
    assert tool.counts() == {"verified": 2, "changed": 1}
    assert "plain HTTP" in tool.verdict()
    assert tool.page.locator(".signature").count() == 0
    assert tool.button("Acknowledge receipt").is_disabled()
    viewer = open_page("viewer", address=(folder / made.PAGE).as_uri(), before=NO_CRYPTO)
    viewer.page.get_by_text("Signatures cannot be checked here").wait_for()
    viewer.drop(folder)
    viewer.page.get_by_text("1 of 3 files are not as this copy lists them.").wait_for()


def leaving_is_free(tool):
    return tool.page.evaluate("dispatchEvent(new Event('beforeunload', {cancelable: true}))")


def test_a_draft_that_is_not_saved_is_not_left_without_a_word(tool, tmp_path):
    tool.button("Start with an empty form").click()
    assert leaving_is_free(tool)
    tool.fill(trackingNumber="ACME-TRN-0009", subject="Mine", purpose="IFC")
    assert not leaving_is_free(tool)
    # Another one is checked meanwhile; what is viewed is what was worked on last.
    tool.go("Check")
    check(tool, made.send(tmp_path))
    assert not leaving_is_free(tool)
    tool.go("View")
    assert tool.page.locator(".paper h1").inner_text() == "Civil package"
    tool.go("Edit")
    tool.go("View")
    assert tool.page.locator(".paper h1").inner_text() == "Mine"
    tool.go("Edit")
    tool.button("Save draft", ".ready").click()
    dialog = tool.page.get_by_role("dialog")
    tool.download(dialog.get_by_role("button", name="Save draft", exact=True).click)
    assert leaving_is_free(tool)
    tool.fill(subject="Mine again")
    assert not leaving_is_free(tool)


HOLD = """
(() => {
  const pick = window.showDirectoryPicker;
  window.held = 0;
  window.go = new Promise((done) => { window.release = done; });
  window.showDirectoryPicker = async () => {
    window.held += 1;
    await window.go;
    return pick();
  };
})()
"""


def test_what_is_edited_while_it_is_published_is_not_published(written, tmp_path):
    seed(written)
    make(written)
    written.page.evaluate(HOLD)
    publish(written, where="As a new folder in one that you choose")
    while not written.page.evaluate("held"):
        written.page.wait_for_timeout(20)
    written.fill(trackingNumber="ACME-TRN-9999")
    written.page.get_by_label("Select all rows").check()
    written.button("Remove the selected rows").click()
    written.page.evaluate("release()")
    written.page.locator(".counts").wait_for()
    assert written.counts() == {"verified": 3}
    folder = save_tree(written, tmp_path / "sent") / made.FOLDER
    page, _ = find_page(folder)
    assert page.name == made.PAGE
    assert not check_delivery(folder, page, [], []).differs


def test_what_changed_since_it_was_checked_is_not_acknowledged(written, tmp_path):
    folder = made.send(tmp_path)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    seed(written, files)
    written.button("Check one that came").click()
    written.page.locator(".counts").wait_for()
    seed(written, {NAMES[0]: b"changed since\n"})
    written.button("Acknowledge receipt").click()
    written.page.get_by_role("dialog").get_by_role("button", name="Acknowledge", exact=True).click()
    written.page.locator(".problem-count.has-some").wait_for()
    assert "has changed since it was checked" in written.problems()
    assert made.ACKNOWLEDGEMENT not in written.page.evaluate("window.tree()")


def test_sums_are_read_as_python_reads_them(written, tmp_path):
    seed(written)
    make(written)
    publish(written, where="Into the folder Vendor")
    written.page.locator(".counts").wait_for()
    folder = save_tree(written, tmp_path / "sent")
    assert [one.kind for one in verify(folder, None, {made.PAGE})] == ["verified"] * 3
    assert len(read_list(folder / "SHA256SUMS")) == 3
