"""An acknowledgement is a document of its own, which no link takes for the transmittal."""

from tests.zddc.transmittal.made import FILES, NOW, SENDER, THUMBPRINTS, send

from zddc.archive.index import Index
from zddc.archive.tree import walk
from zddc.naming import parse_folder
from zddc.transmittal.acknowledgement import describe, make_acknowledgement
from zddc.transmittal.delivery import check_delivery, find_page, list_files
from zddc.transmittal.known_keys import KnownKey
from zddc.transmittal.page import make_page
from zddc.transmittal.signatures import add_signature, check_signatures


def acknowledged(folder):
    name = parse_folder(folder.name)
    return make_acknowledgement(name, list_files(folder, "ACME-TRN-0007"), "Remarks", ("Pipe-Co", "Acme"), NOW)


def test_it_lists_what_came_and_can_be_signed(tmp_path):
    made = add_signature(acknowledged(send(tmp_path)), SENDER, "Received By", NOW)
    assert check_signatures(made).signatures[0].attested
    assert (made["type"], made["trackingNumber"], made["date"], made["purpose"]) == (
        *("Acknowledgement", "ACME-TRN-0007"),
        *("2025-10-31", "IFI"),
    )
    assert {row.place for row in made.files} == {*FILES}
    assert (made["from"], made["to"], made["remarks"]) == ("Pipe-Co", "Acme", "Remarks")


def test_the_newest_revision_of_the_transmittal_is_still_the_transmittal(tmp_path):
    folder = send(tmp_path)
    made = acknowledged(folder)
    (folder / made.self_row.filename).write_text(make_page(made), encoding="utf-8")
    document = Index(walk(tmp_path)).document("ACME-TRN-0007")
    assert [revision.text for revision in document.revisions] == ["2025-10-31+B1", "2025-10-31"]
    assert document.current.text == "2025-10-31"


def test_it_says_what_was_wrong_and_why_it_was_taken(tmp_path):
    folder = send(tmp_path)
    name = parse_folder(folder.name)
    (folder / next(iter(FILES))).unlink()
    report = check_delivery(folder, *find_page(folder), [KnownKey(THUMBPRINTS[0], "Acme")])
    assert describe(name, report, "the rest comes on Monday").splitlines() == [
        "Received: ACME-TRN-0007 of 2025-10-31",
        f"SHA-256 digest of the transmittal: {report.judged.check.digest}",
        "Files: verified 2, changed 0, missing 1, extra 0, moved 0, renamed 0",
        f"Signature: valid, known key, {THUMBPRINTS[0][:12]}",
        f"- missing: {next(iter(FILES))}",
        "Accepted all the same: the rest comes on Monday",
    ]
    assert "without a transmittal" in describe(name, None, "")
