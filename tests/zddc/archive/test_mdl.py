"""A master deliverables list is read as people write it, and compared with what is there."""

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zddc.archive.index import Index
from zddc.archive.mdl import Deliverable, Expected, compare, read_list
from zddc.archive.tree import walk
from zddc.errors import UserError

TODAY = date(2025, 10, 31)


def written(tmp_path, text, encoding="utf-8"):
    file = tmp_path / "mdl.csv"
    file.write_text(text, encoding=encoding, newline="")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "tracking number,title,revision,due date\nA-1,Plan,B,2025-11-01\n",
        "Tracking Number;Title;Rev.;Due Date\r\nA-1;Plan;B;2025-11-01\r\n",
        "Title\tDoc. No.\tREV\tPlanned Date\nPlan\tA-1\tB\t01.11.2025\n",
        "Project PS7,,,\nList,,,\n\nDocument No,Document Title,Required Revision,Required by\nA-1,Plan,B,2025-11-01\n",
        "No,Document number,Description,Revision,Due\n1,A-1,Plan,B,2025-11-01 00:00:00\n",
        "Dokumentnummer;Bezeichnung;Revision;Termin\nA-1;Plan;B;1.11.2025\n",
        'number,title,rev,due\n"A-1","Plan",B,2025-11-01\n,Electrical,,\n,,,\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_is_read_in_each_form(tmp_path, text, encoding):
    assert read_list(written(tmp_path, text, encoding)) == [Expected("A-1", "Plan", "B", date(2025, 11, 1))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column of tracking numbers"),
        ("title,revision\nPlan,B\n", "no column of tracking numbers"),
        ("number,due\nA-1,31/10/2025\n", "mdl.csv:2: '31/10/2025' is not a date"),
        ("number,due\nA-1,2025-02-30\n", "is not a date"),
        ("number\nA-1\nA-2\nA-1\n", "mdl.csv:4: A-1 is in the list twice"),
        ("number,number\nA-1,A-2\n", "two columns 'number'"),
        ('number\n"A-1\n', "mdl.csv:2: unexpected end of data"),
        ("number\n" + "\0", "not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_list_is_one_line(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        read_list(written(tmp_path, text))


def test_another_encoding_is_told(tmp_path):
    with pytest.raises(UserError, match="save it as 'CSV UTF-8'"):
        read_list(written(tmp_path, "number,title\nA-1,Übersicht\n", "cp1252"))


numbers = st.text(st.characters(categories=["L", "Nd"], include_characters="-"), min_size=1, max_size=8)
titles = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=' ,;"'), max_size=10).map(str.strip)


@given(st.lists(st.tuples(numbers, titles), unique_by=lambda row: row[0], max_size=6), st.sampled_from(",;\t"))
def test_what_a_spreadsheet_writes_is_read_back(tmp_path_factory, rows, separator):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([("tracking number", "title"), *rows])
    file = written(tmp_path_factory.mktemp("mdl"), text.getvalue())
    if separator * (len(rows) + 1) in text.getvalue().replace('"', "") or not rows:
        return
    try:
        read = read_list(file)
    except UserError:
        assert any(mark in title for _, title in rows for mark in ",;\t")  # another separator is more frequent
        return
    assert [(one.number, one.title) for one in read] == rows or any(
        mark in title for _, title in rows for mark in ",;\t"
    )


@pytest.fixture
def index(tmp_path):
    for name in (
        "received/2025-10-01_T-1 (IFR) - Part/A-1_A (IFR) - Plan.pdf",
        "received/2025-10-01_T-1 (IFR) - Part/A-2_B (IFR) - Section.pdf",
        "received/2025-10-01_T-1 (IFR) - Part/A-3_~A (DFT) - Draft.pdf",
        "received/2025-10-01_T-1 (IFR) - Part/A-9_A (IFR) - Surprise.pdf",
        "received/2025-10-01_T-1 (IFR) - Part/T-1_2025-10-01 (IFR) - Part.html",
        "received/2025-10-01_T-1 (IFR) - Part/P-MDL-1_A (IFI) - List.csv",
        "incoming/2025-10-02_T-2 (IFR) - Part/A-4_A (IFR) - Not checked.pdf",
    ):
        file = tmp_path / "Acme" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return Index(walk(tmp_path))


@pytest.mark.parametrize(
    ("expected", "kind", "days"),
    [
        (Expected("A-1"), "received", 0),
        (Expected("A-1", revision="A", due=date(2025, 1, 1)), "received", 0),
        (Expected("A-1", revision="B"), "older", 0),
        (Expected("A-1", revision="0", due=date(2025, 10, 30)), "late", 1),
        (Expected("A-2", revision="A"), "superseded", 0),
        (Expected("A-3"), "missing", 0),
        (Expected("A-3", due=date(2025, 10, 21)), "late", 10),
        (Expected("A-4", due=date(2025, 10, 31)), "missing", 0),
        (Expected("A-5", due=date(2025, 11, 1)), "missing", 0),
    ],
)
def test_a_line_is_compared_with_what_was_received(index, expected, kind, days):
    found = next(compare([expected], index, TODAY))
    assert (found.number, found.kind, found.days_late) == (expected.number, kind, days)


def test_what_nobody_expected_is_told_but_for_transmittals_and_the_list_itself(index):
    found = [*compare([Expected("A-1"), Expected("A-2"), Expected("A-3")], index, TODAY, "P-MDL-1_A (IFI) - List.csv")]
    assert found[3:] == [Deliverable("A-9", "not in the list", "Surprise", revision="A")]
    assert found[0].title == "Plan"
