"""Codex's sessions, as public reports describe what its versions write."""

import json

import pytest

from weakspot.importers.codex import claims, conversations
from weakspot.importers.extraction import consultations
from weakspot.importers.json_stream import BadLine, LeftOut

Q, A, E, X = "Why does the build fail?", "No idea.", "consult opus", "A comma is missing."
META = {"type": "session_meta", "payload": {"id": "s1", "cwd": "/p", "source": "cli", "model_provider": "local"}}


def line(kind: str, seconds: int = 0, **payload) -> dict:
    return {"timestamp": f"2026-03-01T10:00:{seconds:02}.000Z", "type": kind, "payload": payload}


def item(role: str, text: str, **more) -> dict:
    kind = "output_text" if role == "assistant" else "input_text"
    return line("response_item", type="message", role=role, content=[{"type": kind, "text": text}], **more)


def event(kind: str, **more) -> dict:
    return line("event_msg", type=kind, **more)


def model(name: str) -> dict:
    return line("turn_context", model=name, cwd="/p")


CONSULTED = [model("qwen3"), item("user", Q), item("assistant", A), model("claude-opus-5-5")]
CONSULTED += [item("user", E), item("assistant", X)]
SHOWN = [event("user_message", message=Q), event("agent_message", message=A)]
SHOWN += [event("user_message", message=E), event("agent_message", message=X)]
CALL = line("response_item", type="function_call", name="shell", call_id="c1", arguments='{"cmd": "make"}')
OUTPUT = line("response_item", type="function_call_output", call_id="c1", output="error: line 3")
PATCH = line("response_item", type="custom_tool_call", name="apply_patch", call_id="c2", input="*** Begin Patch")
PATCHED = line("response_item", type="custom_tool_call_output", call_id="c2", output="Success")
AGENTS = item("user", "# AGENTS.md instructions for /p\n\n<INSTRUCTIONS>\nBe brief.\n</INSTRUCTIONS>")
ENVIRONMENT = item("user", "<environment_context>\n<cwd>/p</cwd>\n</environment_context>")

# Reports of what other readers of these files met, each a session in which Opus is consulted.
REPORTS = {
    "MemPalace/mempalace#61: the same words as items and as events": [META, *CONSULTED, *SHOWN],
    "zilliztech/memsearch#742: words in items only": [META, *CONSULTED],
    "paulboul1013/codex-village#3: words in events only": [META, model("claude-opus-5-5"), *SHOWN],
    "siteboon/claudecodeui#1317: words in completed items": [
        *(META, model("claude-opus-5-5")),
        *(
            event("item_completed", item={"type": kind, "id": "i", "content": [{"type": "text", "text": text}]})
            for kind, text in zip(["UserMessage", "AgentMessage"] * 2, [Q, A, E, X], strict=True)
        ),
    ],
    "openai/codex#10403: AGENTS.md as a message of the user in each turn": [
        *(META, AGENTS, ENVIRONMENT, *CONSULTED[:3], AGENTS, *CONSULTED[3:]),
    ],
    "openai/codex#38365: a developer's message between a call and its result": [
        *(META, *CONSULTED[:2], CALL, item("developer", "Be brief."), OUTPUT, *CONSULTED[2:]),
    ],
    "zszz3/AgentRecall#276: custom tools, and turns that begin and end": [
        *(META, event("task_started"), *CONSULTED[:2], PATCH, PATCHED, *CONSULTED[2:], event("task_complete")),
    ],
    "TheGaySupreme123/yoetz#418: kinds of lines that nobody knows": [
        *(META, line("world_state", x=1), line("security_risk_score"), *CONSULTED[:3]),
        *(line("inter_agent_communication"), {"type": "realtime_item"}, *CONSULTED[3:]),
    ],
    "openai/codex#21025: a fork with the lines of the session that it comes from": [
        *(META, {**META, "payload": {"id": "s0"}}, *CONSULTED),
    ],
    "zszz3/AgentRecall#389: an empty note of a compaction": [META, *CONSULTED, event("context_compacted")],
    "ay-bh/chat-history#11: permissions and reasoning among the messages": [
        *(META, item("developer", "<permissions instructions>\nAll.\n</permissions instructions>")),
        *(line("response_item", type="reasoning", summary=[], encrypted_content="x"), *CONSULTED),
    ],
    "the first versions: items without a frame": [
        {"id": "s1", "timestamp": "2025-05-01T10:00:00.000Z", "instructions": None},
        {"record_type": "state"},
        *(one["payload"] for one in CONSULTED if one["type"] == "response_item"),
    ],
}


@pytest.mark.parametrize("report", REPORTS)
def test_what_was_reported_is_one_consultation(report, lines, only, config):
    file = lines(*REPORTS[report])
    assert claims(REPORTS[report][0])
    (found,) = consultations(config, only(conversations(file)), "import:codex")
    assert (found.query.content, found.local.content, found.expert.content) == (Q, A, X)
    assert found.metadata.conversation_id == "s1"


def test_models_times_and_tokens_are_those_of_each_turn(lines, only):
    usage = {"input_tokens": 9, "cached_input_tokens": 3, "output_tokens": 4}
    counted = event("token_count", info={"last_token_usage": usage, "total_token_usage": {}})
    found = only(conversations(lines(META, *CONSULTED, counted)))
    answers = [turn for turn in found.turns if turn.answers]
    assert [turn.model for turn in answers] == ["qwen3", "claude-opus-5-5"]
    assert (answers[1].input_tokens, answers[1].output_tokens) == (9, 4)
    assert answers[1].moment.isoformat() == "2026-03-01T10:00:00+00:00"


def test_text_and_calls_of_one_answer_are_one_message(lines, only, config):
    file = lines(META, *CONSULTED[:5], item("assistant", "I look."), CALL, OUTPUT, item("assistant", X))
    (found,) = consultations(config, only(conversations(file)), "import:codex")
    assert [message.role for message in found.messages[3:]] == ["assistant", "tool", "assistant"]
    assert (found.messages[3].content, len(found.messages[3].tool_calls)) == ("I look.", 1)


def test_an_answer_that_the_user_stopped_is_incomplete(lines, only, config):
    file = lines(META, *CONSULTED, event("turn_aborted", reason="interrupted"))
    (found,) = consultations(config, only(conversations(file)), "import:codex")
    assert found.metadata.incomplete
    assert "the answer was cut, interrupted or refused" in found.metadata.model_extra["odd"]


def test_what_was_taken_back_is_not_in_what_follows(lines, only, said):
    file = lines(
        *(META, item("user", "one"), item("assistant", "1"), item("user", "two"), item("assistant", "2")),
        *(event("thread_rolled_back", num_turns=1), item("user", "three"), item("assistant", "3")),
    )
    found = only(conversations(file))
    assert [text for _, text in said(found)] == ["one", "1", "two", "2", "three", "3"]
    three = next(turn for turn in found.turns if turn.question == "three")
    assert three.parent == next(turn for turn in found.turns if turn.answers and turn.messages[0].content == "1").id


def test_a_compaction_stands_for_what_was_before_it(lines, only):
    file = lines(META, *CONSULTED[:3], line("compacted", message="The build fails."), item("user", "and now?"))
    summary, question = only(conversations(file)).turns[-2:]
    assert (summary.parent, summary.messages[0].role, question.parent) == (None, "system", summary.id)


@pytest.mark.parametrize("meta", [{"source": {"subagent": {"thread_spawn": {}}}}, {"thread_source": "subagent"}])
def test_a_subagents_session_is_left_out(lines, meta):
    (found,) = conversations(lines({**META, "payload": {"id": "s2", **meta}}, *CONSULTED))
    assert found == LeftOut(1, "subagent")


def test_a_line_that_is_still_being_written_is_reported(lines):
    bad, found = conversations(lines(META, *CONSULTED, b'{"timestamp": "2026', name="rollout.jsonl"))
    assert isinstance(bad, BadLine)
    assert len(found.turns) == 4


def test_the_stream_of_codex_exec_is_no_session():
    assert not claims({"type": "thread.started", "thread_id": "t"})
    assert not claims(json.loads('{"type": "item.completed", "item": {"type": "agent_message"}}'))
