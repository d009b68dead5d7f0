"""Each kind of finding is found where it is, and nowhere else."""

import pytest
from tests.zddc.archive.test_index import index_of

from zddc.archive.findings import Finding, findings
from zddc.archive.index import Index
from zddc.archive.tree import Entry, LeftOut, Listing

FIRST, SECOND = "P/Acme/received/2025-01-01_T-1 (IFR) - Plans", "P/Acme/issued/2025-02-01_T-2 (IFR) - Plans"


def found(*paths: str, digests: dict[str, str] | None = None) -> list[tuple[str, str]]:
    digests = digests or {}
    return [(one.path, one.kind) for one in findings(index_of(*paths), lambda entry: digests.get(entry.path, ""))]


def test_an_archive_in_order_has_none():
    assert found(f"{FIRST}/A-1_A (IFR) - T.pdf", f"{FIRST}/A-1_A (IFR) - T.dwg", f"{SECOND}/A-1_A (IFR) - T.pdf") == []


def test_what_was_left_out_is_found():
    index = Index([Listing("", left_out=(LeftOut("pipe", "neither a file nor a folder"),))])
    assert list(findings(index, lambda _: "")) == [Finding("pipe", "left out", "neither a file nor a folder")]


def test_copies_with_other_bytes_are_a_conflict():
    first, second = f"{FIRST}/A-1_A (IFR) - T.pdf", f"{SECOND}/A-1_A (IFR) - T.PDF"
    assert found(first, second, digests={first: "1", second: "2"}) == [(second, "conflict")]


def test_copies_of_another_size_are_a_conflict_without_being_read():
    entries = [Entry(folder, "A-1_A (IFR) - T.pdf", len(folder), 0) for folder in ("a", "bb")]
    index = Index(Listing(one.folder, (one,)) for one in entries)
    (conflict,) = findings(index, lambda entry: pytest.fail(entry.path))
    assert conflict == Finding("bb/A-1_A (IFR) - T.pdf", "conflict", "other bytes than a/A-1_A (IFR) - T.pdf")


def test_copies_that_cannot_be_read_are_said_so():
    def digest(entry):
        raise PermissionError(13, "Permission denied")

    (one,) = findings(index_of(f"{FIRST}/A-1_A (IFR) - T.pdf", f"{SECOND}/A-1_A (IFR) - T.pdf"), digest)
    assert (one.kind, one.reason) == ("left out", "cannot be compared: permission denied")


def test_a_second_file_in_one_transmittal_is_a_duplicate():
    first, second = f"{FIRST}/A-1_A (IFA) - T.pdf", f"{FIRST}/native/A-1_A (IFR) - T.pdf"
    assert found(first, second) == [(second, "duplicate")]
    assert found("A-1_A (IFA) - T.pdf", "A-1_A (IFR) - T.pdf") == [("A-1_A (IFR) - T.pdf", "duplicate")]
    assert found("a/A-1_A (IFA) - T.pdf", "b/A-1_A (IFA) - T.pdf") == []


def test_a_draft_in_an_issued_folder_is_found():
    assert found(f"{SECOND}/A-1_~A (DFT) - T.pdf") == [(f"{SECOND}/A-1_~A (DFT) - T.pdf", "draft issued")]
    assert found(f"{SECOND}/A-1_A+~C1 (DFT) - T.pdf") == [(f"{SECOND}/A-1_A+~C1 (DFT) - T.pdf", "draft issued")]
    assert found(f"{FIRST}/A-1_~A (DFT) - T.pdf") == []


@pytest.mark.parametrize(
    ("revisions", "missing"),
    [
        ("A B C", ""),
        ("A C", "B"),
        ("B E", "C, D"),
        ("H J P R", "K, L, M, N"),
        ("A ~B B+C1 C", "B"),
        ("0 1 2", ""),
        ("C 0 3", "1, 2"),
        ("0 1 1.5 2", ""),
        ("AA AC P01 2025-01-01", ""),
        ("1 9999", ", ".join(map(str, range(2, 12)))),
    ],
)
def test_a_revision_that_is_missing_between_two_is_a_gap(revisions, missing):
    index = index_of(*(f"A-1_{revision} (IFR) - T.pdf" for revision in revisions.split()))
    expected = [Finding("A-1", "gap", f"no revision {missing}")] if missing else []
    assert [one for one in findings(index, lambda _: "") if one.kind != "draft issued"] == expected


def test_tracking_numbers_that_are_nearly_the_same_are_found():
    names = ("A-1_A (IFR) - T.pdf", "a-1_A (IFR) - T.pdf", "\u00c5-1_A (IFR) - T.pdf", "A\u030a-1_A (IFR) - T.pdf")
    assert sorted(found(*names)) == [("a-1", "number"), ("\u00c5-1", "number")]


@pytest.mark.parametrize("name", ["a\nb.txt", "a\\b.txt", "dot.", "blank "])
def test_names_that_not_every_system_can_have_are_found(name):
    assert found(name) == [(name, "name")]
