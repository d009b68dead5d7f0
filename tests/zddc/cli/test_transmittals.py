"""What ``zddc transmit`` and ``zddc receive`` do and print, and how they refuse."""

import json

import pytest
from tests.zddc.transmittal.made import ACKNOWLEDGEMENT, FILES, FOLDER, PAGE, SENDER, send, write_files

from zddc.transmittal.data import read_transmittal
from zddc.transmittal.keys import write_key

LAYOUT = next(iter(FILES))


@pytest.fixture(autouse=True)
def known(tmp_path, monkeypatch):
    """A file of known keys that is nobody's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Acme" / "incoming").mkdir(parents=True)
    return write_files(tmp_path / "Acme" / "incoming" / FOLDER)


@pytest.fixture
def key(tmp_path):
    """A key file and the options that sign with it."""
    (tmp_path / "acme.zddc-key").write_bytes(write_key(SENDER, "geheim", 1000))
    (tmp_path / "password").write_text("geheim\n")
    return "--sign", tmp_path / "acme.zddc-key", "--password-file", tmp_path / "password"


def test_a_folder_is_published_from_its_name(zddc, folder, key):
    assert zddc("transmit", folder, "--from", "Acme", "--to", "Pipe-Co", *key, "--label", "Document control") == (
        0,
        f"{folder / PAGE}: 3 files, signed\n",
        "",
    )
    read = read_transmittal(folder / PAGE)
    assert (read["type"], read["purpose"], read["subject"], read["date"]) == (
        *("Transmittal", "IFC"),
        *("Civil package", "2025-10-31"),
    )
    assert read.signatures[0]["label"] == "Document control"


def test_each_field_can_be_given(zddc, tmp_path):
    folder = write_files(tmp_path / "documents")
    (tmp_path / "remarks.md").write_text("# Remarks\n$& <b>\n")
    options = ["--number", "A-TRN-1", "--date", "2025-11-01", "--purpose", "IFR", "--title", "Plans", "--type"]
    options += ["Submittal", "--due", "2099-01-01", "--client", "C", "--project", "P", "--project-number", "7"]
    options += ["--remarks", f"@{tmp_path / 'remarks.md'}", "--from", "Acme", "--to", "Pipe-Co", "--rename", "--json"]
    status, out, _ = zddc("transmit", folder, *options)
    page = tmp_path / "2025-11-01_A-TRN-1 (IFR) - Plans" / "A-TRN-1_2025-11-01 (IFR) - Plans.html"
    assert (status, json.loads(out)["path"], json.loads(out)["state"]) == (0, str(page), "digest")
    read = read_transmittal(page)
    assert {name: read[name] for name in ("client", "project", "projectNumber", "responseDue", "remarks")} == {
        **{"client": "C", "project": "P", "projectNumber": "7", "responseDue": "2099-01-01"},
        "remarks": "# Remarks\n$& <b>\n",
    }


def test_all_problems_are_told_and_nothing_is_written(zddc, folder):
    (folder / "scan.pdf").write_bytes(b"x")
    status, out, err = zddc("transmit", folder, "--to", "Pipe-Co")
    assert (status, out) == (1, "from is missing\nscan.pdf: no '_' after the tracking number\n")
    assert "2 problems; mend them, or publish a --draft; nothing was written" in err
    assert not (folder / PAGE).exists()
    assert zddc("transmit", folder, "--draft")[:2] == (
        0,
        f"{folder / PAGE.replace('_', '_~', 1)}: 4 files, draft\n",
    )


def test_only_a_submittal_is_due(zddc, folder):
    status, _, err = zddc("transmit", folder, "--from", "A", "--to", "B", "--due", "2099-01-01")
    assert (status, err) == (
        1,
        "--due: only a Submittal asks for an answer; add --type Submittal, or leave --due away\n",
    )
    assert not (folder / PAGE).exists()


def test_a_draft_is_not_signed(zddc, folder, key):
    assert "a draft is not signed" in zddc("transmit", folder, "--draft", *key)[2]


@pytest.mark.parametrize(("password", "words"), [("wrong", "the password is wrong"), ("", "the password is wrong")])
def test_a_wrong_password_is_one_line(zddc, folder, key, tmp_path, password, words):
    (tmp_path / "password").write_text(password)
    assert words in zddc("transmit", folder, "--from", "A", "--to", "B", *key)[2]
    assert not (folder / PAGE).exists()


def test_without_a_terminal_a_password_needs_a_file(zddc, folder, key, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "give --password-file" in zddc("transmit", folder, "--from", "A", "--to", "B", *key[:2])[2]


def test_what_came_is_received_and_confirmed(zddc, tmp_path, key):
    (tmp_path / "Acme" / "incoming").mkdir(parents=True)
    folder = send(tmp_path / "Acme" / "incoming")
    status, out, _ = zddc("receive", folder, "--by", "Pipe-Co document control", *key)
    received = tmp_path / "Acme" / "received" / FOLDER
    assert (status, out.splitlines()[-2:]) == (0, [f"received: {received}", f"acknowledgement: {ACKNOWLEDGEMENT}"])
    assert read_transmittal(received / ACKNOWLEDGEMENT)["from"] == "Pipe-Co document control"
    assert zddc("verify", received)[0] == 0
    assert "received already" in zddc("receive", folder)[2]


def test_what_is_wrong_is_told_and_can_be_accepted(zddc, tmp_path):
    (tmp_path / "incoming").mkdir()
    folder = send(tmp_path / "incoming")
    (folder / LAYOUT).unlink()
    status, out, err = zddc("receive", folder)
    assert (status, out) == (1, f"{LAYOUT}: missing\n")
    assert "1 problem; ask the sender to put it right, or take it with --accept-incomplete REASON" in err
    lines = zddc("receive", folder, "--json")[1].splitlines()
    assert [json.loads(line) for line in lines] == [{"path": LAYOUT, "reason": "missing", "acceptable": True}]
    status, out, _ = zddc("receive", folder, "--accept-incomplete", "comes later", "--to", tmp_path / "in", "--json")
    assert (status, json.loads(out)["path"]) == (0, str(tmp_path / "in" / FOLDER))


def test_a_file_of_remarks_or_a_password_that_is_no_text_is_one_line(zddc, folder, key, tmp_path):
    (tmp_path / "remarks.txt").write_bytes("Maße".encode("latin-1"))
    line = f"{tmp_path / 'remarks.txt'}: not UTF-8; save it as UTF-8\n"
    assert zddc("transmit", folder, "--remarks", f"@{tmp_path / 'remarks.txt'}") == (1, "", line)
    assert zddc("transmit", folder, *key[:2], "--password-file", tmp_path / "remarks.txt") == (1, "", line)
