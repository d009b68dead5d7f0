"""Every name in a tree is judged, and corrected where only one correction suggests itself."""

import os
import sys
from pathlib import Path

import pytest

from zddc.name_check import Verdict, check

GOOD_FILE = "A-1_B (IFC) - Title.pdf"
GOOD_FOLDER = "2025-10-31_A-1 (IFC) - Title"


def verdicts_on(root: Path, *names: str) -> list[Verdict]:
    """Make files, and folders where a name ends with a slash, and judge them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if name.endswith("/") else path.touch()
    return list(check(root))


def test_names_that_conform_have_no_reason(tmp_path):
    assert verdicts_on(tmp_path, f"{GOOD_FOLDER}/{GOOD_FILE}", f"{GOOD_FOLDER}.zip") == [
        Verdict(GOOD_FOLDER, "folder", "", None),
        Verdict(f"{GOOD_FOLDER}.zip", "folder", "", None),
        Verdict(f"{GOOD_FOLDER}/{GOOD_FILE}", "file", "", None),
    ]


@pytest.mark.parametrize(
    ("name", "reason", "corrected"),
    [
        ("A-1_B(IFC)-Title.PDF", "not in canonical form", "A-1_B (IFC) - Title.PDF"),
        ("A-1_B (IFC) - Title. pdf ", "not in canonical form", GOOD_FILE),
        (" A-1_B (IFC) - Title.pdf", "white space inside the tracking number", GOOD_FILE),
        ("A-1_B (ifc) - Title.pdf", "status 'ifc' is not one of the 17 codes; did you mean IFC", GOOD_FILE),
        ("A-1_B (IFC) – Title.pdf", "'–' between status and title is not the hyphen '-'", GOOD_FILE),
        ("A-1_B(ifc)—Title.pdf", "'—' between status and title is not the hyphen '-'", GOOD_FILE),
        (
            "A-1_B (ifc) - A (x) – B.pdf",
            "status 'ifc' is not one of the 17 codes; did you mean IFC",
            "A-1_B (IFC) - A (x) – B.pdf",
        ),
        ("A(1)–2_B(IFC)-Title.pdf", "not in canonical form", "A(1)–2_B (IFC) - Title.pdf"),
        ("A-1_B (Issued) - Title.pdf", "status 'Issued' is not one of the 17 codes", None),
        ("A 1_B (IFC) - Title.pdf", "white space inside the tracking number", None),
        (
            "A_1_B (IFC) - Title.pdf",
            "more than one '_' before the status; neither tracking number nor revision may hold one",
            None,
        ),
        ("Meeting notes.docx", "no '_' after the tracking number", None),
    ],
)
def test_a_file_that_does_not_conform_has_a_reason(tmp_path, name, reason, corrected):
    assert verdicts_on(tmp_path, name) == [Verdict(name, "file", reason, corrected)]


@pytest.mark.parametrize(
    ("name", "reason", "corrected"),
    [
        ("2025-10-31_A-1(ifc)–Title", "'–' between status and title is not the hyphen '-'", GOOD_FOLDER),
        ("2025-10-31 A-1 (IFC) - Title", "no '_' after the date", None),
        ("2025-13-45_A-1 (IFC) - Title", "2025-13-45 is not a calendar date", None),
        (
            "2025-10-31_A-1_B (IFC) - Title",
            "more than one '_' before the status; neither date nor tracking number may hold one",
            None,
        ),
    ],
)
def test_a_transmittal_folder_that_does_not_conform_has_a_reason(tmp_path, name, reason, corrected):
    assert verdicts_on(tmp_path, f"{name}/") == [Verdict(name, "folder", reason, corrected)]


def test_a_zipped_transmittal_folder_keeps_its_extension_when_corrected(tmp_path):
    name = "2025-10-31_A-1(IFC)-Title.ZIP"
    assert verdicts_on(tmp_path, name) == [Verdict(name, "folder", "not in canonical form", f"{GOOD_FOLDER}.ZIP")]


def test_other_folders_only_group(tmp_path):
    assert verdicts_on(tmp_path, "received/", "2025/10/2025-10-31/", "Party A (north)/") == []


def test_names_that_start_with_a_dot_or_an_underscore_are_left_alone_and_lists_of_hashes(tmp_path):
    names = [".archive/x.txt", "_template/x.txt", ".zddc", "_notes.txt", "SHA256SUMS", f"{GOOD_FOLDER}/SHA256SUMS"]
    assert [verdict.path for verdict in verdicts_on(tmp_path, *names)] == [GOOD_FOLDER]


def test_folder_comes_after_folder_and_names_are_sorted(tmp_path):
    names = ["b/x", "b/a/x", "a/z", "a/y", "c"]
    assert [verdict.path for verdict in verdicts_on(tmp_path, *names)] == ["c", "a/y", "a/z", "b/x", "b/a/x"]


@pytest.mark.parametrize("neighbour", [GOOD_FILE, GOOD_FILE.upper(), "A-1_B(IFC) - Title.pdf"])
def test_a_correction_that_a_neighbour_has_or_should_get_is_taken_back(tmp_path, neighbour):
    name = "A-1_B (IFC)-Title.pdf"
    verdict = next(verdict for verdict in verdicts_on(tmp_path, name, neighbour) if verdict.path == name)
    collides = f"as '{GOOD_FILE}' it would collide with another name here"
    assert (verdict.reason, verdict.corrected) == (f"not in canonical form; {collides}", None)


def test_a_correction_collides_with_a_folder_that_only_groups(tmp_path):
    verdicts = verdicts_on(tmp_path, "A-1_B (IFC)-Title.pdf", f"{GOOD_FILE}/")
    assert [verdict.corrected for verdict in verdicts] == [None]


def test_a_correction_may_differ_from_its_own_name_in_letter_case_only(tmp_path):
    assert verdicts_on(tmp_path, "A-1_B (ifc) - Title.pdf")[0].corrected == GOOD_FILE


def test_links_to_folders_are_judged_but_not_followed(tmp_path):
    verdicts_on(tmp_path, "received/Meeting notes.docx")
    (tmp_path / "again").symlink_to("received")
    (tmp_path / "received/round").symlink_to("..")
    (tmp_path / "2025-10-31 x").symlink_to("received")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "endless").symlink_to("endless")
    assert [(verdict.path, verdict.kind) for verdict in check(tmp_path)] == [
        ("2025-10-31 x", "folder"),
        ("dangling", "file"),
        ("endless", "file"),
        ("received/Meeting notes.docx", "file"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_unicode_are_reported(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/A-1_B (IFC) - T\xff.pdf")).touch()
    (verdict,) = check(tmp_path)
    assert (verdict.reason, verdict.corrected) == ("the name is not valid Unicode text", None)


def test_a_folder_that_cannot_be_read_is_reported_and_the_others_are_still_judged(tmp_path, monkeypatch):
    verdicts_on(tmp_path, "closed/x", "open/Meeting notes.docx")
    scandir = os.scandir

    def refuse_closed(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse_closed)
    assert [(verdict.path, verdict.reason) for verdict in check(tmp_path)] == [
        ("closed", "cannot be read: permission denied"),
        ("open/Meeting notes.docx", "no '_' after the tracking number"),
    ]
    with pytest.raises(PermissionError):
        list(check(tmp_path / "closed"))
