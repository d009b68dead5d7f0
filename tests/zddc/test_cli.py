"""What ``zddc parse`` and ``zddc check`` print, and the status they end with."""

import json
import os
import pty
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

NAMING = json.loads((Path(__file__).parents[2] / "spec/naming.json").read_text(encoding="utf-8"))
GOOD = "ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf"
GOOD_JSON = {
    "tracking_number": "ACME-CIV-DWG-0001",
    "revision": "A",
    "status": "IFC",
    "title": "Site layout",
    "extension": "pdf",
    "valid": True,
}


@pytest.fixture
def parsed(zddc):
    """Answer the objects that ``zddc parse --json`` prints."""

    def run(*arguments):
        status, out, err = zddc("parse", "--json", *arguments)
        assert (status, err) == (0, "")
        return [json.loads(line) for line in out.removesuffix("\n").split("\n")]

    return run


def zddc_process(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "zddc", *arguments], capture_output=True, check=False, **options)


def test_the_version_is_that_of_the_distribution(zddc):
    assert zddc("--version") == (0, f"zddc {version('zddc')}\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["zddc"], [sys.executable, "-m", "zddc"]])
def test_the_command_and_the_module_run(command):
    done = subprocess.run([*command, "parse", "--json", GOOD], capture_output=True, text=True, check=False, env=PATH)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, GOOD_JSON, "")


PATH = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("command", ["parse", "check"])
def test_every_command_has_help_with_an_example(zddc, command):
    status, out, _ = zddc(command, "--help")
    assert status == 0
    assert f"Example: zddc {command}" in out
    assert "--json" in out


@pytest.mark.parametrize(
    "arguments", [["parse"], ["check"], ["parse", "--jsno", GOOD], ["prase", GOOD], ["check", ".", "x"]]
)
def test_wrong_usage_is_one_line(zddc, arguments):
    status, out, err = zddc(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("zddc: ")
    assert err.endswith("; see 'zddc --help'\n")
    assert err.count("\n") == 1


# parse


def test_a_file_name_becomes_one_object_with_its_fields_in_order(parsed):
    (read,) = parsed(GOOD)
    assert list(read.items()) == list(GOOD_JSON.items())


def test_a_name_that_does_not_conform_is_answered_with_its_reason(parsed):
    (read,) = parsed("Meeting notes.DOCX")
    assert (read["valid"], read["reason"]) == (False, "no '_' after the tracking number")
    assert (read["title"], read["extension"]) == ("Meeting notes", "docx")


@pytest.mark.parametrize(
    "name",
    [
        "2025-10-31_A-1 (IFC) - Title",
        "received/2025-10-31_A-1 (IFC) - Title",
        "received/2025-10-31_A-1 (IFC) - Title/",
        "2025-10-31_A-1 (IFC) - Title.zip",
    ],
)
def test_a_name_that_starts_with_a_date_is_a_folder(parsed, name):
    (read,) = parsed(name)
    assert read == {
        "date": "2025-10-31",
        "tracking_number": "A-1",
        "status": "IFC",
        "title": "Title",
        "valid": True,
    }


def test_a_slash_at_the_end_or_an_option_makes_a_folder(parsed):
    reason = "no date written as YYYY-MM-DD at the start"
    assert [read["reason"] for read in parsed("received/", "a/b//")] == [reason, reason]
    assert [read["reason"] for read in parsed("--folder", GOOD)] == [reason]


def test_an_option_makes_a_file(parsed):
    (read,) = parsed("--file", "2025-10-31_A (IFC) - Title.pdf")
    assert (read["tracking_number"], read["revision"], read["valid"]) == ("2025-10-31", "A", True)


def test_the_last_component_of_a_path_counts(parsed):
    assert parsed(f"a_b/c (d)/{GOOD}", f"./{GOOD}") == [GOOD_JSON, GOOD_JSON]


@pytest.mark.parametrize("name", ["", "/", ".", ".."])
def test_a_path_without_a_name_is_answered_too(parsed, name):
    (read,) = parsed(name)
    assert not read["valid"]
    assert read["reason"]


@pytest.mark.slow
def test_names_come_from_standard_input_one_a_line():
    lines = [
        GOOD,
        "",
        "Übersicht.pdf",
        "2025-10-31_A-1 (IFC) - Title",
        GOOD + "\r",
        "last without line feed.txt",
    ]
    done = zddc_process("parse", "--json", "x.txt", "-", input="\n".join(lines).encode())
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [answer["title"] for answer in answers] == [
        "x", "Site layout", "", "Übersicht", "Title", "Site layout", "last without line feed",
    ]  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("options", [["--json"], []])
def test_names_that_are_not_unicode_are_answered(options):
    done = zddc_process("parse", *options, b"T\xff.pdf", "-", input=b"T\xfe.pdf\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().count("the name is not valid Unicode text") == 2


def test_every_name_of_the_spec_is_answered_as_the_spec_says(parsed):
    sections = [("--file", "files"), ("--folder", "folders")]
    for option, section in sections:
        cases = [case for case in NAMING[section] if "/" not in case["name"]]
        assert parsed(option, "--", *[case["name"] for case in cases]) == [case["expected"] for case in cases]


def test_people_get_a_table(zddc):
    status, out, err = zddc("parse", "A-1_B (ifc) - [bold]Plan :smile: [x].PDF", "2025-10-31_A-1 (IFC) - Title/")
    assert (status, err) == (0, "")
    rows = [[cell.strip() for cell in line.strip("┃│").split("│")] for line in out.splitlines() if line[0] == "│"]
    headings = [line.split("┃")[1].strip() for line in out.splitlines() if line[0] == "┃"]
    assert headings == ["file", "folder"]
    assert rows == [
        ["tracking number", "A-1"],
        ["revision", "B"],
        ["status", "ifc"],
        ["title", "[bold]Plan :smile: [x]"],
        ["extension", "pdf"],
        ["valid", "no"],
        ["reason", "status 'ifc' is not one of the 17 codes; did you mean IFC"],
        ["date", "2025-10-31"],
        ["tracking number", "A-1"],
        ["status", "IFC"],
        ["title", "Title"],
        ["valid", "yes"],
    ]


def test_what_a_terminal_would_obey_or_hide_is_escaped(zddc):
    _, out, _ = zddc("parse", "A-1_B (IFC) - \x1b[31mred\u202efdp.pdf")
    assert r"\x1b[31mred\u202efdp" in out
    assert "\x1b" not in out


# check


def test_a_tree_that_conforms_has_status_0(zddc, tmp_path):
    (tmp_path / "received").mkdir()
    (tmp_path / "received" / GOOD).touch()
    assert zddc("check", tmp_path) == (0, "names checked: 1; not conforming: 0\n", "")
    assert zddc("check", tmp_path, "--json") == (0, "", "")


def test_names_that_do_not_conform_are_listed_with_their_correction(zddc, tmp_path):
    (tmp_path / GOOD).touch()
    (tmp_path / "Meeting notes.docx").touch()
    (tmp_path / "A-1_B(IFC)-Plan [1].PDF").touch()
    status, out, err = zddc("check", tmp_path)
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        "A-1_B(IFC)-Plan [1].PDF: not in canonical form",
        "    rename to: A-1_B (IFC) - Plan [1].PDF",
        "Meeting notes.docx: no '_' after the tracking number",
        "names checked: 3; not conforming: 2",
    ]


def test_a_long_line_is_not_wrapped(zddc, tmp_path):
    (tmp_path / ("long " * 40)).mkdir()
    (tmp_path / ("long " * 40) / "Meeting notes.docx").touch()
    assert zddc("check", tmp_path)[1].count("\n") == 2


def test_findings_in_json_are_one_object_a_line(zddc, tmp_path):
    (tmp_path / "2025-10-31_A-1(IFC)-Title").mkdir()
    (tmp_path / "Meeting notes.docx").touch()
    status, out, err = zddc("check", "--json", tmp_path)
    assert (status, err) == (1, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {
            "path": "2025-10-31_A-1(IFC)-Title",
            "kind": "folder",
            "reason": "not in canonical form",
            "corrected": "2025-10-31_A-1 (IFC) - Title",
        },
        {
            "path": "Meeting notes.docx",
            "kind": "file",
            "reason": "no '_' after the tracking number",
            "corrected": None,
        },
    ]


def test_a_folder_that_is_not_there_is_one_line(zddc, tmp_path):
    missing = tmp_path / "missing"
    assert zddc("check", missing) == (1, "", f"{missing}: no such folder; give a folder that is there\n")


def test_a_file_is_no_folder(zddc, tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert zddc("check", file) == (1, "", f"{file}: not a folder; give a folder that is there\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("options", [["--json"], []])
def test_a_name_that_is_not_unicode_does_not_stop_the_check(tmp_path, options):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/A-1_B (IFC) - T\xff.pdf")).touch()
    done = zddc_process("check", *options, tmp_path)
    assert (done.returncode, done.stderr) == (1, b"")
    assert r"A-1_B (IFC) - T\udcff.pdf" in done.stdout.decode()


@pytest.mark.slow
def test_progress_goes_to_a_terminal_and_leaves_standard_output_alone(tmp_path):
    (tmp_path / "Meeting notes.docx").touch()
    terminal, end = pty.openpty()
    with open(terminal, "rb", buffering=0), open(end, "wb", buffering=0) as err:  # noqa: PTH123
        done = subprocess.run([sys.executable, "-m", "zddc", "check", tmp_path], stdout=-1, stderr=err, check=False)
        assert b"checking" in os.read(terminal, 10_000)
    assert done.stdout.decode() == (
        "Meeting notes.docx: no '_' after the tracking number\nnames checked: 1; not conforming: 1\n"
    )
