"""Logs of requests and answers become conversations again, whichever proxy wrote them."""

import json

import pytest

from weakspot.importers.chat_logs import claims, conversations, exchange
from weakspot.importers.json_stream import BadLine

Q = {"role": "user", "content": "Why is the sky blue?"}
A = {"role": "assistant", "content": "It is the sea."}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {}}}]


def completion(text: str, model: str = "qwen2.5", reason: str = "stop") -> dict:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage}


# LiteLLM's StandardLoggingPayload and a row of its spend logs, cut to the fields that say something.
PAYLOAD = {
    **{"id": "x", "trace_id": "t", "call_type": "acompletion", "status": "success", "model": "qwen2.5"},
    **{"startTime": 1761921000.0, "endTime": 1761921001.5, "prompt_tokens": 11, "completion_tokens": 7},
    **{"messages": [Q], "response": completion("It is the sea."), "model_parameters": {"tools": TOOLS}},
    "end_user": "ann",
}
SPEND_ROW = {
    **{"request_id": "x", "call_type": "acompletion", "model": "qwen2.5", "session_id": "t", "messages": {}},
    **{"startTime": "2025-10-31T14:30:00.000000", "endTime": "2025-10-31T14:30:01.500000"},
    "response": json.dumps(completion("It is the sea.")),
    "end_user": "ann",
    "proxy_server_request": json.dumps({"model": "local", "messages": [Q], "tools": TOOLS}),
}
ANTHROPIC = {
    "request": {"model": "qwen2.5", "system": "Be brief.", "messages": [Q]},
    "response": {
        **{"type": "message", "role": "assistant", "model": "qwen2.5", "stop_reason": "end_turn"},
        **{"content": [{"type": "text", "text": "It is the sea."}], "usage": {"input_tokens": 11, "output_tokens": 7}},
    },
}
FORMS = {
    "LiteLLM's payload": PAYLOAD,
    "a row of LiteLLM's spend logs": SPEND_ROW,
    "request and response": {"request": {"messages": [Q], "model": "qwen2.5"}, "response": completion(A["content"])},
    "bodies": {"request": {"body": {"messages": [Q]}}, "response": {"status": 200, "body": completion(A["content"])}},
    "request with an answer beside it": {"messages": [Q], "model": "qwen2.5", **completion(A["content"])},
    "an answer of text": {"messages": [Q], "model": "qwen2.5", "response": A["content"]},
    "an answer that is a message": {"messages": [Q], "model": "qwen2.5", "output": A},
    "a whole chat": {"messages": [Q, A], "model": "qwen2.5"},
    "a whole chat with models": {"messages": [Q, {**A, "model": "qwen2.5"}]},
    "Anthropic's protocol": ANTHROPIC,
}


def read(file) -> list:
    found = list(conversations(file))
    assert not any(isinstance(one, BadLine) for one in found)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_chat(form, lines, said):
    assert claims(FORMS[form])
    (found,) = read(lines(FORMS[form]))
    assert said(found)[-2:] == [("user", "Why is the sky blue?"), ("assistant", "It is the sea.")]
    assert found.turns[-1].model == "qwen2.5"


@pytest.mark.parametrize("form", ["LiteLLM's payload", "a row of LiteLLM's spend logs"])
def test_litellm_tells_time_tokens_and_tools(form, lines):
    (found,) = read(lines(FORMS[form]))
    answer = found.turns[-1]
    assert (answer.input_tokens, answer.output_tokens, answer.stop) == (11, 7, "stop")
    assert answer.moment.isoformat() == "2025-10-31T14:30:01.500000+00:00"
    assert found.tools == TOOLS


def test_requests_of_one_conversation_are_joined_and_part_where_they_do(lines, said):
    q2 = {"role": "user", "content": "And at dusk?"}
    file = lines(
        {**PAYLOAD, "messages": [{"role": "system", "content": "Be brief."}, Q]},
        {
            **PAYLOAD,
            "messages": [{"role": "system", "content": "You are Claude."}, Q],
            "response": completion("Rayleigh.", "opus"),
        },
        {**PAYLOAD, "messages": [Q, A, q2], "response": completion("Red.")},
        {**PAYLOAD, "messages": [{"role": "user", "content": "Something else?"}]},
    )
    first, other = read(file)
    assert said(first) == [
        ("system", "Be brief."),
        ("user", "Why is the sky blue?"),
        ("assistant", "It is the sea."),
        ("assistant", "Rayleigh."),
        ("user", "And at dusk?"),
        ("assistant", "Red."),
    ]
    question, sea, rayleigh, dusk = first.turns[1:5]
    assert sea.parent == rayleigh.parent == question.id
    assert dusk.parent == sea.id
    assert (sea.model, rayleigh.model) == ("qwen2.5", "opus")
    assert (first.number, other.number) == (1, 4)


def test_two_models_that_say_the_same_are_two_answers(lines):
    (found,) = read(lines(PAYLOAD, {**PAYLOAD, "response": completion("It is the sea.", "opus")}, PAYLOAD))
    assert [turn.model for turn in found.turns if turn.answers] == ["qwen2.5", "opus"]


def test_a_turns_id_is_the_same_however_the_log_grows(lines):
    (before,) = read(lines(PAYLOAD))
    more = {**PAYLOAD, "messages": [Q, A, {"role": "user", "content": "And at dusk?"}]}
    (after,) = read(lines(PAYLOAD, more))
    assert after.turns[: len(before.turns)] == before.turns
    assert after.id == before.id


def test_a_request_that_failed_has_no_answer(lines, said):
    failed = {**PAYLOAD, "status": "failure", "response": {}}
    (found,) = read(lines(failed, {**PAYLOAD, "response": {"error": {"message": "overloaded"}}}))
    assert said(found) == [("user", "Why is the sky blue?")]


def test_what_is_no_chat_is_passed_over_and_counted(lines):
    unlogged = {"call_type": "acompletion", "messages": {}, "response": {}}
    found = read(lines({"call_type": "embedding", "input": "x"}, {"messages": [], "response": {}}, unlogged))
    assert [one.reason for one in found] == ["no-chat", "no-chat", "texts-not-logged"]
    assert exchange({"messages": ["x"]}) is None


def test_a_corrupt_line_is_reported_and_stops_nothing(lines):
    file = lines(PAYLOAD, b'{"messages": [', {**PAYLOAD, "messages": [{"role": "user", "content": "Else?"}]})
    bad, *found = conversations(file)
    assert (bad.line, bad.reason, bad.file) == (2, "not-json", str(file))
    assert len(found) == 2


def test_a_list_of_entries_is_read_as_lines_are(tmp_path, lines):
    file = tmp_path / "spend.json"
    file.write_text(json.dumps({"data": [SPEND_ROW, PAYLOAD], "total": 2}))
    (found,) = read(file)
    (of_lines,) = read(lines(SPEND_ROW, PAYLOAD))
    assert found.turns == of_lines.turns
