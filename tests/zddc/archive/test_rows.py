"""A file and a revision are rows with what their names and their folders say."""

from tests.zddc.archive.test_index import FIRST, SECOND, index_of

from zddc.archive.rows import file_row, revision_row
from zddc.archive.tree import Entry
from zddc.filters import COLUMNS


def test_a_file_is_a_row():
    assert file_row(Entry(FIRST, "A-1_B (IFC) - Plan.PDF", 1, 0)) == {
        "tracking_number": "A-1",
        "revision": "B",
        "status": "IFC",
        "title": "Plan",
        "extension": "pdf",
        "name": "A-1_B (IFC) - Plan.PDF",
        "folder": FIRST,
        "party": "Acme",
        "transmittal": "T-1",
        "date": "2025-01-01",
    }


def test_a_file_without_a_valid_name_has_what_can_be_read_of_it():
    row = file_row(Entry("", "Meeting notes.TXT", 1, 0))
    assert (row["tracking_number"], row["title"], row["extension"]) == ("", "Meeting notes", "txt")
    row = file_row(Entry("", "A-1_B (AFC) - Plan.pdf", 1, 0))
    assert (row["tracking_number"], row["status"]) == ("A-1", "AFC")


def test_a_revision_is_a_row_with_what_all_its_copies_have():
    index = index_of(
        f"{SECOND}/A-1_B (RSA) - Plan, new title.pdf",
        f"{FIRST}/A-1_B (IFC) - Plan.dwg",
        f"{FIRST}/A-1_B (IFC) - Plan.pdf",
        "Pipe/2025-03-01_T-3 (IFC) - Plans/A-1_B (IFC) - Plan.pdf",
    )
    document = index.document("A-1")
    assert document is not None
    row = revision_row(document, document.current)
    assert (row["extension"], row["party"], row["title"]) == ("dwg, pdf", "Acme, Pipe", "Plan")
    assert (row["date"], row["status"], row["transmittal"], row["folder"]) == ("2025-01-01", "IFC", "T-1", FIRST)


def test_every_row_has_every_column_of_the_filters():
    document = index_of("A-1_B (IFC) - Plan.pdf").document("A-1")
    assert document is not None
    assert set(COLUMNS.values()) == set(file_row(Entry("", "x", 1, 0))) == set(revision_row(document, document.current))
