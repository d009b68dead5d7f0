"""An answer is written as the items and events of the Responses API, in their order."""

import functools
import json

import pytest
from hypothesis import given
from pydantic import TypeAdapter
from tests.weakspot.protocols.drawn import answers

from weakspot.protocols.parts import Answer, Call, Finished, Part, Text, Thought, ThoughtsEnded
from weakspot.protocols.responses import Writer
from weakspot.protocols.responses_requests import tools_of_request
from weakspot.protocols.sse import Decoder

TOOLS = [
    {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": None},
    {"type": "custom", "name": "apply_patch"},
    {"type": "namespace", "name": "agents", "description": "d", "tools": [{"type": "function", "name": "spawn"}]},
]
CALLS = [Call(0, "", "c0", "look"), Call(0, '{"what": '), Call(0, '"a"}')]
DONE = Finished("stop", "m", 5, 6)


@functools.cache
def event_of_client():
    """What the official client reads an event as."""
    from openai.types.responses import ResponseStreamEvent

    return TypeAdapter(ResponseStreamEvent)


def writer(kept=None, **body):
    body = {"model": "m", "tools": TOOLS, **body}
    return Writer(body, tools_of_request(body, []), (kept if kept is not None else []).append)


def events_of(parts: list[Part], one: Writer | None = None) -> list[dict]:
    one = one or writer()
    data = b"".join([one.begin(), *map(one.write, parts), one.end()])
    return [json.loads(event) for event in Decoder().feed(data, last=True)]


def short(events: list[dict]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def items(response: dict) -> list[tuple]:
    said = {"message": "content", "reasoning": "summary", "function_call": "arguments", "custom_tool_call": "input"}
    return [
        (one["type"], one.get("name"), value[0]["text"] if isinstance(value := one[said[one["type"]]], list) else value)
        for one in response["output"]
    ]


def test_the_events_of_a_whole_answer_in_their_order():
    events = events_of([Thought("hm"), Text("a"), Text("b"), *CALLS, Finished("tool_calls", "m", 5, 6)])
    assert short(events) == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event for event in events if event["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == [0, 1, 2]
    assert added[2]["item"]["call_id"] == "c0"
    response = events[-1]["response"]
    assert items(response) == [
        ("reasoning", None, "hm"),
        ("message", None, "ab"),
        ("function_call", "look", '{"what": "a"}'),
    ]
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    assert {events[0]["response"]["id"], response["id"]} == {response["id"]}
    for event in events:
        event_of_client().validate_python(event)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # Items do not overlap: what comes while a call is written follows it.
        (
            [
                Call(0, "{", "c0", "look"),
                Call(1, '{"b": 1}', "c1", "look"),
                Text("t"),
                Thought("h"),
                Call(0, "}"),
                DONE,
            ],
            [
                ("function_call", "look", "{}"),
                ("reasoning", None, "h"),
                ("message", None, "t"),
                ("function_call", "look", '{"b": 1}'),
            ],
        ),
        ([Call(0, "", "c0", "look"), DONE], [("function_call", "look", "{}")]),
        ([Call(0, "{}", "c0", "agents__spawn"), DONE], [("function_call", "spawn", "{}")]),
        ([Call(0, "{}", "c0", "unknown"), DONE], [("function_call", "unknown", "{}")]),
        *(
            (
                [Call(0, arguments[:4], "c0", "apply_patch"), Call(0, arguments[4:]), DONE],
                [("custom_tool_call", "apply_patch", said)],
            )
            for arguments, said in (
                ('{"input": "*** Begin"}', "*** Begin"),
                ('{"patch": "*** Begin"}', "*** Begin"),
                ("*** Begin", "*** Begin"),
                ('"*** Begin"', "*** Begin"),
                ('{"input": 7}', '{"input": 7}'),
            )
        ),
        # What was read as the answer is thoughts in the response.
        ([Text("hm"), ThoughtsEnded(), Text("a"), DONE], [("reasoning", None, "hm"), ("message", None, "a")]),
        ([DONE], []),
    ],
)
def test_streamed_and_whole_responses_say_the_same(parts, expected):
    from openai.types.responses import Response

    events = events_of(parts)
    assert items(events[-1]["response"]) == expected
    whole = writer().whole(Answer.of(parts))
    assert sorted(items(whole), key=str) == sorted(expected, key=str)
    for event in events:
        event_of_client().validate_python(event)
    Response.model_validate(whole)


@given(answers())
def test_any_answer_is_the_same_streamed_and_whole(parts):
    events = events_of(parts)
    open_items: list[int] = []
    for event in events:
        if event["type"] == "response.output_item.added":
            assert open_items == []
            open_items.append(event["output_index"])
        elif event["type"] == "response.output_item.done":
            assert open_items.pop() == event["output_index"]
        elif "item_id" in event:
            assert open_items == [event["output_index"]]
    streamed, whole = events[-1]["response"], writer().whole(Answer.of(parts))
    texts = {"message": "", "reasoning": ""}
    for kind, _, said in items(streamed):
        texts[kind] = texts.get(kind, "") + said
    assert [one for one in items(streamed) if one[1]] == [one for one in items(whole) if one[1]]
    assert texts["message"] == "".join(said for kind, _, said in items(whole) if kind == "message")
    assert texts["reasoning"] == "".join(said for kind, _, said in items(whole) if kind == "reasoning")
    assert {key: streamed[key] for key in ("status", "usage")} == {key: whole[key] for key in ("status", "usage")}


def test_a_tool_of_a_namespace_is_named_as_the_client_does():
    response = events_of([Call(0, "{}", "c0", "agents__spawn"), DONE])[-1]["response"]
    assert (response["output"][0]["name"], response["output"][0]["namespace"]) == ("spawn", "agents")


def test_the_input_of_a_custom_tool_is_streamed_when_it_is_known():
    events = events_of([Call(0, '{"input"', "c0", "apply_patch"), Call(0, ': "x"}'), DONE])
    assert short(events)[2:-1] == [
        *("output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done")
    ]
    assert [event.get("delta") or event.get("input") for event in events[3:5]] == ["x", "x"]


@pytest.mark.parametrize(("reason", "told"), [("length", "max_output_tokens"), ("refused", "content_filter")])
def test_a_cut_answer_is_incomplete(reason, told):
    kept = []
    events = events_of([Text("a"), Finished(reason)], writer(kept))
    assert short(events)[-1] == "incomplete"
    response = events[-1]["response"]
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": told})
    assert response["output"][0]["status"] == "incomplete"
    assert writer().whole(Answer.of([Text("a"), Finished(reason)]))["incomplete_details"] == {"reason": told}
    assert [one["status"] for one in kept] == ["incomplete"]


@pytest.mark.parametrize(("status", "code"), [(502, "server_error"), (429, "rate_limit_exceeded")])
def test_an_error_ends_the_stream_as_failed(status, code):
    kept = []
    one = writer(kept)
    data = b"".join([one.begin(), one.write(Text("a")), one.error_event(status, "broke off")])
    events = [json.loads(event) for event in Decoder().feed(data, last=True)]
    assert short(events)[-2:] == ["error", "failed"]
    assert (events[-2]["message"], events[-2]["error"]["message"]) == ("broke off", "broke off")
    assert events[-1]["response"]["error"] == {"code": code, "message": "broke off"}
    assert kept == []
    for event in events:
        event_of_client().validate_python(event)


def test_a_response_repeats_what_was_asked_and_leaves_out_tools_that_are_not_offered():
    asked = {"instructions": "i", "metadata": {"a": "b"}, "temperature": 0.5, "previous_response_id": "resp_0"}
    response = writer(**asked, tools=[*TOOLS, {"type": "web_search"}], store=False).whole(Answer.of([Text("a"), DONE]))
    assert {key: response[key] for key in asked} == asked
    assert (response["store"], response["truncation"], response["tools"]) == (False, "disabled", TOOLS)


def test_a_response_is_kept_before_its_end_is_sent():
    kept = []
    one = writer(kept)
    one.begin()
    one.write(Text("a"))
    one.write(DONE)
    assert kept == []
    end = one.end()
    assert json.loads(end.split(b"data: ")[1])["response"] == kept[0]
