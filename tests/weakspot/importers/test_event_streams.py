"""The text of a stream becomes the answer that it holds, or nothing; a stream that was cut is incomplete."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.importers.event_streams import body_of_stream, is_stream


def stream(*events: dict, names: bool = False, done: bool = True) -> str:
    written = [(f"event: {one['type']}\n" if names else "") + f"data: {json.dumps(one)}\n\n" for one in events]
    return "".join(written) + ("data: [DONE]\n\n" if done else "")


def chunk(delta: dict, reason: str | None = None) -> dict:
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


CHAT = (chunk({"role": "assistant", "content": "It is "}), chunk({"content": "so."}), chunk({}, "stop"))
ANTHROPIC = (
    {
        "type": "message_start",
        "message": {"model": "m", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "It is so."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is so."}]}
RESPONSE = {"id": "r", "model": "m", "status": "completed", "output": [MESSAGE]}
RESPONSES = (
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {"type": "response.output_text.delta", "delta": "It is so."},
    {"type": "response.output_item.done", "item": MESSAGE},
    {"type": "response.completed", "response": RESPONSE},
)


@pytest.mark.parametrize("events", [CHAT, ANTHROPIC])
def test_a_stream_of_either_protocol_is_one_answer(events):
    text = stream(*events, names=events is ANTHROPIC, done=events is CHAT)
    assert is_stream(text)
    body = body_of_stream(text)
    assert body["choices"][0] == {"message": {"role": "assistant", "content": "It is so."}, "finish_reason": "stop"}
    assert (body["model"], "incomplete" in body) == ("m", False)


def test_a_stream_of_responses_is_the_response_at_its_end():
    assert body_of_stream(stream(*RESPONSES, names=True, done=False)) == RESPONSE
    whole = {**RESPONSES[3], "response": {**RESPONSE, "output": []}}
    assert body_of_stream(stream(*RESPONSES[:3], whole))["output"] == [MESSAGE]


@pytest.mark.parametrize("text", [stream(*CHAT[:2], done=False), stream(*ANTHROPIC[:3]), stream(*RESPONSES[:3])])
def test_a_stream_without_its_end_is_incomplete(text):
    assert body_of_stream(text)["incomplete"]


@pytest.mark.parametrize("text", ["data: x\n\n", "data: [DONE]\n\n", 'data: {"error": {"message": "overloaded"}}\n\n'])
def test_what_holds_no_answer_is_none(text):
    assert is_stream(text)
    assert body_of_stream(text) is None


@pytest.mark.parametrize("text", ["A plain answer.", "dates: 1 and 2", "event: the party", ""])
def test_a_plain_text_is_no_stream(text):
    assert not is_stream(text)


ANY = st.recursive(
    st.none() | st.text(max_size=4),
    lambda one: (
        st.lists(one, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["type", "response", "output", "item", "choices", "delta", "content", "model", "index", "message"]
            ),
            one
            | st.sampled_from(
                ["response.completed", "response.output_item.done", "message_start", "content_block_delta"]
            ),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.lists(ANY, max_size=4))
def test_whatever_the_events_are_nothing_breaks(events):
    body = body_of_stream("".join(f"data: {json.dumps(one)}\n\n" for one in events))
    assert body is None or isinstance(body, dict)
