"""What ``zddc access explain`` and ``zddc access check`` print, and that they say what is decided."""

import contextlib
import io
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.zddc import commands
from tests.zddc.access import reference
from tests.zddc.access.trees import FOLDERS, PEOPLE, trees, written

from zddc.access.decide import decide
from zddc.access.patterns import parse_email
from zddc.access.policy import Policy

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """The current folder: an archive with a gate, a folder that is open behind it, and one for handing in."""
    (tmp_path / "P" / "Team" / "deep").mkdir(parents=True)
    (tmp_path / "P" / "incoming").mkdir()
    (tmp_path / "P" / "Team" / "file.pdf").touch()
    (tmp_path / ".zddc").write_text("acl:\n  allow: ['*@acme.example']\n")
    (tmp_path / "P" / ".zddc").write_text("acl:\n  deny: ['*@acme.example']\n")
    (tmp_path / "P" / "Team" / ".zddc").write_text("acl:\n  allow: [kim@acme.example]\n")
    (tmp_path / "P" / "incoming" / ".zddc").write_text("acl: {permissions: {'*@pipe.example': c}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZDDC_ROOT", raising=False)
    return tmp_path


@pytest.fixture
def zddc(archive, capsys):
    """Run the command in the archive; answer its status, its standard output and its standard error."""

    def run(*arguments):
        status = commands.run("access", *arguments)
        return status, *capsys.readouterr()

    return run


def test_the_line_that_decides_is_named_and_who_had_no_say(zddc):
    assert zddc("explain", "lee@acme.example", "P/Team/deep") == (
        0,
        'lee@acme.example may not read /P/Team/deep: /P/.zddc line 2: acl.deny "*@acme.example"\n'
        "    /P/Team/deep has no rules\n"
        "    /P/Team has rules, but none that names the person\n"
        "    / was not asked: /P/.zddc line 2 decides\n",
        "",
    )


def test_a_file_is_explained_by_its_folder_and_an_address_in_any_case(zddc):
    status, out, _ = zddc("explain", "KIM@acme.example", "P/Team/file.pdf")
    expected = 'KIM@acme.example may read /P/Team/file.pdf: /P/Team/.zddc line 2: acl.allow "kim@acme.example"'
    assert (status, out.splitlines()[0]) == (0, expected)


def test_json_has_the_same(zddc):
    status, out, err = zddc("explain", "--json", "anonymous", ".")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "email": "anonymous",
        "path": "/",
        "verb": "read",
        "allowed": False,
        "file": None,
        "line": None,
        "why": "no rule names people without an address",
        "no_say": [{"folder": "/", "why": "has rules, but none that names the person"}],
    }


def test_handing_in_is_explained_where_it_is_possible(zddc):
    lines = [json.loads(line) for line in zddc("explain", "--json", "x@pipe.example", "P/incoming")[1].splitlines()]
    assert [(line["verb"], line["allowed"], line["file"], line["line"]) for line in lines] == [
        ("read", False, "/P/incoming/.zddc", 1),
        ("hand in", True, "/P/incoming/.zddc", 1),
    ]
    assert "x@pipe.example may hand in /P/incoming: " in zddc("explain", "x@pipe.example", "P/incoming")[1]


def test_what_nobody_gets_is_explained(zddc, archive):
    (archive / "link").symlink_to("P")
    reason = "'link' is a symbolic link, and nobody gets that"
    assert zddc("explain", "kim@acme.example", "link") == (0, f"kim@acme.example may not read /link: {reason}\n", "")
    assert json.loads(zddc("explain", "--json", "kim@acme.example", "P/.zddc")[1])["allowed"] is False


@pytest.mark.parametrize(
    ("email", "path", "line"),
    [
        ("kim", "P", "kim: does not hold exactly one '@'; give one address, or 'anonymous'"),
        ("kim@acme.example", "Q", "Q: no such file or folder; check the path"),
        ("kim@acme.example", "P/Team/Q/x", "P/Team/Q/x: no such file or folder; check the path"),
        ("kim@acme.example", "/", "/: is not below {root}, the root of the archive; give the root with --root"),
    ],
)
def test_a_mistake_is_one_line(zddc, archive, email, path, line):
    assert zddc("explain", email, path) == (1, "", f"{line.format(root=archive)}\n")


def test_the_root_is_given_by_option_or_environment(zddc, archive, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "link").symlink_to(archive)
    monkeypatch.chdir(elsewhere)
    said = 'kim@acme.example may read /P/Team: /P/Team/.zddc line 2: acl.allow "kim@acme.example"'
    for root, path in [(archive, archive / "P/Team"), ("link", "link/P/Team"), ("link", archive / "P/x/../Team")]:
        assert zddc("explain", "--root", root, "kim@acme.example", path)[1].splitlines()[0] == said
    monkeypatch.setenv("ZDDC_ROOT", str(archive))
    assert zddc("explain", "kim@acme.example", archive / "P/Team")[1].splitlines()[0] == said
    assert zddc("check") == (0, "faults: 0; other findings: 0\n", "")


@pytest.mark.parametrize("arguments", [["explain", "a@b", ".", "--root"], ["check"]])
def test_a_root_that_is_not_there_is_one_line(zddc, arguments):
    assert zddc(*arguments, "nowhere") == (1, "", "nowhere: no such folder; give a folder that is there\n")


def test_rules_that_are_in_order_end_with_status_0(zddc):
    assert zddc("check") == zddc("check", ".") == (0, "faults: 0; other findings: 0\n", "")
    assert zddc("check", "--json") == (0, "", "")


def test_a_fault_ends_with_status_1(zddc, archive):
    (archive / "P" / ".zddc").write_text("title: P\nalow: []\n")
    (archive / "P" / ".zddc.txt").touch()
    reason = "unknown key 'alow' in the file; so this folder and all below are closed"
    assert zddc("check") == (
        1,
        f"/P/.zddc.txt: this is no rule file: only '.zddc' is one\n/P/.zddc line 2: {reason}\n"
        "faults: 1; other findings: 1\n",
        "",
    )
    assert [json.loads(line) for line in zddc("check", "--json")[1].splitlines()][1] == {
        "path": "/P/.zddc",
        "line": 2,
        "kind": "fault",
        "reason": reason,
    }


def test_a_root_without_a_rule_file_ends_with_status_1(zddc, archive):
    (archive / ".zddc").unlink()
    assert zddc("check")[0] == 1


def test_other_findings_end_with_status_0(zddc, archive):
    (archive / ".zddc.txt").touch()
    assert zddc("check")[0] == 0


@pytest.mark.parametrize("command", ["explain", "check"])
def test_a_command_has_help_with_an_example(zddc, command):
    status, out, _ = zddc(command, "--help")
    assert (status, f"Example: zddc access {command}" in out) == (0, True)


# Each is 36 paths and people, with both verbs below a folder for handing in.
@pytest.mark.timeout(3600 if SOAK else 300)
@settings(max_examples=300 if SOAK else 10)
@given(trees)
def test_what_is_explained_is_what_is_decided(tree):
    with tempfile.TemporaryDirectory() as root, Policy(Path(root)) as policy:
        for folder in FOLDERS:
            Path(root, *folder).mkdir(parents=True, exist_ok=True)
        for folder, file in tree.items():
            Path(root, *folder, ".zddc").write_text(written(file, None))
        for folder in FOLDERS:
            for email in PEOPLE:
                said = explained(root, folder, email)
                chain = policy.chain_of(folder)
                decided = {verb: decide(chain, email and parse_email(email), verb) for verb in said}
                assert said == {verb: (one.allowed, one.why) for verb, one in decided.items()}
                for verb, one in decided.items():
                    assert one.allowed == reference.allowed(tree, folder, email, verb)


def explained(root, folder, email):
    """Return what ``explain`` says about a person in a folder: for each verb whether she may, and why."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        path = str(Path(root, *folder))
        assert commands.run("access", "explain", "--json", "--root", root, email or "anonymous", path) == 0
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return {{"read": "r", "hand in": "c"}[line["verb"]]: (line["allowed"], line["why"]) for line in lines}
