"""What ``zddc list``, ``find``, ``show`` and ``index`` print, and the status they end with."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.zddc import commands

from zddc.cli.output import escape, print_columns

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
RECEIVED, ISSUED = "Acme/received/2025-10-31_T-1 (IFR) - Plans", "Acme/issued/2025-11-12_T-1 (RSB) - Answer"
FILES = {
    f"{RECEIVED}/A-1_A (IFR) - Site layout.pdf": "layout A",
    f"{RECEIVED}/A-1_A (IFR) - Site layout.dwg": "drawing A",
    f"{RECEIVED}/A-2_~B (DFT) - =cmd|' 平面.pdf": "draft",
    f"{ISSUED}/A-1_A+C1 (RSB) - Site layout.pdf": "comments",
    f"{ISSUED}/A-1_A (IFR) - Site layout.pdf": "layout A, changed",
    "Meeting notes.txt": "notes",
}


@pytest.fixture
def archive(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


# list


def test_documents_are_listed_with_their_current_revisions(zddc, archive):
    status, out, err = zddc("list", archive)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "tracking number  revision  status  date        party  extension  title",
        "A-1              A         IFR     2025-10-31  Acme   dwg, pdf   Site layout",
        "A-2              ~B        DFT     2025-10-31  Acme   pdf        =cmd|' 平面",
        "documents: 2",
    ]


def test_all_revisions_are_listed_newest_first(zddc, archive):
    _, out, _ = zddc("list", archive, "--all-revisions", "--filter", "tracking:A-1")
    assert [line.split()[1] for line in out.splitlines()[1:-1]] == ["A+C1", "A"]
    assert out.splitlines()[-1] == "revisions: 2"


def test_documents_are_filtered(zddc, archive):
    assert zddc("list", archive, "--filter", "status:RSB") == (0, "documents: 0\n", "")
    assert "A-2" in zddc("list", archive, "--filter", "rev:^~")[1]


def test_the_list_in_json_is_one_object_a_line(zddc, archive):
    _, out, _ = zddc("list", archive, "--json")
    first, second = map(json.loads, out.splitlines())
    assert (first["tracking_number"], first["revision"], first["extension"]) == ("A-1", "A", "dwg, pdf")
    assert second["title"] == "=cmd|' 平面"


def test_the_list_in_csv_holds_no_formula(zddc, archive):
    (archive / "A-3_A (---) - @x.pdf").touch()
    _, out, _ = zddc("list", archive, "--csv")
    heading, *rows = csv.reader(io.StringIO(out, newline=""))
    assert heading[:3] == ["tracking_number", "revision", "status"]
    assert [dict(zip(heading, row, strict=True))["title"] for row in rows] == ["Site layout", "'=cmd|' 平面", "'@x"]
    assert rows[2][2] == "---"


def test_what_is_odd_is_listed(zddc, archive):
    (archive / "link").symlink_to("nowhere")
    status, out, _ = zddc("list", archive, "--findings")
    assert status == 1
    conflict = f"{ISSUED}/A-1_A (IFR) - Site layout.pdf: conflict: other bytes than {RECEIVED}"
    assert out.splitlines() == [
        "link: left out: a link; links are never followed",
        f"{conflict}/A-1_A (IFR) - Site layout.pdf",
        "findings: 2",
    ]
    lines = zddc("list", archive, "--findings", "--json")[1].splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["left out", "conflict"]
    assert "left out: 1, see 'zddc list --findings'" in zddc("list", archive)[1]


def test_an_archive_in_order_has_no_findings(zddc, tmp_path):
    assert zddc("list", tmp_path, "--findings") == (0, "findings: 0\n", "")


# find


def test_files_are_found_by_words_and_columns(zddc, archive):
    assert zddc("find", "layout dwg", archive) == (0, f"{RECEIVED}/A-1_A (IFR) - Site layout.dwg\n", "")
    assert zddc("find", "rev:^A$ folder:issued", archive)[1] == f"{ISSUED}/A-1_A (IFR) - Site layout.pdf\n"
    assert zddc("find", "notes", archive)[1] == "Meeting notes.txt\n"
    assert zddc("find", "", archive)[1].count("\n") == len(FILES)


def test_found_files_in_json_are_one_object_a_line(zddc, archive):
    _, out, _ = zddc("find", "rsb", archive, "--json")
    found = json.loads(out)
    assert (found["path"], found["revision"], found["size"]) == (
        f"{ISSUED}/A-1_A+C1 (RSB) - Site layout.pdf",
        "A+C1",
        8,
    )


def test_paths_for_other_programs_end_with_a_nul(zddc, archive):
    (archive / "line\nbreak.txt").touch()
    assert zddc("find", "break", archive, "-0")[1] == "line\nbreak.txt\0"
    assert zddc("find", "break", archive)[1] == "line\\nbreak.txt\n"


def test_it_is_said_that_an_expression_is_one_argument(zddc, archive):
    status, out, err = zddc("find", "layout", "dwg", archive)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.endswith(f"({archive}); several words are one argument in quotes; see 'zddc --help'\n")


def test_it_is_said_that_nothing_was_found(zddc, archive):
    (archive / "link").symlink_to("nowhere")
    status, out, err = zddc("find", "nothing-like-this", archive)
    assert (status, out, err) == (0, "", "no file matches; left out: 1, see 'zddc list --findings'\n")


def test_what_is_wrong_with_an_expression_is_pointed_at(zddc, archive):
    status, out, err = zddc("find", "平面 satus:IFC", archive)
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "平面 satus:IFC",
        "     ^^^^^",
        "'satus': no column has this name; did you mean status:; or put it in quotation marks: \"satus:\"",
    ]


@settings(max_examples=2000 if SOAK else 40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('a.*[]{}^$!|() ":\x1b\u202e') | st.characters(exclude_categories=["Cs"]), max_size=40))
@example("\x1b[31m(")
def test_no_expression_leaves_a_traceback_or_reaches_the_terminal(archive, capsys, expression):
    status = commands.run("find", "--", expression, archive)
    out, err = capsys.readouterr()
    assert status in (0, 1)
    assert "Traceback" not in err
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", out + err)


# show


def test_a_document_is_shown_with_all_its_copies(zddc, archive):
    status, out, err = zddc("show", "A-1", archive)
    assert (status, err) == (0, "")
    assert [re.sub("[0-9a-f]{12}", "HASH", line) for line in out.splitlines()] == [
        "A-1: Site layout",
        "current revision: A",
        "revision  status  date        kind      party  sha256        mark      path",
        f"A+C1      RSB     2025-11-12  issued    Acme   HASH            {ISSUED}/A-1_A+C1 (RSB) - Site layout.pdf",
        f"A         IFR     2025-10-31  received  Acme   HASH            {RECEIVED}/A-1_A (IFR) - Site layout.dwg",
        f"A         IFR     2025-10-31  received  Acme   HASH            {RECEIVED}/A-1_A (IFR) - Site layout.pdf",
        f"A         IFR     2025-11-12  issued    Acme   HASH  conflict  {ISSUED}/A-1_A (IFR) - Site layout.pdf",
    ]


def test_a_document_in_json_has_whole_digests(zddc, archive):
    lines = [json.loads(line) for line in zddc("show", "A-1", archive, "--json")[1].splitlines()]
    assert {len(line["sha256"]) for line in lines} == {64}
    assert [line["mark"] for line in lines] == ["", "", "", "conflict"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_shown_so(zddc, archive):
    (archive / f"{ISSUED}/A-1_A+C1 (RSB) - Site layout.pdf").chmod(0)
    (line,) = (line for line in zddc("show", "A-1", archive)[1].splitlines() if line.startswith("A+C1"))
    assert "cannot be read" in line


def test_a_number_that_is_not_there_is_one_line(zddc, archive):
    status, out, err = zddc("show", "a-1", archive)
    assert (status, out) == (1, "")
    assert err == "a-1: no document has this tracking number; did you mean A-1 or A-2\n"
    assert zddc("show", "ZZZ", archive)[2] == "ZZZ: no document has this tracking number; 'zddc list' lists all\n"


# index


def test_links_are_written(zddc, archive):
    status, out, err = zddc("index", archive)
    assert (status, out, err) == (0, f"{archive}/.archive: 4 pages\n", "")
    assert {page.name for page in (archive / ".archive").iterdir()} == {
        *("A-1.html", "A-1_A.html", "A-1_A+C1.html", "A-2_~B.html", "index.json"),
    }
    assert json.loads(zddc("index", archive, "--json")[1]) == {"pages": 4, "files": 6, "left_out": 0}


def test_a_link_too_long_for_a_name_is_said(zddc, tmp_path):
    (tmp_path / f"{'平' * 30}_A (IFC) - T.pdf").touch()
    status, out, err = zddc("index", tmp_path)
    assert (status, out) == (0, f"{tmp_path}/.archive: 0 pages\n")
    assert err.count("too long for the name of a page") == 2


def test_the_folder_of_somebody_else_stays(zddc, tmp_path):
    (tmp_path / ".archive").mkdir()
    remedy = "not written by 'zddc index'; move it away, and run the command again"
    assert zddc("index", tmp_path) == (1, "", f"{tmp_path}/.archive: {remedy}\n")


# all of them


@pytest.mark.parametrize(
    "arguments", [["list", "missing"], ["find", "a", "missing"], ["show", "A-1", "missing"], ["index", "missing"]]
)
def test_a_folder_that_is_not_there_is_one_line(zddc, arguments):
    assert zddc(*arguments) == (1, "", "missing: no such folder; give a folder that is there\n")


@pytest.mark.parametrize("arguments", [["list", "--fliter", "a"], ["find"], ["show"], ["index"], ["list", "a", "b"]])
def test_wrong_usage_is_one_line(zddc, arguments):
    status, out, err = zddc(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)


@pytest.mark.slow
def test_progress_goes_to_a_terminal_and_leaves_standard_output_alone(archive):
    terminal, end = pty.openpty()
    with open(terminal, "rb", buffering=0), open(end, "wb", buffering=0) as err:  # noqa: PTH123
        command = [sys.executable, "-m", "zddc", "find", "notes", archive]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=err, check=False)
        assert b"reading" in os.read(terminal, 10_000)
    assert done.stdout == b"Meeting notes.txt\n"


def test_columns_are_as_wide_as_what_is_in_them(capsys):
    print_columns(["a", "b"], [["平面", "x"], ["y", "\x1b[31m"]])
    assert capsys.readouterr().out == "a     b\n平面  x\ny     \\x1b[31m\n"
    print_columns(["a", "b"], [])
    assert capsys.readouterr().out == ""
    assert escape("a\u202eb") == "a\\u202eb"
