"""Claude Code's sessions: recorded ones, and what its other versions wrote."""

import json

import pytest

from weakspot.importers.claude_code import claims, conversations
from weakspot.importers.extraction import consultations
from weakspot.importers.json_stream import BadLine


def line(uuid: str, parent: str | None, text: object, kind: str = "user", **more) -> dict:
    message = {"role": kind, "content": text, **({"model": "qwen", "id": f"msg_{uuid}"} if kind == "assistant" else {})}
    return {"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s", "message": message, **more}


def test_a_recorded_session_is_read(recorded, only, said):
    found = only(conversations(recorded / "claude-code-consulted.jsonl"))
    assert found.id == "365dd855-16c2-4efc-9c6b-a1c84ae9f763"
    assert said(found) == [
        ("user", "What do the files note and other say together?"),
        ("assistant", "I do not know, sorry."),
        ("user", "consult opus"),
        ("assistant", "Let me look at both."),
        ("assistant", None),
        ("assistant", None),
        ("tool", "1\thello\n2\t"),
        ("tool", "1\tbye\n2\t"),
        ("assistant", "Opus says: the note says hello and the other says bye."),
    ]
    speakers = [turn for turn in found.turns if turn.answers]
    assert [turn.model for turn in speakers] == ["qwen3-coder", *["claude-opus-5-5"] * 4]
    assert len({turn.reply for turn in speakers}) == 3
    assert (speakers[-1].input_tokens, speakers[-1].output_tokens, speakers[-1].stop) == (19, 7, "stop")


def test_a_command_its_output_and_what_the_program_says_itself_are_not_said(recorded, only, said):
    found = only(conversations(recorded / "claude-code-command.jsonl"))
    assert [text for role, text in said(found) if role == "user"] == [
        "Just an ordinary question of mine",
        "and what is next?",
        "ask the expert",
    ]
    assert ("assistant", "No response requested.") not in said(found)


def test_every_recorded_line_is_known_as_one_of_a_session(recorded):
    for file in recorded.glob("claude-code-*.jsonl"):
        assert all(claims(json.loads(one)) for one in file.read_text(encoding="utf-8").splitlines())


def test_what_subagents_said_is_left_out(lines, only, said):
    file = lines(line("1", None, "q"), line("2", None, "You are a subagent", isSidechain=True))
    assert said(only(conversations(file))) == [("user", "q")]


def test_reminders_are_taken_out_of_what_the_user_and_tools_said(lines, only, said):
    reminder = "<system-reminder>\nMind the list.\n</system-reminder>"
    result = {"type": "tool_result", "tool_use_id": "t", "content": f"1 hello\n\n{reminder}"}
    file = lines(line("1", None, f"Why?\n{reminder}"), line("2", "1", [result]))
    assert said(only(conversations(file))) == [("user", "Why?"), ("tool", "1 hello")]


def test_results_and_words_in_one_line_are_two_turns(lines, only, said):
    blocks = [{"type": "tool_result", "tool_use_id": "t", "content": "no"}, {"type": "text", "text": "Do it so."}]
    found = only(conversations(lines(line("1", None, "q"), line("2", "1", blocks), line("3", "2", "a", "assistant"))))
    assert said(found) == [("user", "q"), ("tool", "no"), ("user", "Do it so."), ("assistant", "a")]
    assert [turn.parent for turn in found.turns] == [None, "1", "2/results", "2"]


@pytest.mark.parametrize("text", ["[Request interrupted by user]", "[Request interrupted by user for tool use]"])
def test_who_interrupts_says_nothing_and_breaks_the_answer_off(lines, only, said, text):
    found = only(conversations(lines(line("1", None, "q"), line("2", "1", [{"type": "text", "text": text}]))))
    assert said(found) == [("user", "q")]
    assert [turn.broken_off for turn in found.turns] == [False, True]


def test_an_error_of_the_server_is_no_answer(lines, only, said):
    error = line("2", "1", "API Error: 529", "assistant", isApiErrorMessage=True)
    found = only(conversations(lines(line("1", None, "q"), error)))
    assert said(found) == [("user", "q")]
    assert found.turns[-1].broken_off


def test_the_summary_of_a_compaction_stands_at_the_beginning_as_the_systems(lines, only, said):
    file = lines(
        line("1", None, "q"),
        {"type": "system", "subtype": "compact_boundary", "uuid": "2", "parentUuid": None, "logicalParentUuid": "1"},
        line("3", "2", "This session is being continued.", isCompactSummary=True),
        line("4", "3", "q2"),
    )
    found = only(conversations(file))
    assert said(found) == [("user", "q"), ("system", "This session is being continued."), ("user", "q2")]
    assert found.turns[1].parent is None


def test_a_command_of_the_users_own_is_what_it_stands_for(lines, only, said):
    file = lines(
        line("1", None, "<command-message>review</command-message>\n<command-name>/review</command-name>"),
        line("2", "1", [{"type": "text", "text": "Review the change."}], isMeta=True),
        line("3", "2", "Looks fine.", "assistant"),
        line("4", "3", "Some hook's words", isMeta=True),
    )
    assert said(only(conversations(file))) == [("user", "Review the change."), ("assistant", "Looks fine.")]


def test_a_parent_that_is_in_no_file_is_the_line_before(lines, only):
    file = lines(line("1", None, "q"), line("2", "gone", "a", "assistant"))
    assert [turn.parent for turn in only(conversations(file)).turns] == [None, "1"]


def test_a_line_that_is_cut_is_reported_and_stops_nothing(lines, said):
    file = lines(line("1", None, "q"), b'{"type": "assistant", "uuid"', line("3", "2", "a", "assistant"))
    bad, found = conversations(file)
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.reason, bad.file) == (2, "not-json", str(file))
    assert said(found) == [("user", "q"), ("assistant", "a")]


def test_a_session_in_which_nothing_was_said_is_none(lines):
    assert list(conversations(lines({"type": "summary", "summary": "A title", "leafUuid": "x"}))) == []


@pytest.mark.parametrize(
    ("attachment", "words"),
    [
        ({"type": "queued_command", "prompt": "consult opus", "commandMode": "prompt"}, ["consult opus"]),
        ({"type": "queued_command", "prompt": "consult opus", "origin": {"kind": "human"}}, ["consult opus"]),
        ({"type": "queued_command", "prompt": [{"type": "text", "text": "consult opus"}]}, ["consult opus"]),
        ({"type": "queued_command", "prompt": "<task-notification>x", "commandMode": "task-notification"}, []),
        ({"type": "queued_command", "prompt": "x", "origin": {"kind": "task-notification"}}, []),
        ({"type": "queued_command", "prompt": " "}, []),
        ({"type": "new_file", "prompt": "x"}, []),
        ("x", []),
    ],
)
def test_what_was_typed_while_a_model_worked_is_a_turn_of_the_user(lines, only, said, attachment, words):
    queued = {"type": "attachment", "uuid": "3", "parentUuid": "2", "sessionId": "s", "attachment": attachment}
    enqueued = {"type": "queue-operation", "operation": "enqueue", "content": "consult opus", "sessionId": "s"}
    file = lines(
        line("1", None, "q"), line("2", "1", "a", "assistant"), enqueued, queued, line("4", "3", "x", "assistant")
    )
    found = only(conversations(file))
    assert [text for role, text in said(found) if role == "user"] == ["q", *words]
    assert [turn.parent for turn in found.turns] == [None, "1", "2", "3"]


@pytest.mark.parametrize("same_line", [False, True])
def test_a_message_that_grows_is_whole_in_the_end(lines, only, config, same_line):
    def grown(uuid: str, parent: str, *blocks: dict) -> dict:
        message = {"role": "assistant", "id": "msg_x", "model": "claude-opus-5-5", "content": list(blocks)}
        return {"type": "assistant", "uuid": uuid, "parentUuid": parent, "sessionId": "s", "message": message}

    text, more = {"type": "text", "text": "A comma"}, {"type": "text", "text": "A comma is missing."}
    call = {"type": "tool_use", "id": "t", "name": "edit", "input": {}}
    after = ("5", "4") if same_line else ("6", "5")
    file = lines(
        *(
            line("1", None, "Why does it fail?"),
            line("2", "1", "No idea.", "assistant"),
            line("4", "2", "consult opus"),
        ),
        *(grown("5", "4", text), grown(*after, more), grown("7", after[0], more, call), grown("8", "7", call)),
    )
    (one,) = consultations(config, only(conversations(file)), "import:claude-code")
    assert one.expert.content == "A comma is missing."
    assert [called.function.name for called in one.expert.tool_calls] == ["edit"]


def test_the_stream_of_a_run_in_a_pipe_is_a_session(lines, only, said):
    streamed = [
        {"type": "system", "subtype": "init", "session_id": "s", "uuid": "i"},
        {"type": "user", "message": {"role": "user", "content": "q"}, "session_id": "s", "uuid": "u"},
        {"type": "assistant", "message": {"role": "assistant", "content": "a"}, "session_id": "s", "uuid": "a"},
        {
            **{"type": "user", "message": {"role": "user", "content": "sub"}, "session_id": "s", "uuid": "x"},
            "parent_tool_use_id": "t",
        },
    ]
    assert all(claims(one) for one in streamed)
    found = only(conversations(lines(*streamed)))
    assert (found.id, said(found)) == ("s", [("user", "q"), ("assistant", "a")])
