"""A file and a revision are rows with what their names and their folders say."""

import os
import random

from tests import archives
from tests.zddc.archive.test_index import FIRST, SECOND, index_of

from zddc.archive.rows import file_row, matching_files, revision_row
from zddc.archive.tree import Entry
from zddc.filters import COLUMNS, parse_filter

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


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


EXPRESSIONS = (
    *("layout", "^civ.*layout", "status:IFC rev:^1 ext:pdf", '"site layout"', "ÜBERSICHT", "a|b", "!draft", "k", "~*"),
    *("folder:issued", "ext:(pdf|md) !^ele", "rev:^$", "rev:^[0-9]", "title:cable.?list", "li*st", "li+st", "*list"),
    *("p&id$", "name:^a-1", "^meeting", "tar.gz$", "(zzz | layout) !folder:received", "(zzz | party:acme)", "dwg-0*1"),
    *("layout$ | pdf$", "rev:a+c1", "rev:a\\+c1", "cal-[0-9]{4}5", "list pdf ele", "l.{3}ut", "ſite", "\u212aable"),
    *(";", "\u0130te"),
)  # fmt: skip


def test_files_that_match_are_those_whose_rows_match():
    """A name that is ruled out before it is read could not have matched."""
    drawn = [file.path for file in archives.draw(2000 if SOAK else 60, 3, odd=0.3)]
    chance, entries = random.Random(4), []
    for path in drawn:
        folder, _, name = path.rpartition("/")
        names = [name, archives.mutate(chance, name), name.upper(), name.replace("k", "\u212a").replace("s", "ſ")]
        names += [name.replace("a", "a\u0308").replace("i", "\u0130"), name.replace(" ", "\u037e", 1)]
        names += [archives.mutate(chance, name) for name in names[2:]]
        entries += [Entry(folder, one, 1, 0) for one in names]
    for expression in EXPRESSIONS:
        condition = parse_filter(expression)
        expected = [entry for entry in entries if condition(file_row(entry))]
        assert list(matching_files(entries, condition)) == expected, expression
    assert [*matching_files(entries, parse_filter("layout"))] != entries


def test_every_row_has_every_column_of_the_filters():
    document = index_of("A-1_B (IFC) - Plan.pdf").document("A-1")
    assert document is not None
    assert set(COLUMNS.values()) == set(file_row(Entry("", "x", 1, 0))) == set(revision_row(document, document.current))
