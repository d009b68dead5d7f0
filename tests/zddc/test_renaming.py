"""A plan of renames is read, written and checked as a whole, before anything is renamed."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.many_files import make_many

from zddc.errors import UserError
from zddc.renaming import Rename, check_plan, format_plan, plan_corrections, read_plan
from zddc.windows_names import comparable


@pytest.fixture
def plan_file(tmp_path):
    """Write a plan and give its file."""

    def write(text: str | bytes):
        file = tmp_path / "plan.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


@pytest.fixture
def problem_of(tmp_path):
    """Make files, or folders where a name ends with a slash, and give the problems of renames by path and new name."""

    def check(names: list[str], *renames: tuple[str, str]) -> list[str]:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(exist_ok=True) if name.endswith("/") else path.touch()
        return [line.problem for line in check_plan(tmp_path, [Rename(*rename) for rename in renames])]

    return check


# plans from a check


def test_the_corrections_of_a_check_are_a_plan(tmp_path):
    for name in ("A-1_B(IFC)-Title.pdf", "A-1_C (IFC) - Title.pdf", "Meeting notes.docx"):
        (tmp_path / name).write_text(name)
    found = (tmp_path / "A-1_B(IFC)-Title.pdf").stat()
    corrected, wrong = plan_corrections(tmp_path)
    assert corrected == Rename("A-1_B(IFC)-Title.pdf", "A-1_B (IFC) - Title.pdf", found.st_size, found.st_mtime_ns)
    assert (wrong.path, wrong.new_name, wrong.changes) == ("Meeting notes.docx", "", False)
    assert wrong.problem == "no '_' after the tracking number"


# CSV


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1)
paths = st.lists(names.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3).map("/".join)
numbers = st.none() | st.integers(min_value=0, max_value=2**63)


@given(st.lists(st.builds(Rename, paths, names, numbers, numbers | st.integers(max_value=-1))))
def test_a_plan_is_read_as_it_was_written(tmp_path_factory, plan):
    file = tmp_path_factory.getbasetemp() / "round-trip.csv"
    file.write_bytes(format_plan(plan))
    assert read_plan(file) == plan


def test_a_path_that_is_not_unicode_is_read_as_it_was_written(plan_file):
    plan = [Rename(os.fsdecode(b"T\xff.pdf"), "T.pdf")]
    assert read_plan(plan_file(format_plan(plan))) == plan


def test_a_plan_opens_in_a_spreadsheet_as_utf_8_without_formulas(plan_file):
    plan = [Rename("=1+1.pdf", "-x"), Rename("Übersicht", "@SUM"), Rename("a/=1", "+1")]
    lines = format_plan(plan).decode("utf-8").splitlines()
    assert lines[0].startswith("\ufeffpath,new_name,")
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["./=1+1.pdf", "./-x"],
        ["Übersicht", "./@SUM"],
        ["a/=1", "./+1"],
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_plan_may_come_from_any_spreadsheet(plan_file, separator, line_end, mark):
    rows = [["path", "new_name"], ["./a//b/", "c"], ["", ""], ['"x,;y"', '"two""marks"']]
    file = plan_file(mark + line_end.join(separator.join(row) for row in rows))
    assert read_plan(file) == [Rename("a/b", "c"), Rename("x,;y", 'two"marks')]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ":1: no columns 'path' and 'new_name'; the columns are path, new_name, size, modified, problem; "
             "the last three may be missing"),
        ("path\na", ":1: no columns 'path' and 'new_name'; "),
        ("path,new_name,newname\n", ":1: the column 'newname' is not known; "),
        ("path,new_name,path\n", ":1: the column 'path' is not known; "),
        ("path,new_name\na\n", ":2: 1 fields under 2 columns; put a field that holds a separator between quotation"),
        ("path,new_name\na,b,c\n", ":2: 3 fields under 2 columns; "),
        ('path,new_name\n"a,b\n', "unexpected end of data; save it as CSV again"),
        ("path,new_name,size\na,b,1.5E3\n", ":2: size or time is not as it was written; "),
        ("path,new_name,modified\na,b,1.8E18\n", ":2: size or time is not as it was written; "),
        ("path,new_name\n".encode("utf-16"), ": not a CSV file in UTF-8; save it as 'CSV UTF-8'"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_one_line(plan_file, text, error):
    with pytest.raises(UserError) as caught:
        read_plan(plan_file(text))
    assert error in str(caught.value)


# checks


@pytest.mark.parametrize("new_name", ["", "a"])
def test_a_line_without_another_name_renames_nothing(tmp_path, new_name):
    (tmp_path / "a").touch()
    assert check_plan(tmp_path, [Rename("a", new_name)]) == []


@pytest.mark.parametrize(
    ("new_name", "problem"),
    [
        ("nul.txt", "Windows reserves 'NUL' for a device, with any extension"),
        ("a/b", "Windows forbids '/' in a name"),
        ("../b", "Windows forbids '/' in a name"),
        ("..", "Windows takes the dot at the end of a name away"),
        ("b\0", "a control character or line break in the name"),
        ("ü" * 128, "the name has 256 bytes in UTF-8; file systems take 255"),
    ],
)
def test_a_name_that_windows_cannot_hold_is_refused(problem_of, new_name, problem):
    assert problem_of(["a"], ("a", new_name)) == [problem]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("b", "no such file or folder"),
        ("A", "no such file or folder"),
        ("x/a", "no such file or folder"),
        ("a/x", "no such file or folder"),
        ("", "no such file or folder"),
        (".", "no such file or folder"),
        ("..", "no such file or folder"),
        ("../a", "not a path below the folder"),
        ("f/../a", "not a path below the folder"),
        ("/a", "not a path below the folder"),
        ("/etc/a", "not a path below the folder"),
        ("//a", "not a path below the folder"),
        ("f/./a", "not a path below the folder"),
        ("f//a", "not a path below the folder"),
        ("/", "not a path below the folder"),
        ("nul\0", "no such file or folder"),
    ],
)
def test_what_is_not_below_the_folder_is_refused(problem_of, path, problem):
    assert problem_of(["a", "f/"], (path, "c")) == [problem]


def test_a_path_through_a_link_is_refused_and_a_link_itself_can_be_renamed(tmp_path, problem_of):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a").touch()
    (tmp_path / "link").symlink_to("elsewhere")
    assert problem_of([], ("link/a", "b"), ("link", "b")) == ["'link' is a link, and links are not followed", ""]


@pytest.mark.parametrize("there", ["b", "B", "b/"])
def test_a_name_that_a_neighbour_has_is_refused(problem_of, there):
    assert problem_of(["a", there], ("a", "b")) == [f"'{there.rstrip('/')}' is there already"]


@pytest.mark.parametrize(("there", "new_name"), [("\u00e9", "e\u0301"), ("e\u0301", "É"), ("Straße", "STRASSE")])
def test_a_name_that_windows_or_macos_take_for_a_neighbours_is_refused(problem_of, there, new_name):
    assert problem_of(["a", there], ("a", new_name)) == [f"'{there}' is there already"]


def test_two_of_one_folder_that_would_get_one_name_are_both_refused(problem_of):
    assert problem_of(["a", "b", "f/b"], ("a", "x"), ("b", "X"), ("f/b", "x")) == [
        "'b' would get this name too",
        "'a' would get this name too",
        "",
    ]


def test_two_lines_for_one_file_are_refused(problem_of):
    assert problem_of(["a"], ("a", "b"), ("a", "c")) == ["the plan has several new names for it"] * 2


def test_a_name_that_another_gives_up_is_free(problem_of):
    assert problem_of(["a", "b", "c"], ("a", "b"), ("b", "c"), ("c", "A")) == ["", "", ""]


def test_a_name_that_another_keeps_is_not_free(problem_of):
    assert problem_of(["a", "b"], ("a", "b"), ("b", "")) == ["'b' is there already"]


@pytest.mark.parametrize(("old", "new"), [("a.PDF", "a.pdf"), ("\u00e9", "e\u0301"), ("Straße", "STRASSE")])
def test_a_name_may_change_in_letter_case_or_normalisation_only(problem_of, old, new):
    assert problem_of([old], (old, new)) == [""]


def test_what_has_changed_since_the_plan_was_made_is_refused(tmp_path):
    file = tmp_path / "a"
    file.write_text("1")
    found = file.stat()
    plan = [Rename("a", "b", found.st_size, found.st_mtime_ns)]
    assert [line.problem for line in check_plan(tmp_path, plan)] == [""]
    os.utime(file, ns=(0, found.st_mtime_ns + 1))
    assert [line.problem for line in check_plan(tmp_path, plan)] == ["it has changed since the plan was made"]
    file.write_text("22")
    os.utime(file, ns=(0, found.st_mtime_ns))
    assert [line.problem for line in check_plan(tmp_path, plan)] == ["it has changed since the plan was made"]


def test_a_path_that_becomes_too_long_for_windows_is_warned_of(tmp_path):
    inner = tmp_path / "f" / ("g" * 200)
    inner.mkdir(parents=True)
    (inner / "h").touch()
    plan = [Rename("f", "F" * 60), Rename(f"f/{'g' * 200}/h", "i"), Rename(f"f/{'g' * 200}", "short")]
    folder, file, middle = check_plan(tmp_path, plan)
    assert folder.warning == "the path has 263 characters from here on; many programs on Windows take 259"
    assert (file.warning, middle.warning) == ("", "")
    assert {line.problem for line in (folder, file, middle)} == {""}


def test_the_paths_behind_a_link_do_not_count(tmp_path):
    (tmp_path / "f" / ("g" * 250)).mkdir(parents=True)
    (tmp_path / "f" / ("g" * 250) / "hundred").mkdir()
    (tmp_path / "link").symlink_to("f")
    assert check_plan(tmp_path, [Rename("link", "new")])[0].warning == ""


def test_many_that_would_get_one_name_are_checked_in_linear_time(tmp_path):
    make_many(tmp_path, map(str, range(3000)))
    checked = check_plan(tmp_path, [Rename(str(number), "one") for number in range(3000)])
    assert {line.problem for line in checked} == {"'0' would get this name too", "'1' would get this name too"}


def test_folding_does_not_depend_on_the_order_of_case_and_normalisation():
    forms = ["ά", "Ά", "\u03b1\u0301", "\u0391\u0301"]
    assert len({comparable(form) for form in forms}) == 1
