"""What ``zddc rename`` prints and does, and the status it ends with."""

import json
import re
from pathlib import Path

import pytest

from zddc.rename_journal import JOURNALS

WRONG, RIGHT = "A-1_B(IFC)-Plan.pdf", "A-1_B (IFC) - Plan.pdf"


@pytest.fixture
def folder(tmp_path):
    """A folder with a name that can be corrected and one that cannot."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / WRONG).write_text("plan")
    (tmp_path / "in" / "Meeting notes.docx").write_text("notes")
    return tmp_path / "in"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.match(JOURNALS))


def test_nothing_is_renamed_unless_asked_for(zddc, folder):
    before = names(folder)
    assert zddc("rename", folder) == (
        0,
        f"{WRONG}\n    rename to: {RIGHT}\nto rename: 1; refused: 0; left as they are: 1\n"
        "nothing was renamed yet: --apply does it\n",
        "",
    )
    assert names(folder) == before


def test_names_are_corrected_and_the_journal_takes_that_back(zddc, folder):
    before = names(folder)
    status, out, err = zddc("rename", folder, "--apply")
    assert (status, err) == (0, "")
    found = re.search(r"^renamed: 1; refused: 0; left as they are: 1\njournal: (.*)\n\Z", out, re.MULTILINE)
    assert found
    assert names(folder) == [RIGHT, "Meeting notes.docx"]
    assert zddc("rename", folder, "--undo", found[1]) == (0, "renamed back: 1\n", "")
    assert names(folder) == before
    assert zddc("rename", folder, "--complete", found[1]) == (0, "renamed: 1\n", "")
    assert names(folder) == [RIGHT, "Meeting notes.docx"]


def test_a_tree_without_a_wrong_name_has_nothing_to_rename(zddc, tmp_path):
    assert zddc("rename", tmp_path, "--apply") == (0, "to rename: 0; refused: 0; left as they are: 0\n", "")
    assert names(tmp_path) == []


def test_a_plan_is_written_filled_in_and_done(zddc, folder):
    plan = folder.parent / "plan.csv"
    assert zddc("rename", folder, "--write-plan", plan)[0] == 0
    heading, first, second = plan.read_text(encoding="utf-8-sig").splitlines()
    assert first.startswith(f"{WRONG},{RIGHT},4,")
    assert second.startswith("Meeting notes.docx,,5,")
    assert second.endswith(",no '_' after the tracking number")
    filled = second.replace(",,", ",A-2_A (IFI) - Meeting notes.docx,", 1)
    plan.write_text("\n".join([heading, first, filled]), encoding="utf-8")
    status, out, _ = zddc("rename", folder, "--csv", plan, "--apply")
    assert (status, "renamed: 2; refused: 0; left as they are: 0" in out) == (0, True)
    assert names(folder) == [RIGHT, "A-2_A (IFI) - Meeting notes.docx"]


def test_a_plan_that_was_written_is_not_overwritten(zddc, folder):
    (plan := folder.parent / "plan.csv").write_text("mine")
    line = f"{plan}: there is such a file already; give the plan another name, or remove the file\n"
    assert zddc("rename", folder, "--write-plan", plan) == (1, "", line)
    assert plan.read_text() == "mine"


def test_if_one_line_is_refused_none_is_renamed(zddc, folder):
    before = names(folder)
    (plan := folder.parent / "plan.csv").write_text(f"path,new_name\n{WRONG},aux.pdf\nMeeting notes.docx,notes\n")
    status, out, err = zddc("rename", folder, "--csv", plan, "--apply")
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        WRONG,
        "    rename to: aux.pdf",
        "    refused: Windows reserves 'AUX' for a device, with any extension",
        "Meeting notes.docx",
        "    rename to: notes",
        "to rename: 1; refused: 1; left as they are: 0",
        "nothing was renamed: while a line is refused, all of them wait",
    ]
    assert names(folder) == before


def test_a_warning_is_shown_and_does_not_stop(zddc, folder):
    (plan := folder.parent / "plan.csv").write_text("path,new_name\nMeeting notes.docx,~$notes\n")
    status, out, _ = zddc("rename", folder, "--csv", plan, "--apply")
    assert (status, "    warning: OneDrive and SharePoint do not sync such a name\n" in out) == (0, True)


def test_everything_is_there_for_programs(zddc, folder):
    status, out, _ = zddc("rename", folder, "--apply", "--json")
    line, end = map(json.loads, out.splitlines())
    assert (status, line) == (0, {"path": WRONG, "new_name": RIGHT, "problem": "", "warning": ""})
    assert zddc("rename", folder, "--undo", end["journal"], "--json") == (0, '{"renamed": 1}\n', "")
    assert zddc("rename", folder, "--complete", end["journal"], "--json") == (0, '{"renamed": 1}\n', "")


def test_renames_that_were_stopped_come_first(zddc, folder):
    zddc("rename", folder, "--apply")
    (journal,) = folder.glob(JOURNALS)
    journal.write_bytes(journal.read_bytes().rpartition(b'{"end": ')[0])
    status, out, err = zddc("rename", folder)
    assert (status, out) == (1, "")
    assert err == (
        f"{journal}: these renames were stopped on their way; "
        f"'zddc rename {folder} --complete {journal}' goes on, --undo in its place takes all of it back\n"
    )


@pytest.mark.parametrize("others", [["--complete", "j"], ["--apply"], ["--csv", "p"], ["--write-plan", "p"]])
def test_going_back_goes_alone(zddc, tmp_path, others):
    line = "--undo and --complete: go with no other option but --json; give one of them alone\n"
    assert zddc("rename", tmp_path, "--undo", "j", *others) == (1, "", line)


@pytest.mark.parametrize("option", ["--undo", "--complete", "--csv"])
def test_a_file_that_is_not_there_is_one_line(zddc, tmp_path, option):
    missing = tmp_path / "missing"
    line = f"{missing}: no such file or directory; check the path\n"
    assert zddc("rename", tmp_path, option, missing) == (1, "", line)


def test_what_a_terminal_would_obey_is_escaped(zddc, folder):
    (folder / "two\nlines \x1b[31m.txt").touch()
    (plan := folder.parent / "plan.csv").write_text('path,new_name\n"two\nlines \x1b[31m.txt",one.txt\n')
    assert zddc("rename", folder, "--csv", plan)[1].splitlines()[:2] == [
        r"two\nlines \x1b[31m.txt",
        "    rename to: one.txt",
    ]
