"""The index knows the files of each document, and stays equal to a fresh one whatever changes."""

import os
import shutil
import zipfile

import pytest
from tests.zddc.archive.changes import World, snapshot

from zddc.archive.index import Index
from zddc.archive.tree import Entry, Listing, walk

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def index_of(*paths: str) -> Index:
    """Return the index of files of these paths, which need not be anywhere."""
    folders: dict[str, list[Entry]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(Entry(folder, name, 1, 0))
    return Index(Listing(folder, tuple(entries)) for folder, entries in folders.items())


FIRST, SECOND = "P/Acme/received/2025-01-01_T-1 (IFR) - Plans", "P/Acme/issued/2025-02-01_T-1 (RSB) - Comments"


def test_a_document_has_its_revisions_newest_first_and_their_copies_earliest_first():
    index = index_of(
        "A-1_B (IFC) - Loose.pdf",
        f"{SECOND}/A-1_B (IFC) - Plan.pdf",
        f"{FIRST}/A-1_B (IFC) - Plan.pdf",
        f"{SECOND}/A-1_A+C1 (RSB) - Plan.pdf",
        f"{FIRST}/A-1_~C (DFT) - Plan.pdf",
        f"{FIRST}/A-1_A (IFR) - Plan.pdf",
        f"{FIRST}/A-2_A (IFR) - Other.pdf",
        f"{FIRST}/Meeting notes.txt",
    )
    document = index.document("A-1")
    assert document is not None
    assert [revision.text for revision in document.revisions] == ["~C", "B", "A+C1", "A"]
    assert document.current.text == "B"
    assert [copy.entry.path for copy in document.current.copies] == [
        f"{FIRST}/A-1_B (IFC) - Plan.pdf",
        f"{SECOND}/A-1_B (IFC) - Plan.pdf",
        "A-1_B (IFC) - Loose.pdf",
    ]
    assert index.tracking_numbers() == ["A-1", "A-2"]


def test_received_comes_before_issued_and_others_on_one_day():
    day = "2025-01-01_T-1 (IFR) - Plans"
    index = index_of(*(f"{kind}/{day}/A-1_B (IFC) - Plan.pdf" for kind in ("Acme", "issued", "other", "received")))
    document = index.document("A-1")
    assert document is not None
    assert [copy.entry.folder.partition("/")[0] for copy in document.current.copies] == [
        *("received", "issued", "Acme", "other"),
    ]


def test_a_document_without_a_final_revision_has_its_newest_as_the_current_one():
    document = index_of("A-1_~A (DFT) - Plan.pdf", "A-1_~A+C1 (RSC) - Plan.pdf").document("A-1")
    assert document is not None
    assert document.current.text == "~A+C1"


def test_a_document_may_be_asked_for_below_one_folder():
    index = index_of("P/A-1_A (IFR) - Plan.pdf", "P2/A-1_B (IFR) - Plan.pdf", "P/x/A-2_A (IFR) - Plan.pdf")
    document = index.document("A-1", "P")
    assert document is not None
    assert [revision.text for revision in document.revisions] == ["A"]
    assert index.document("A-2", "P2") is None
    assert index.document("A-3") is None


def test_what_nobody_has_checked_yet_is_no_copy():
    index = index_of(
        f"{FIRST}/A-1_A (IFR) - Plan.pdf", "P/Acme/Incoming/2025-03-01_T-3 (IFC) - New/A-1_B (IFC) - P.pdf"
    )
    document = index.document("A-1")
    assert document is not None
    assert [revision.text for revision in document.revisions] == ["A"]
    assert len(list(index.entries())) == 2


@pytest.mark.parametrize("word", ["constructor", "__class__", "toString"])
def test_any_word_may_be_a_tracking_number(word):
    assert index_of("A-1_A (IFR) - Plan.pdf").document(word) is None
    assert index_of(f"{word}_A (IFR) - Plan.pdf".replace("__class__", "class")).tracking_numbers()


@pytest.mark.parametrize("seed", range(20 if SOAK else 2))
def test_an_index_that_is_kept_in_step_equals_a_fresh_one(tmp_path, seed):
    world = World(tmp_path, seed)
    index = Index(walk(tmp_path))
    for _ in range(500 if SOAK else 60):
        for folder in world.change():
            index.refresh(tmp_path, folder)
        assert snapshot(index) == snapshot(Index(walk(tmp_path)))


def test_a_zip_that_was_written_again_is_read_again(tmp_path):
    file = tmp_path / "2025-01-01_T-1 (IFC) - Zipped.zip"
    index = Index()
    for revision in ("A", "B"):
        with zipfile.ZipFile(file, "w") as made:
            made.writestr(f"A-1_{revision} (IFC) - T.pdf", b"1")
        index.refresh(tmp_path, "")
        document = index.document("A-1")
        assert document is not None
        assert [one.text for one in document.revisions] == [revision]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_can_no_longer_be_read_is_left_out_and_not_forgotten(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/A-1_B (IFC) - T.pdf").touch()
    index = Index(walk(tmp_path))
    (tmp_path / "a").chmod(0)
    index.refresh(tmp_path, "a")
    after = snapshot(Index(walk(tmp_path)))
    (tmp_path / "a").chmod(0o700)
    assert snapshot(index) == after
    assert [one.reason for one in index.left_out()] == ["cannot be read: permission denied"]


def test_a_root_that_is_gone_leaves_an_empty_index(tmp_path):
    (tmp_path / "root/a").mkdir(parents=True)
    (tmp_path / "root/a/A-1_B (IFC) - T.pdf").touch()
    index = Index(walk(tmp_path / "root"))
    shutil.rmtree(tmp_path / "root")
    index.refresh(tmp_path / "root", "")
    assert snapshot(index) == snapshot(Index())
