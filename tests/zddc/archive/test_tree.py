"""Every file of a tree is an entry, and what is none has a reason."""

import contextlib
import os
import zipfile

import pytest

from zddc.archive.tree import Entry, LeftOut, Listing, is_zip_transmittal, read_folder, walk

GOOD = "A-1_B (IFC) - Title.pdf"
TRANSMITTAL = "2025-10-31_A-TRN-1 (IFC) - Title"


def entry(root, folder, name):
    status = (root / folder / name).stat()
    return Entry(folder, name, status.st_size, status.st_mtime_ns)


def test_a_tree_is_walked_folder_by_folder(tmp_path):
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    for name in ("z.txt", "b/y.txt", "b/c/x.txt", "a/w.txt", "a/A.txt"):
        (tmp_path / name).write_text(name)
    listings = list(walk(tmp_path))
    assert [listing.path for listing in listings] == ["", "a", "b", "b/c"]
    assert listings[0] == Listing("", (entry(tmp_path, "", "z.txt"),), ("a", "b"))
    assert listings[1].entries == (entry(tmp_path, "a", "A.txt"), entry(tmp_path, "a", "w.txt"))
    assert [one.path for listing in listings for one in listing.entries] == [
        *("z.txt", "a/A.txt", "a/w.txt", "b/y.txt", "b/c/x.txt"),
    ]
    assert [listing.path for listing in walk(tmp_path, "b")] == ["b", "b/c"]


def test_private_names_are_passed_over(tmp_path):
    for name in (".git", "_tools"):
        (tmp_path / name).mkdir()
        (tmp_path / name / GOOD).touch()
    (tmp_path / ".zddc").touch()
    (tmp_path / "_draft.txt").touch()
    assert list(walk(tmp_path)) == [Listing("", has_rules=True)]


def test_links_are_left_out_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / GOOD).touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file.pdf").symlink_to(outside / GOOD)
    (root / "dangling").symlink_to("nowhere")
    (root / f"{TRANSMITTAL}.zip").symlink_to(outside)
    (listing,) = walk(root)
    assert (listing.entries, listing.folders) == ((), ())
    assert [one.path for one in listing.left_out] == [f"{TRANSMITTAL}.zip", "dangling", "file.pdf", "folder"]
    assert {one.reason for one in listing.left_out} == {"a link; links are never followed"}


def test_what_is_no_file_is_left_out(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert read_folder(tmp_path, "").left_out == (LeftOut("pipe", "neither a file nor a folder"),)


def test_a_name_that_is_no_unicode_text_is_left_out(tmp_path):
    (tmp_path / os.fsdecode(b"T\xff.pdf")).touch()
    (tmp_path / "Übersicht.pdf").touch()
    listing = read_folder(tmp_path, "")
    assert [one.name for one in listing.entries] == ["Übersicht.pdf"]
    assert listing.left_out == (LeftOut("T\udcff.pdf", "the name is not valid Unicode text"),)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_left_out(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert list(walk(tmp_path))[1].left_out == (LeftOut("closed", "cannot be read: permission denied"),)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_only_be_listed_has_its_files_left_out_one_by_one(tmp_path):
    (tmp_path / "listed").mkdir()
    (tmp_path / "listed" / GOOD).touch()
    (tmp_path / "listed").chmod(0o400)
    _, listing = walk(tmp_path)
    (tmp_path / "listed").chmod(0o700)
    assert listing.left_out == (LeftOut(f"listed/{GOOD}", "cannot be read: permission denied"),)


def test_a_file_that_is_removed_while_the_folder_is_read_does_not_hide_the_others(tmp_path, monkeypatch):
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).touch()
    scandir = os.scandir

    @contextlib.contextmanager
    def scan(place):
        with scandir(place) as found:
            entries = list(found)
        (tmp_path / "b.txt").unlink()
        yield entries

    monkeypatch.setattr(os, "scandir", scan)
    assert [one.name for one in read_folder(tmp_path, "").entries] == ["a.txt", "c.txt"]


def test_a_link_to_the_folder_that_it_is_in_ends(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/loop").symlink_to(".")
    (tmp_path / "a/up").symlink_to("..")
    assert [listing.path for listing in walk(tmp_path)] == ["", "a"]


def test_a_root_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(walk(tmp_path / "missing"))


def test_a_zipped_transmittal_counts_as_the_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / f"{TRANSMITTAL}.zip", "w") as made:
        made.writestr(zipfile.ZipInfo(GOOD, (2025, 10, 31, 12, 0, 0)), b"12345")
        made.writestr("native/", b"")
        made.writestr("native/x.dwg", b"1")
        made.writestr("../evil.pdf", b"1")
        made.writestr("_private/x.pdf", b"1")
    (tmp_path / "other.zip").write_bytes(b"no zip")
    root, zipped = walk(tmp_path)
    assert [one.name for one in root.entries] == ["other.zip"]
    assert root.folders == (f"{TRANSMITTAL}.zip",)
    assert zipped.path == f"{TRANSMITTAL}.zip"
    assert zipped.entries[0] == Entry(f"{TRANSMITTAL}.zip", GOOD, 5, 1761912000_000_000_000)
    assert zipped.entries[1][:3] == (f"{TRANSMITTAL}.zip/native", "x.dwg", 1)
    assert [one.path for one in zipped.left_out] == [f"{TRANSMITTAL}.zip/../evil.pdf"]


def test_a_zipped_transmittal_that_is_no_zip_is_left_out(tmp_path):
    (tmp_path / f"{TRANSMITTAL}.zip").write_bytes(b"no zip")
    _, zipped = walk(tmp_path)
    assert zipped.left_out == (LeftOut(f"{TRANSMITTAL}.zip", "the zip cannot be read: file is not a zip file"),)


def test_a_folder_may_be_called_like_a_zipped_transmittal(tmp_path):
    (tmp_path / f"{TRANSMITTAL}.zip").mkdir()
    (tmp_path / f"{TRANSMITTAL}.zip" / GOOD).touch()
    _, folder = walk(tmp_path)
    assert [one.name for one in folder.entries] == [GOOD]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"{TRANSMITTAL}.zip", True),
        (f"{TRANSMITTAL}.ZIP", True),
        (TRANSMITTAL, False),
        ("2025-13-31_A-TRN-1 (IFC) - Title.zip", False),
        ("A-1_B (IFC) - Title.zip", False),
    ],
)
def test_a_zipped_transmittal_is_known_by_its_name(name, expected):
    assert is_zip_transmittal(name) is expected
