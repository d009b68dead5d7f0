"""The index knows the files of each document, and stays equal to a fresh one whatever changes."""

import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest
from tests import archives

from zddc.archive.index import Index
from zddc.archive.tree import Entry, Listing, join, walk

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


def snapshot(index: Index) -> tuple[object, ...]:
    documents = {number: index.document(number) for number in index.tracking_numbers()}
    return index.listings, documents, list(index.entries()), list(index.left_out())


class World:
    """A tree that changes at random, and the folders that were changed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.chance, self.serial = root, random.Random(seed), 0
        archives.write(root, archives.draw(60, seed, per_folder=6, odd=0.2))
        self.files = list(archives.draw(2000, seed + 1, odd=0.2))

    def folders(self) -> list[str]:
        found = [Path(folder).relative_to(self.root).as_posix() for folder, _, _ in os.walk(self.root)]
        return ["" if folder == "." else folder for folder in found]

    def change(self) -> list[str]:
        """Change something; return the folders that a watcher would name."""
        folder = self.chance.choice(self.folders())
        names = sorted(one.name for one in (self.root / folder).iterdir())
        drawn = self.chance.choice(self.files)
        operation = self.chance.choice(("add", "add", "write", "remove", "rename", "move", "folder", "zip", "link"))
        self.serial += 1
        name = drawn.path.rpartition("/")[2]
        if operation == "folder":
            name = self.chance.choice((drawn.path.split("/")[-2], "received", f"F {self.serial}"))
        target = self.root / folder / name
        if operation == "add" and not target.is_dir() and not target.is_symlink():
            target.write_bytes(drawn.content)
        elif operation == "folder" and not os.path.lexists(target):
            target.mkdir()
            (target / drawn.path.rpartition("/")[2]).write_bytes(b"new")
        elif operation == "zip":
            self.make_zip(self.root / folder / f"2025-01-01_Z-{self.chance.randrange(3)} (IFC) - Zipped.zip")
        elif operation == "link" and not os.path.lexists(target):
            target.symlink_to(self.root)
        elif names:
            return self.change_existing(folder, self.chance.choice(names), operation)
        return [folder]

    def change_existing(self, folder: str, name: str, operation: str) -> list[str]:
        place = self.root / folder / name
        if operation == "remove":
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        elif operation == "rename":
            place.rename(place.with_name(f"{self.serial} {name}"[:200]))
        elif operation == "move":
            other = self.chance.choice(self.folders())
            target = self.root / other / name
            if not f"{other}/".startswith(f"{join(folder, name)}/") and not os.path.lexists(target):
                place.rename(target)
                return [folder, other]
        elif place.is_file() and not place.is_symlink():
            place.write_bytes(b"written again" * self.serial)
        return [folder]

    def make_zip(self, file: Path) -> None:
        if not file.is_dir() and not file.is_symlink():
            with zipfile.ZipFile(file, "w") as made:
                for name in {drawn.path.rpartition("/")[2] for drawn in self.chance.sample(self.files, 3)}:
                    made.writestr(zipfile.ZipInfo(name), b"zipped")


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
