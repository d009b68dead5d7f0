"""Logs of requests and answers become conversations again, whichever proxy wrote them."""

import json

import pytest

from weakspot.importers.chat_logs import claims, conversations, exchange
from weakspot.importers.extraction import consultations
from weakspot.importers.json_stream import BadLine, LeftOut

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


ITEM = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is the sea."}]}
RESPONSE = {"id": "resp_1", "object": "response", "model": "qwen2.5", "status": "completed", "output": [ITEM]}
OF_RESPONSES = {
    "LiteLLM's payload": {"call_type": "aresponses", "messages": [Q], "response": RESPONSE},
    "a text as the input": {"call_type": "responses", "input": Q["content"], "response": RESPONSE},
    "request and response": {"request": {"input": [Q], "instructions": "Be brief."}, "response": RESPONSE},
    "a request in a text": {"proxy_server_request": json.dumps({"input": [Q]}), "response": json.dumps(RESPONSE)},
    "items only": {"request": {"input": [Q], "model": "qwen2.5"}, "output": [ITEM]},
}


@pytest.mark.parametrize("form", OF_RESPONSES)
def test_logs_of_the_responses_api_hold_the_same_chat(form, lines, said):
    (found,) = read(lines(OF_RESPONSES[form]))
    assert said(found)[-2:] == [("user", "Why is the sky blue?"), ("assistant", "It is the sea.")]
    assert found.turns[-1].model == "qwen2.5"


def test_a_response_goes_on_from_the_one_before_and_is_left_out_where_that_is_missing(lines, said):
    second = {"input": "consult opus", "previous_response_id": "resp_1", "response": {**RESPONSE, "id": "resp_2"}}
    found, missing = sorted(
        conversations(lines({"input": [Q], "response": RESPONSE}, second, {**second, "previous_response_id": "gone"})),
        key=lambda one: isinstance(one, LeftOut),
    )
    assert [text for _, text in said(found)] == [Q["content"], A["content"], "consult opus", A["content"]]
    assert missing == LeftOut(3, "earlier-turns-missing")


@pytest.mark.parametrize(
    ("response", "stop", "broken_off"),
    [
        ({**RESPONSE, "status": "incomplete"}, "length", False),
        ({**RESPONSE, "status": "in_progress"}, None, True),
        (completion("It is the s", reason="length"), "length", False),
        (completion("It is the s", reason="abort"), "length", False),
        ('data: {"choices": [{"delta": {"content": "It is"}, "finish_reason": null}]}\n\n', None, True),
        ([{"choices": [{"index": 0, "delta": {"content": "It is"}, "finish_reason": None}]}], None, True),
    ],
)
def test_an_answer_that_was_cut_is_known_as_such(lines, response, stop, broken_off):
    (found,) = read(lines({"messages": [Q], "response": response}))
    assert (found.turns[-1].stop, found.turns[-1].broken_off, found.turns[-1].answers) == (stop, broken_off, True)


@pytest.mark.parametrize(
    "response",
    [
        '{"id": "x", "choices": [{"message": {"content": "It is',
        "data: {cut",
        {"status_code": 529, "body": completion("It is the sea.")},
        {"status": "failed", "output": [ITEM]},
    ],
)
def test_what_is_no_answer_is_none(lines, said, response):
    (found,) = read(lines({"messages": [Q], "response": response}))
    assert said(found) == [("user", "Why is the sky blue?")]


def switched(first: dict, second: dict) -> tuple[dict, dict]:
    at = {"endTime": "2026-03-01T10:00:00Z"}
    expert = {"response": completion("Rayleigh.", "claude-opus-5-5"), "model": "claude-opus-5-5"}
    return {**PLAIN, **at, **first}, {**PLAIN, **at, **expert, **second}


PLAIN = {"messages": [Q], "model": "qwen2.5", "response": completion("It is the sea.")}
HELLO = {"messages": [{"role": "user", "content": "Hello there, how are you today?"}]}


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ({}, {}, 1),
        ({"end_user": "ann"}, {"end_user": "ann"}, 1),
        ({"end_user": "ann", "session_id": "1"}, {"end_user": "ann", "session_id": "2"}, 1),
        ({"end_user": "ann"}, {"end_user": "bob"}, 0),
        ({"session_id": "1"}, {"session_id": "2"}, 0),
        ({"metadata": {"user_api_key_user_id": "ann"}}, {"metadata": {"user_api_key_user_id": "bob"}}, 0),
        ({"user": "default_user_id", "session_id": "1"}, {"user": "default_user_id", "session_id": "2"}, 0),
        ({}, {"endTime": "2026-03-01T10:59:00Z"}, 1),
        ({}, {"endTime": "2026-03-02T10:00:00Z"}, 0),
        (HELLO, HELLO, 0),
        ({**HELLO, "end_user": "ann"}, {**HELLO, "end_user": "ann"}, 0),
    ],
)
def test_equal_words_are_one_question_if_they_are_one_persons_and_soon(lines, config, first, second, count):
    found = read(lines(*switched(first, second)))
    assert sum(len(list(consultations(config, one, "import:chat-log"))) for one in found) == count


def test_where_neither_a_person_nor_a_time_is_known_it_waits_for_a_person(lines, config):
    first, second = switched({"endTime": None}, {"endTime": None})
    (found,) = read(lines(first, second))
    (one,) = consultations(config, found, "import:chat-log")
    assert one.metadata.policy == "ask"
    assert one.metadata.timestamp == "1970-01-01T00:00:00.000Z"
    assert one.metadata.model_extra["odd"] == [
        "no time in it can be read: stored as of 1970",
        "that one person asked both models is assumed: only the words are the same",
    ]
