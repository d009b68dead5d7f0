"""What people reported of other programs that rename, of naming, and of lists of hashes, tried on ours."""

import unicodedata
from pathlib import Path

import pytest

from zddc.errors import UserError
from zddc.hashing import Finding, find_files, hash_files, verify, write_list
from zddc.rename_journal import JOURNALS, apply, undo
from zddc.renaming import Rename, check_plan, read_plan


@pytest.fixture
def make(tmp_path):
    """Make files that hold their own path."""

    def files(*paths: str) -> Path:
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(path)
        return tmp_path

    return files


def tree(root: Path) -> dict[str, str]:
    """The files below a folder, each with the path that it had at first."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.match(JOURNALS))
    return {path.relative_to(root).as_posix(): path.read_text() for path in files}


def rename(root: Path, plan: dict[str, str]) -> Path:
    return apply(root, check_plan(root, [Rename(path, new_name) for path, new_name in plan.items()]))


def problems(root: Path, plan: dict[str, str]) -> list[str]:
    return [line.problem for line in check_plan(root, [Rename(path, new_name) for path, new_name in plan.items()])]


def test_two_files_that_swap_their_names_are_both_there(make):
    """jarun/nnn#971, ranger/ranger#1621: one of them was lost."""
    root = make("a.txt", "b.txt")
    rename(root, {"a.txt": "b.txt", "b.txt": "a.txt"})
    assert tree(root) == {"a.txt": "b.txt", "b.txt": "a.txt"}


def test_a_file_that_gets_the_old_name_of_another_does_not_replace_it(make):
    """jarun/nnn#538: the second of a chain was lost."""
    root = make("somename", "someothername")
    rename(root, {"somename": "someothername", "someothername": "someothernameold"})
    assert tree(root) == {"someothername": "somename", "someothernameold": "someothername"}


def test_many_that_would_get_one_name_are_refused(make):
    """leo-arch/clifm#288, Gadiguibou/stdrename#31, MeanEYE/Sunflower#31: only the last one was left."""
    root = make("Diabolica (27-10).mp3", "Diabolica (23-10).mp3", "Diabolica (25-10).mp3")
    assert problems(root, dict.fromkeys(sorted(tree(root)), "Diabolica.mp3")) == [
        "'Diabolica (25-10).mp3' would get this name too",
        "'Diabolica (23-10).mp3' would get this name too",
        "'Diabolica (23-10).mp3' would get this name too",
    ]


def test_two_new_names_that_differ_in_letter_case_are_refused(make):
    """shenwei356/brename#28: on NTFS only one of two files was left."""
    root = make("Test.doc", "test.txt")
    assert problems(root, {"Test.doc": "Test", "test.txt": "test"}) == [
        "'test.txt' would get this name too",
        "'Test.doc' would get this name too",
    ]


def test_a_folder_and_what_is_in_it_are_renamed_in_one_plan(make):
    """ismaelgv/rnr#55, microsoft/PowerToys#681, nicjansma/rename-regex#17: the folder went first, its files failed."""
    root = make("Source/My56/My56.cpp", "Source/My56/My56.h", "Source/My56.cs")
    plan = {
        "Source/My56.cs": "My.cs",
        "Source/My56": "My",
        "Source/My56/My56.cpp": "My.cpp",
        "Source/My56/My56.h": "My.h",
    }
    journal = rename(root, plan)
    assert sorted(tree(root)) == ["Source/My.cs", "Source/My/My.cpp", "Source/My/My.h"]
    undo(root, journal)
    assert sorted(tree(root)) == ["Source/My56.cs", "Source/My56/My56.cpp", "Source/My56/My56.h"]


@pytest.mark.parametrize("new_name", ["UPPERCASE", "Uppercase"])
def test_a_name_may_change_in_letter_case_only(make, new_name):
    """linuxmint/nemo#3549, ap/rename#16, ismaelgv/rnr#22: "exists already". See test_rename_journal too."""
    root = make("uppercase")
    rename(root, {"uppercase": new_name})
    assert tree(root) == {new_name: "uppercase"}


@pytest.mark.parametrize(("old", "new"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_name_may_change_in_normalisation_only(make, old, new):
    """ismaelgv/rnr#31, owncloud/client#12365: such a change was a clash, or was made into a removal."""
    old_name, new_name = (unicodedata.normalize(form, "Prüfplan é.pdf") for form in (old, new))
    root = make(old_name)
    rename(root, {old_name: new_name})
    assert list(tree(root)) == [new_name]


def test_a_slash_in_a_new_name_makes_no_hidden_folder(make):
    """trapd00r/vidir#25: "1. ./file" became a folder whose name begins with a dot, and the files seemed lost."""
    root = make("file1.txt", "file2.txt")
    assert (
        problems(root, {"file1.txt": " ./fileA.txt", "file2.txt": "./fileB.txt"})
        == ["Windows forbids '/' in a name"] * 2
    )


def test_a_line_break_in_a_name_is_kept_through_the_plan(make):
    """laurent22/massren#46, thameera/vimv#21: a list of lines cannot hold such a name."""
    root = make("two\nlines.pdf", "two")
    (plan := root / "plan.csv").write_text('path,new_name\n"two\nlines.pdf",one line.pdf\n')
    apply(root, check_plan(root, read_plan(plan)))
    plan.unlink()
    assert tree(root) == {"one line.pdf": "two\nlines.pdf", "two": "two"}


def test_one_clash_among_many_is_told_before_the_first_rename(make):
    """linuxmint/bulky#85: the run stopped at the first file whose new name was taken, in the middle."""
    root = make("a", "b", "c", "x-b")
    before = tree(root)
    plan = check_plan(root, [Rename(name, f"x-{name}") for name in "abc"])
    assert [line.problem for line in plan] == ["", "'x-b' is there already", ""]
    with pytest.raises(UserError, match="nothing was renamed"):
        apply(root, plan)
    assert tree(root) == before


def test_a_plan_that_was_applied_twice_is_taken_back_in_turn(make):
    """microsoft/PowerToys#19883: 2,123 files, "apply" pressed twice, and no way back."""
    root = make("1 - 2 - a", "3 - 4 - b")
    before = tree(root)
    first = rename(root, {path: path.partition(" - ")[2] for path in tree(root)})
    second = rename(root, {path: path.partition(" - ")[2] for path in tree(root)})
    with pytest.raises(UserError, match="it is not there any more; nothing was renamed now"):
        undo(root, first)
    undo(root, second)
    undo(root, first)
    assert tree(root) == before


def test_a_plan_in_another_encoding_renames_nothing_to_something_else(make):
    """grokability/snipe-it#16518: a table in Windows-1252 made "München" into something else."""
    root = make("a.pdf", "Zürich.pdf")
    plan = "path,new_name\na.pdf,München.pdf\nZürich.pdf,b.pdf\n".encode("cp1252")
    (file := root / "plan.csv").write_bytes(plan)
    assert [line.problem for line in check_plan(root, read_plan(file))] == [
        "the name is not valid Unicode text",
        "no such file or folder",
    ]


@pytest.mark.parametrize(
    "name", ["foo.txt ", "folder.", "T.N.T.", "aux.h", "a" * 252 + ".pdf", "前" * 84 + ".pdf", "a|b"]
)
def test_a_name_that_a_client_on_windows_cannot_sync_is_refused(make, name):
    """nextcloud/desktop#3749, audiamus/AaxAudioConverter#3, bohning/usdb_syncer#104, maharmstone/btrfs#398."""
    assert problems(make("a"), {"a": name}) != [""]


def test_a_name_that_begins_with_a_blank_is_warned_of(make):
    """nextcloud/desktop#6961, microsoft/PowerToys#1818: Windows takes it, clients do not sync it."""
    (line,) = check_plan(make("a"), [Rename("a", " foo.txt")])
    assert (line.problem, line.warning) == ("", "OneDrive and SharePoint do not sync such a name")


def test_a_flag_of_seven_characters_is_part_of_a_name(make):
    """python/cpython#105779: a name with such a flag could not be renamed on Windows."""
    flag = "Kai \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f \u26a7\ufe0f"
    root = make(flag)
    undo(root, rename(root, {flag: "Kai"}))
    assert tree(root) == {flag: flag}


def write_hashes(root: Path) -> None:
    write_list(root, hash_files(root, find_files(root)))


def differences(root: Path) -> list[Finding]:
    return [finding for finding in verify(root) if finding.kind != "verified"]


def test_a_missing_file_is_told_though_its_bytes_are_in_another(make):
    """jessek/hashdeep#64: the audit passed."""
    root = make("top.txt")
    (root / "foo").mkdir()
    (root / "foo/top.txt").write_bytes((root / "top.txt").read_bytes())
    write_hashes(root)
    (root / "foo/top.txt").unlink()
    assert differences(root) == [Finding("foo/top.txt", "missing")]


def test_new_files_and_removed_files_are_told(make):
    """rhash/RHash#145, idrassi/DirHash#7: the one did not tell of new files, the other not of removed ones."""
    root = make("old.txt", "same.txt")
    write_hashes(root)
    (root / "old.txt").unlink()
    make("new.txt")
    assert differences(root) == [Finding("old.txt", "missing"), Finding("new.txt", "extra")]


def test_a_list_from_windows_is_read(make):
    """erikdarlingdata/PerformanceMonitor#2383, gurnec/HashCheck#36: a carriage return became part of each name."""
    root = make("a.zip", "b.zip")
    write_hashes(root)
    lines = (root / "SHA256SUMS").read_bytes().replace(b"\n", b"\r\n").replace(b"  ", b" *")
    (root / "SHA256SUMS").write_bytes(b"\xef\xbb\xbf" + lines)
    assert differences(root) == []


def test_a_list_in_utf_16_is_no_list(make):
    """openziti/desktop-edge-win#645: "no properly formatted lines found", for two bytes that nobody sees."""
    root = make("a.zip")
    (root / "SHA256SUMS").write_text(f"{'0' * 64}  a.zip\n", encoding="utf-16")
    with pytest.raises(UserError, match="SHA256SUMS:1: not a SHA-256 and a path"):
        list(verify(root))


def test_paths_with_backslashes_are_seen_as_moved(make):
    """doublecmd/doublecmd#1183: a list from Windows may have its backslashes between folders."""
    root = make("f/a.zip")
    write_hashes(root)
    lines = (root / "SHA256SUMS").read_bytes().replace(b"/", b"\\")
    (root / "SHA256SUMS").write_bytes(lines)
    assert differences(root) == [Finding("f\\a.zip", "moved", "f/a.zip")]
