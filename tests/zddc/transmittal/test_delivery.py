"""A folder is listed as it is, and whatever differs from its transmittal is found.

With WEAKSPOT_SOAK=1 there are 1,000 changes of each kind.
"""

import os
import random
import shutil
from pathlib import Path

import pytest
from tests.zddc.transmittal.made import FILES, NOW, PAGE, RECEIVER, SENDER, THUMBPRINTS, send, write_files

from zddc.errors import UserError
from zddc.hashing import LIST_NAME
from zddc.naming import parse_folder
from zddc.transmittal.acknowledgement import make_acknowledgement
from zddc.transmittal.data import Transmittal, read_transmittal
from zddc.transmittal.delivery import Report, check_delivery, count_findings, find_page, find_pages, list_files
from zddc.transmittal.known_keys import KnownKey
from zddc.transmittal.page import make_page
from zddc.transmittal.signatures import add_signature

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
CHANGES = 1000 if SOAK else 12
KNOWN = [KnownKey(THUMBPRINTS[0], "Acme")]


def checked(folder: Path, name: str = "") -> Report:
    found = find_page(folder, name)
    assert found
    return check_delivery(folder, *found, KNOWN)


def kinds(report: Report) -> dict[str, str]:
    return {one.path: f"{one.kind} {one.detail}".strip() for one in report.findings if one.kind != "verified"}


@pytest.fixture
def folder(tmp_path):
    return send(tmp_path)


def test_a_folder_that_came_as_it_was_sent_is_verified(folder):
    report = checked(folder)
    assert (count_findings(report.findings), count_findings(report.listed)) == ({"verified": 3}, {"verified": 3})
    assert [one.verdict for one in report.judged.judgements] == ["valid, known key"]
    assert not report.differs


def test_each_kind_of_difference_is_told(folder):
    layout, plan, pdf = FILES
    (folder / layout).write_bytes(b"other!\n")
    (folder / plan).rename(folder / Path(plan).name)
    (folder / pdf).rename(folder / "drawings" / "scan.pdf")
    (folder / "new.txt").write_bytes(b"new")
    assert kinds(checked(folder)) == {
        layout: "changed",
        plan: f"moved {Path(plan).name}",
        pdf: "renamed drawings/scan.pdf",
        "new.txt": "extra",
    }
    assert checked(folder).differs


def test_what_systems_leave_is_not_extra_and_other_hidden_files_are(folder):
    for name in (".DS_Store", "drawings/Thumbs.db", "desktop.ini", "drawings/._plan.pdf", ".hidden"):
        (folder / name).write_bytes(b"x")
    assert kinds(checked(folder)) == {".hidden": "extra"}


def test_a_link_is_no_file_that_was_sent(folder):
    layout = next(iter(FILES))
    (folder / "copy").write_bytes((folder / layout).read_bytes())
    (folder / layout).unlink()
    (folder / layout).symlink_to("copy")
    assert kinds(checked(folder))[layout].startswith("unreadable a link")


@pytest.mark.parametrize("edit", ["flip", "truncate", "append", "rename", "add", "remove", "swap", "page"])
def test_no_single_change_goes_unseen(tmp_path, folder, edit):
    chance = random.Random(edit)
    seen = 0
    for _ in range(CHANGES):
        copy = shutil.copytree(folder, tmp_path / "copy")
        files = [copy / name for name in FILES]
        one = chance.choice(files)
        data = bytearray(one.read_bytes())
        if edit == "flip":
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            one.write_bytes(data)
        elif edit == "truncate":
            one.write_bytes(data[: chance.randrange(len(data))])
        elif edit == "append":
            one.write_bytes(data + chance.randbytes(chance.randrange(1, 4)))
        elif edit == "rename":
            one.rename(one.with_name(chance.choice((one.name.upper(), f"{one.name}~", one.name[1:]))))
        elif edit == "add":
            (chance.choice((copy, copy / "drawings")) / f"{chance.randrange(99)}.txt").write_bytes(chance.randbytes(3))
        elif edit == "remove":
            one.unlink()
        elif edit == "swap":
            other = chance.choice([file for file in files if file != one])
            kept = other.read_bytes()
            other.write_bytes(one.read_bytes())
            one.write_bytes(kept)
        else:
            change_page(chance, copy / PAGE)
        try:
            seen += checked(copy).differs
        except UserError:
            seen += 1
        shutil.rmtree(copy)
    assert seen == CHANGES


def change_page(chance: random.Random, page: Path) -> None:
    """Change one letter or digit of the payload in the page, so that it stays JSON."""
    text = page.read_text(encoding="utf-8")
    start, end = text.index('"files"'), text.index('"envelope"')
    places = [n for n in range(start, end) if text[n].isdigit()]
    place = chance.choice(places)
    page.write_text(text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :], encoding="utf-8")


def test_a_row_without_a_hash_cannot_be_verified(folder, tmp_path):
    payload = dict(read_transmittal(folder / PAGE).payload)
    payload["files"] = [
        {**row, "sha256": "" if row["sha256"] != "self:payload-digest" else row["sha256"]} for row in payload["files"]
    ]
    (folder / PAGE).write_text(make_page(Transmittal(payload, {}, {})), encoding="utf-8")
    report = checked(folder)
    assert set(kinds(report).values()) == {"unreadable the transmittal has no SHA-256 of it"}


def test_files_are_listed_with_what_their_names_say(tmp_path):
    folder = write_files(tmp_path, {**FILES, "Meeting notes.txt": b"x", ".hidden": b"", LIST_NAME: b""})
    rows = {row.place: row for row in list_files(folder)}
    assert set(rows) == {*FILES, "Meeting notes.txt"}
    plan = rows["drawings/ACME-CIV-DWG-0002_0 (IFC) - Foundation plan.dwg"]
    assert (plan.tracking_number, plan.revision, plan.status, plan.title, plan.path, plan.size) == (
        *("ACME-CIV-DWG-0002", "0", "IFC", "Foundation plan"),
        *("drawings", 5),
    )
    assert (rows["Meeting notes.txt"].tracking_number, rows["Meeting notes.txt"].title) == ("", "Meeting notes")


def test_what_cannot_be_sent_is_refused(tmp_path):
    (tmp_path / "link.pdf").symlink_to("nowhere")
    with pytest.raises(UserError, match="a link"):
        list_files(tmp_path)


def test_a_page_that_only_speaks_of_a_block_is_a_file_like_any_other(tmp_path):
    (tmp_path / "manual.html").write_text("<p>the id is transmittal-data</p>")
    assert find_pages(tmp_path) == []


def test_a_page_that_is_damaged_is_told(folder):
    (folder / "other.html").write_text('<script id="transmittal-data">{</script>')
    with pytest.raises(UserError, match=r"other.html:1:32: no key in quotation marks"):
        find_page(folder)


def test_of_several_transmittals_one_must_be_named(folder):
    text = (folder / PAGE).read_text(encoding="utf-8")
    (folder / "second.html").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="2 transmittals"):
        find_page(folder)
    assert find_page(folder, "second.html")[0].name == "second.html"
    assert find_page(folder, "third.html") is None


def test_a_draft_does_not_count_beside_what_was_published(folder):
    payload = read_transmittal(folder / PAGE).payload
    (folder / "draft.html").write_text(make_page(Transmittal(payload, {}, {})), encoding="utf-8")
    assert find_page(folder)[0].name == PAGE


def test_an_acknowledgement_is_not_extra_and_is_judged_too(folder):
    made = make_acknowledgement(
        parse_folder(folder.name), list_files(folder, "ACME-TRN-0007"), "", ("Pipe-Co", "Acme"), NOW
    )
    text = make_page(add_signature(made, RECEIVER, "Received By", NOW))
    (folder / "received.html").write_text(text, encoding="utf-8")
    report = checked(folder)
    assert kinds(report) == {}
    assert [one.verdict for one in report.acknowledgements[0].judgements] == ["valid, unknown key"]
    assert not checked(folder, "received.html").differs  # what it confirms lies beside it
    (folder / "received.html").write_text(text.replace('"from": "Pipe-Co"', '"from": "Rock"'), encoding="utf-8")
    assert checked(folder).differs


def test_an_acknowledgement_of_another_transmittal_is_extra(folder):
    name = parse_folder("2025-10-31_ACME-TRN-0008 (IFC) - Other")
    made = make_acknowledgement(name, list_files(folder), "", ("Pipe-Co", "Acme"), NOW)
    (folder / "received.html").write_text(make_page(add_signature(made, SENDER, "", NOW)), encoding="utf-8")
    assert kinds(checked(folder)) == {"received.html": "extra"}


def test_an_accent_in_another_encoding_is_no_other_name(tmp_path):
    folder = send(tmp_path, files={"A-1_B (IFC) - \u00dcbersicht.pdf": b"x"})
    (folder / "A-1_B (IFC) - \u00dcbersicht.pdf").rename(folder / "A-1_B (IFC) - U\u0308bersicht.pdf")
    assert kinds(checked(folder)) == {}
    (folder / "A-1_B (IFC) - U\u0308bersicht.pdf").write_bytes(b"y")
    assert set(kinds(checked(folder)).values()) == {"changed"}


def test_files_of_the_same_bytes_are_each_verified(tmp_path):
    folder = send(tmp_path, files={f"A-{n}_B (IFC) - T.pdf": b"same" for n in range(3)})
    assert kinds(checked(folder)) == {}
    (folder / "A-1_B (IFC) - T.pdf").unlink()
    assert kinds(checked(folder)) == {"A-1_B (IFC) - T.pdf": "missing"}


def test_no_transmittal_makes_itself_unseen(folder):
    page = folder / PAGE
    page.write_text(page.read_text(encoding="utf-8").replace('"sha256": "self:', '"sha266": "self:'), encoding="utf-8")
    assert find_page(folder)[0].name == PAGE
    assert checked(folder).differs


def test_a_transmittal_that_another_one_lists_is_a_file_like_any_other(folder):
    text = (folder / PAGE).read_text(encoding="utf-8")
    (folder / "as we got it.html").write_text(text, encoding="utf-8")
    payload = dict(read_transmittal(folder / PAGE).payload)
    payload["files"] = [*payload["files"], {"filename": "as we got it.html"}]
    (folder / PAGE).write_text(make_page(Transmittal(payload, {}, {})), encoding="utf-8")
    assert [page.name for page in find_pages(folder)] == [PAGE]
    payload["files"] = [{"filename": PAGE}]
    (folder / "as we got it.html").write_text(make_page(Transmittal(payload, {}, {})), encoding="utf-8")
    assert len(find_pages(folder)) == 2
