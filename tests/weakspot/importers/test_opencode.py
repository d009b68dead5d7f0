"""opencode's sessions are the same from its database, its export and the files of older versions."""

import json
import sqlite3

import pytest

from weakspot.importers import opencode, sqlite
from weakspot.importers.json_stream import BadLine, LeftOut

Q1 = {"id": "m1", "role": "user", "time": {"created": 1}}
A1 = {"id": "m2", "role": "assistant", "parentID": "m1", "modelID": "qwen", "time": {"created": 2, "completed": 3}}


def text(words: str, **more) -> dict:
    return {"type": "text", "text": words, **more}


def exported(*turns: tuple[dict, list], session: str = "ses_1", **info) -> dict:
    return {"info": {"id": session, **info}, "messages": [{"info": one, "parts": parts} for one, parts in turns]}


@pytest.fixture
def read(lines, only):
    """Read one exported session."""
    return lambda *turns: only(opencode.conversations(lines(exported(*turns), name="session.json")))


def test_a_recorded_database_is_read(opencode_database, said):
    assert opencode.claims_tables(sqlite.tables(opencode_database))
    found = {one.id: one for one in opencode.conversations_of_database(opencode_database)}
    assert [len(one.turns) for one in found.values()] == [4, 5, 4, 5, 2]
    resent = found["ses_df5b5dc39ffehHnvZ6iBxCJDHv"]
    assert said(resent) == [
        ("user", "What is written in the file note.txt?"),
        ("assistant", 'Local says: I do not know. ("What is written in the file n)'),
        ("user", "What is written in the file  note.txt?"),
        ("assistant", "Let me look."),
        ("tool", resent.turns[3].messages[1].content),
        ("assistant", "Opus says: the note says hello."),
    ]
    assert "1: hello" in resent.turns[3].messages[1].content
    (call,) = resent.turns[3].messages[0].tool_calls
    assert (call.function.name, call.function.arguments) == ("read", {"filePath": "/home/someone/project/note.txt"})
    last = resent.turns[-1]
    assert (last.model, last.input_tokens, last.output_tokens, last.stop) == ("claude-opus-5-5", 11, 7, "stop")
    cut = found["ses_df5b5bc7fffeRQMwW8HDS22kBN"].turns[-1]
    assert cut.stop == "length"


def test_export_and_old_storage_hold_the_same(opencode_database, tmp_path, lines):
    of_database = list(opencode.conversations_of_database(opencode_database))
    with sqlite3.connect(opencode_database) as database:
        messages = list(database.execute("SELECT session_id, id, data FROM message ORDER BY id"))
        parts = list(database.execute("SELECT message_id, id, data FROM part ORDER BY id"))
    database.close()
    storage = tmp_path / "storage"
    for folder, rows in (("message", messages), ("part", parts)):
        for above, identity, data in rows:
            file = storage / folder / above / f"{identity}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(data)
    assert opencode.claims_folder(storage)
    of_storage = {one.id: one.turns for one in opencode.conversations_of_folder(storage)}
    assert of_storage == {one.id: one.turns for one in of_database}
    session = of_database[0].id
    turns = [
        ({"id": m, **json.loads(data)}, [json.loads(part) for of, _, part in parts if of == m])
        for of, m, data in messages
        if of == session
    ]
    (of_export,) = opencode.conversations(lines(exported(*turns, session=session)))
    assert of_export.turns == of_database[0].turns


def test_subagents_sessions_are_left_out(lines, opencode_database, tmp_path):
    (left_out,) = opencode.conversations(lines(exported((Q1, [text("q")]), parentID="ses_0")))
    assert left_out == LeftOut(1, "subagent")
    with sqlite3.connect(opencode_database) as database:
        database.execute("UPDATE session SET parent_id = 'ses_0'")
    database.close()
    assert list(opencode.conversations_of_database(opencode_database)) == []
    for name, value in (("session/project/ses_1", {"id": "ses_1", "parentID": "ses_0"}), ("message/ses_1/m1", Q1)):
        file = tmp_path / "storage" / f"{name}.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(value))
    assert list(opencode.conversations_of_folder(tmp_path / "storage")) == []


def test_the_quotes_of_the_command_line_are_taken_off(read, said):
    assert said(read((Q1, [text('"say \\"hi\\" to me"')]))) == [("user", 'say "hi" to me')]
    assert said(read((Q1, [text('"a" and "b"')]))) == [("user", '"a" and "b"')]


def test_what_opencode_says_in_the_users_place_is_no_question(read, said):
    found = read((Q1, [text("Continue if you have next steps", synthetic=True)]), (A1, [text("a")]))
    assert said(found) == [("assistant", "a")]
    with_file = read((Q1, [text("q"), text("1: hello", synthetic=True), text("x", ignored=True)]))
    assert said(with_file) == [("user", "q")]


def test_an_answer_stands_behind_its_question_also_where_another_was_typed_meanwhile(read, said):
    meanwhile = {"id": "m15", "role": "user", "time": {"created": 1.5}}
    found = read((Q1, [text("q")]), (meanwhile, [text("q2")]), (A1, [text("a")]))
    assert said(found) == [("user", "q"), ("assistant", "a"), ("user", "q2")]


@pytest.mark.parametrize(
    "change",
    [{"error": {"name": "MessageAbortedError"}}, {"time": {"created": 2}}, {"finish": "error"}],
)
def test_an_answer_that_did_not_end_is_broken_off(read, change):
    assert read((Q1, [text("q")]), ({**A1, **change}, [text("a")])).turns[-1].broken_off


def test_a_tools_failure_is_its_result_and_one_at_work_has_none(read, said):
    def tool(identity: str, **state) -> dict:
        return {"type": "tool", "tool": "bash", "callID": identity, "state": {"input": {}, **state}}

    parts = [tool("1", status="error", error="no such file"), tool("2", status="running")]
    found = read((Q1, [text("q")]), (A1, parts))
    assert said(found)[1:] == [("assistant", None), ("tool", "no such file")]
    assert len(found.turns[-1].messages[0].tool_calls) == 2


def test_a_compaction_begins_anew_with_its_summary(read, said):
    summary = {**A1, "id": "m3", "summary": True}
    found = read((Q1, [text("q")]), (summary, [text("So far: q.")]), ({**Q1, "id": "m4"}, [text("q2")]))
    assert said(found) == [("user", "q"), ("system", "So far: q."), ("user", "q2")]
    assert [turn.parent for turn in found.turns] == [None, None, "m3"]


def test_a_row_that_cannot_be_read_is_reported_and_stops_nothing(opencode_database):
    part = "prt_20a4a3b64001uGaKEiM5AAOiWl"
    with sqlite3.connect(opencode_database) as database:
        database.execute("UPDATE part SET data = '{' WHERE id = ?", (part,))
    database.close()
    found = list(opencode.conversations_of_database(opencode_database))
    (bad,) = (one for one in found if isinstance(one, BadLine))
    assert (bad.reason, bad.detail.split(":")[0]) == ("not-json", part)
    assert len(found) == 6


def test_a_file_of_old_storage_that_cannot_be_read_is_reported_and_stops_nothing(tmp_path):
    stored = {"message/ses_1/m1": json.dumps(Q1), "part/m1/p1": "{", "part/m1/p2": json.dumps(text("q"))}
    for name, data in stored.items():
        file = tmp_path / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data)
    bad, conversation = opencode.conversations_of_folder(tmp_path)
    assert (bad.file, bad.line, bad.reason) == (str(tmp_path / "part/m1/p1.json"), 1, "not-json")
    assert len(conversation.turns) == 1


def test_an_export_that_cannot_be_read_is_reported_and_stops_nothing(lines):
    bad, _ = opencode.conversations(lines(b'{"info', exported((Q1, [text("q")]))))
    assert (bad.line, bad.reason) == (1, "not-json")


def test_a_reminder_is_no_word_of_the_user_and_a_file_is_a_mark(read, said):
    reminder = text("<system-reminder>\nPlan mode is on.\n</system-reminder>", synthetic=True)
    file = {"type": "file", "mime": "text/plain", "filename": "a.md", "url": "file:///p/a.md"}
    found = read((Q1, [text("consult opus"), file, text("Called the Read tool", synthetic=True), reminder]))
    assert said(found) == [("user", "[file]\nconsult opus")]
    assert found.turns[0].odd == ("a file that was sent is not in the record",)
    picture = {**file, "mime": "image/png"}
    assert said(read((Q1, [text("What is it?"), picture]))) == [("user", "[image]\nWhat is it?")]


def test_an_export_with_a_line_in_front_is_read(tmp_path, only, said):
    file = tmp_path / "export.json"
    file.write_text("Exporting session: ses_1\n" + json.dumps(exported((Q1, [text("q")])), indent=2))
    assert said(only(opencode.conversations(file))) == [("user", "q")]
