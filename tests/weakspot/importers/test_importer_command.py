"""``weakspot collect --from``: it shows what it found, and imports after a yes."""

import io
import json
import os
import pty
import shutil
import subprocess
import sys

import pytest

from weakspot.capture.recorder import iter_interactions
from weakspot.cli import app, capture
from weakspot.importers.importer import ImportCandidate
from zddc import console


@pytest.fixture
def collect(workspace, capsys):
    """Run ``collect`` in a pipe; give its status, output and errors."""

    def run(*arguments: object):
        status = console.run(app, "weakspot", ["collect", "-w", str(workspace.root), *map(str, arguments)])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


@pytest.fixture
def session(recorded, tmp_path):
    return shutil.copy(recorded / "claude-code-resent.jsonl", tmp_path / "session.jsonl")


SHOWN = (
    "1 Claude Code session: 1 conversation, 1 new consultation\n"
    "  What does the note tell us here?  qwen3-coder → opus, 7 turns\n"
    "    local:  I do not know, sorry.\n"
    "    expert: Opus says: the note says hello and the other says bye.\n"
)


def test_in_a_pipe_nothing_is_imported_without_a_yes(collect, session, workspace):
    assert collect("--from", session) == (
        1,
        f"{SHOWN}added 0, already there 0, bad 0: {workspace.raw}\n",
        f"{session}: nothing was imported, as nobody could be asked; give --yes to import what was found\n",
    )
    assert not workspace.raw.exists()


def test_a_yes_that_was_given_imports_and_the_second_time_there_is_nothing_to_ask(collect, session, workspace):
    assert collect("--from", session, "--yes") == (0, f"{SHOWN}added 1, already there 0, bad 0: {workspace.raw}\n", "")
    assert len(list(iter_interactions(workspace))) == 1
    status, out, err = collect("--from", session)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"added 0, already there 1, bad 0: {workspace.raw}"


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "added"), [("y", 1), ("n", 0)])
def test_on_a_terminal_the_person_is_asked(session, workspace, answer, added):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "weakspot", "collect", "-w", str(workspace.root), "--from", str(session)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        shown = b""
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:  # the terminal is gone with its last user
                break
            if not data:
                break
            shown += data
    os.close(ours)
    assert process.returncode == 0
    assert b"import 1?" in shown
    assert f"added {added}," in shown.decode()
    assert len(list(iter_interactions(workspace))) == added


def test_a_program_gets_one_object(collect, session, workspace):
    status, out, err = collect("--from", session, "--json")
    found = json.loads(out)
    assert (status, err.count("\n")) == (1, 1)
    assert {key: found[key] for key in ("formats", "conversations", "left_out", "not_understood", "added", "bad")} == {
        **{"formats": {"Claude Code session": 1}, "conversations": 1, "left_out": {}, "not_understood": []},
        **{"added": 0, "bad": []},
    }
    (one,) = found["found"]
    assert (one["query"], one["local_model"], one["teacher"], one["turns"], one["incomplete"]) == (
        *("What does the note tell us here?", "qwen3-coder", "opus", 7),
        False,
    )
    status, out, err = collect("--from", session, "--json", "--yes")
    assert (status, err, json.loads(out)["added"]) == (0, "", 1)
    assert [record.id for record in iter_interactions(workspace)] == [one["interaction_id"]]


def test_many_consultations_are_twenty_lines_and_a_number(collect, tmp_path):
    def entry(number: int, model: str) -> str:
        asked = [{"role": "user", "content": f"Why is number {number} not a prime number, as {number} " + "so " * 20}]
        return json.dumps({"messages": asked, "model": model, "response": f"{model} says {number}."})

    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(entry(n, model) for n in range(25) for model in ("qwen", "claude-opus-5-5")))
    lines = collect("--from", file, "--yes")[1].splitlines()
    assert lines[0] == "1 chat log: 25 conversations, 25 new consultations"
    assert lines[-2] == "  … and 5 more"
    shown = [line for line in lines if "qwen → opus, 4 turns" in line]
    assert len(shown) == 20
    assert "…  qwen → opus, 4 turns" in shown[0]
    assert lines[2:4] == ["    local:  qwen says 0.", "    expert: claude-opus-5-5 says 0."]
    assert all(len(line) < 110 for line in lines[1:-1])


@pytest.mark.parametrize(
    ("answers", "pages", "yes"),
    [(["", "", "y"], 3, True), (["y"], 1, True), (["n"], 1, False), (["x", "", "n"], 2, False)],
)
def test_a_person_sees_a_page_at_a_time_and_may_answer_at_each(monkeypatch, capsys, answers, pages, yes):
    def candidate(number: int) -> ImportCandidate:
        odd = ("the answer was cut, interrupted or refused",)
        return ImportCandidate(f"imp_{number}", f"Why {number}?", "No idea.", "So.", "qwen", "opus", 4, True, odd)

    typed = io.StringIO("".join(f"{answer}\n" for answer in answers))
    monkeypatch.setattr("sys.stdin", typed)
    assert capture._ask([candidate(n) for n in range(12)]) is yes
    shown = capsys.readouterr().out
    assert shown.count("Why ") == min(12, 5 * pages)
    assert shown.count("    odd:    the answer was cut") == shown.count("Why ")
    assert typed.read() == ""


def test_a_bad_line_is_named_and_the_rest_is_imported(collect, session):
    with session.open("a") as stream:
        stream.write('{"type": "assistant", "mess')
    status, out, err = collect("--from", session, "--yes")
    assert status == 1
    assert "added 1, already there 0, bad 1" in out
    assert err.startswith(f"{session}:20: not-json: ")


def test_what_is_not_understood_is_one_line(collect, tmp_path):
    (tmp_path / "x").write_text("x")
    status, out, err = collect("--from", tmp_path / "x")
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_our_own_formats_need_no_yes(collect, tmp_path, workspace):
    file = tmp_path / "ours.jsonl"
    file.write_text(json.dumps({"query": "q", "local": "l", "expert": "e"}))
    assert collect("--from", file) == (0, f"added 1, already there 0, bad 0: {workspace.raw}\n", "")
