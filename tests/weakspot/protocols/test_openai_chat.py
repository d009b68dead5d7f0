"""Chat completions are read whatever a server makes of them, and written so that the official client reads them."""

import json

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers import Reply, chunks, completion, sse
from tests.weakspot.protocols.drawn import answers

from weakspot.protocols import openai_chat
from weakspot.protocols.parts import Answer, Finished, StreamError, Text


def stream(*deltas: dict, reason: str | None = "stop", **choice) -> bytes:
    choices = [
        *({"delta": one, **choice} for one in deltas),
        *([{"delta": {}, "finish_reason": reason}] if reason else []),
    ]
    return b"".join(sse({"model": "m", "choices": [{"index": 0, **one}]}) for one in choices)


def answer_to(data: bytes) -> Answer:
    return Answer.of(openai_chat.parts_of_answer(data))


def written(parts, *, usage_wanted: bool = True) -> bytes:
    writer = openai_chat.Writer("m", usage_wanted=usage_wanted)
    return b"".join([writer.begin(), *map(writer.write, parts), writer.end()])


def client(data: bytes):
    """The official client, which gets this answer."""
    import openai

    headers = {"Content-Type": "text/event-stream" if data.startswith(b"data:") else "application/json"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=data, headers=headers))
    return openai.OpenAI(api_key="k", base_url="http://localhost", http_client=httpx2.Client(transport=transport))


# reading


@pytest.mark.parametrize("pieces", [1, 3, 40])
def test_a_stream_says_what_the_whole_answer_says(pieces):
    reply = Reply("Grüße 😀", "hm", (("a", "look", '{"what": 1}'), ("b", "go", "{}")), pieces=pieces)
    whole = Answer.of(openai_chat.parts_of_answer(json.dumps(completion(reply)).encode()))
    streamed = answer_to(b"".join(chunks(reply)))
    assert streamed.message() == whole.message()
    assert (streamed.thought, streamed.finished) == (whole.thought, whole.finished)
    assert whole.finished == Finished("tool_calls", "the-model", 12, 7)
    assert whole.message()["tool_calls"][0] == {
        "id": "a",
        "type": "function",
        "function": {"name": "look", "arguments": '{"what": 1}'},
    }


@given(answers())
def test_what_is_written_is_read_again(parts):
    answer = answer_to(written(parts))
    expected = Answer.of(parts)
    assert (answer.message(), answer.thought, answer.finished) == (
        expected.message(),
        expected.thought,
        expected.finished,
    )


def test_only_the_first_choice_is_read():
    events = [
        sse({"choices": [{"index": n, "delta": {"content": text}}]}) for n, text in [(0, "a"), (1, "X"), (0, "b")]
    ]
    assert answer_to(b"".join(events)).text == "ab"
    both = sse({"choices": [{"index": 1, "delta": {"content": "X"}}, {"index": 0, "delta": {"content": "a"}}]})
    assert answer_to(both).text == "a"


def test_a_new_id_under_an_old_index_is_a_new_call():
    calls = [
        {"index": 0, "id": i, "function": {"name": "f", "arguments": a}} for i, a in [("x", "{}"), ("y", '{"n":1}')]
    ]
    found = answer_to(stream(*({"tool_calls": [one]} for one in calls)))
    assert [(one.id, one.arguments) for one in found.calls.values()] == [("x", "{}"), ("y", '{"n":1}')]


def test_a_call_whose_pieces_all_bear_its_name_is_one_call():
    pieces = [{"index": 0, "id": "x", "function": {"name": "f", "arguments": a}} for a in ('{"n"', ":1}")]
    parts = list(openai_chat.parts_of_answer(stream(*({"tool_calls": [one]} for one in pieces))))
    assert Answer.of(parts).message()["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"n":1}'}
    assert [part.name for part in parts[:-1]] == ["f", ""]


def test_a_call_without_an_id_is_given_one():
    found = answer_to(stream({"tool_calls": [{"function": {"name": "f", "arguments": {"n": 1}}}]}))
    assert found.calls[0].id
    assert found.calls[0].arguments == '{"n": 1}'


def test_stop_behind_tool_calls_means_tool_calls():
    found = answer_to(stream({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": ""}}]}, reason="stop"))
    assert found.finished.reason == "tool_calls"
    assert found.complete


@pytest.mark.parametrize(
    ("reason", "complete"),
    [
        ("stop", True),
        ("length", False),
        ("content_filter", False),
        ("insufficient_system_resource", False),
        ("error", False),
    ],
)
def test_an_answer_is_complete_only_for_reasons_that_are_known_to_mean_so(reason, complete):
    assert answer_to(stream({"content": "a"}, reason=reason)).complete is complete


def test_a_stream_without_a_reason_is_cut():
    found = answer_to(stream({"content": "a"}, reason=None))
    assert (found.text, found.finished, found.complete) == ("a", None, False)


def test_a_stream_that_ends_inside_an_event_is_cut():
    assert answer_to(stream({"content": "a"}, reason=None) + b'data: {"choices": [').text == "a"


def test_a_call_that_was_cut_is_not_complete():
    found = answer_to(stream({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": '{"n'}}]}))
    assert (found.complete, found.finished.reason) == (False, "tool_calls")


def test_a_refusal_is_a_text_that_is_not_complete():
    found = answer_to(stream({"content": None, "refusal": "No."}))
    assert (found.text, found.finished.reason) == ("No.", "refused")


def test_content_in_parts_is_read():
    found = answer_to(stream({"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}]}))
    assert found.text == "a"


def test_a_character_that_was_cut_in_two_is_one_again():
    halves = [b'data: {"choices":[{"delta":{"content":"\\u%s"}}]}\n\n' % half for half in (b"d83d", b"de00")]
    assert answer_to(b"".join(halves)).text == "😀"


@pytest.mark.parametrize(
    "data",
    [
        b"data: no JSON\n\n",
        b"data: [1]\n\n",
        b'data: {"choices": 5}\n\n',
        b'data: {"choices": [{"delta": "a"}]}\n\n',
        b'data: {"error": {"message": "out of memory"}}\n\n',
    ],
)
def test_what_is_no_stream_of_a_chat_completion_is_an_error(data):
    with pytest.raises(StreamError):
        list(openai_chat.parts_of_answer(data + stream({"content": "a"})))


@pytest.mark.parametrize(
    "event",
    [
        # OpenRouter, beside an empty list of choices, and at the choice (openrouter.ai/docs, mid-stream errors)
        b'data: {"id": "x", "choices": [], "error": {"code": 502, "message": "out of memory"}}',
        b'data: {"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "out of memory"}}]}',
        b'error: {"code": 500, "message": "out of memory", "type": "server_error"}',  # older llama.cpp
        b'data: {"object": "error", "message": "out of memory", "code": 400}',  # older vLLM
        b'event: error\ndata: {"detail": "out of memory"}',
    ],
)
def test_an_error_in_the_stream_is_said_in_whichever_form_it_comes(event):
    with pytest.raises(StreamError, match=r"^out of memory$"):
        answer_to(stream({"content": "a"}, reason=None) + event + b"\n\n")


def test_a_call_of_the_older_protocol_is_a_call():
    pieces = [{"function_call": {"name": "f", "arguments": '{"n"'}}, {"function_call": {"arguments": ": 1}"}}]
    found = answer_to(stream(*pieces, reason="function_call"))
    assert [(one.name, one.arguments) for one in found.calls.values()] == [("f", '{"n": 1}')]
    assert found.complete


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thoughts_have_fields_of_their_own(key):
    found = answer_to(stream({key: "hm"}, {"content": "a", key: None}))
    assert (found.thought, found.text) == ("hm", "a")


@pytest.mark.parametrize("data", [b"<html>", b"[]", b'{"choices": 5}', b'{"error": "overloaded"}', b"[" * 100_000])
def test_what_is_no_chat_completion_is_an_error(data):
    with pytest.raises(StreamError):
        list(openai_chat.parts_of_answer(data))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "message",
                        "content",
                        "tool_calls",
                        "function",
                        "index",
                        "usage",
                        "model",
                        "type",
                        "text",
                    ]
                ),
                v,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_does_anything_but_be_read_or_be_an_error(value):
    for data in (sse(value), json.dumps(value).encode()):
        try:
            answer = Answer.of(openai_chat.parts_of_answer(data))
        except StreamError:
            continue
        assert isinstance(answer.message(), dict)


# writing


@pytest.mark.slow
@given(answers())
def test_the_official_client_reads_what_is_streamed(parts):
    expected = Answer.of(parts)
    text, calls, reason, usage = "", {}, None, None
    for chunk in client(written(parts)).chat.completions.create(model="m", messages=[], stream=True):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
            for one in choice.delta.tool_calls or ():
                calls.setdefault(one.index, ["", "", ""])
                calls[one.index][0] += one.id or ""
                calls[one.index][1] += one.function.name or ""
                calls[one.index][2] += one.function.arguments or ""
    assert text == expected.text
    assert sorted(map(tuple, calls.values())) == sorted((c.id, c.name, c.arguments) for c in expected.calls.values())
    assert reason == {"refused": "content_filter"}.get(expected.finished.reason, expected.finished.reason)
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        expected.finished.input_tokens,
        expected.finished.output_tokens,
    )


@pytest.mark.slow
@given(answers())
def test_the_official_client_reads_what_is_whole(parts):
    expected = Answer.of(parts)
    body = openai_chat.Writer("m").whole(expected)
    found = client(json.dumps(body).encode()).chat.completions.create(model="m", messages=[])
    message = found.choices[0].message
    assert (message.content or "") == expected.text
    assert [(one.id, one.function.name) for one in message.tool_calls or ()] == [
        (one.id, one.name) for one in expected.calls.values()
    ]
    assert found.usage.total_tokens == expected.finished.input_tokens + expected.finished.output_tokens


def test_usage_is_streamed_to_those_who_asked_for_it():
    parts = [Text("a"), Finished("stop", "m", 1, 2)]
    assert b"prompt_tokens" in written(parts)
    assert b"prompt_tokens" not in written(parts, usage_wanted=False)


@pytest.mark.slow
def test_an_error_in_the_middle_is_one_for_the_official_client():
    import openai

    writer = openai_chat.Writer("m")
    data = writer.begin() + writer.write(Text("a")) + writer.error_event(502, "it broke off")
    with pytest.raises(openai.APIError, match="it broke off"):
        list(client(data).chat.completions.create(model="m", messages=[], stream=True))


def test_a_request_holds_what_every_server_knows():
    asked = openai_chat.request(
        [{"role": "developer", "content": "d"}, {"role": "assistant", "content": "a", "reasoning_content": "r"}], []
    )
    assert asked == {"messages": [{"role": "system", "content": "d"}, {"role": "assistant", "content": "a"}]}


def test_options_are_what_a_client_asks_of_an_answer():
    chat = {"model": "m", "messages": [], "stream": True, "n": 2, "user": "u", "seed": 1, "stop": None, "top_p": 0.5}
    assert openai_chat.answer_options(chat) == {"seed": 1, "top_p": 0.5}


def test_pictures_in_results_follow_as_the_user_s():
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    results = [
        {"role": "tool", "tool_call_id": "1", "content": [image]},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "r"}, image]},
        {"role": "tool", "tool_call_id": "3", "content": "plain"},
    ]
    messages = [{"role": "assistant", "content": None, "tool_calls": [call]}, *results]
    *_, one, two, three, seen = openai_chat.media_behind_results(messages)
    assert [message["content"] for message in (one, two, three)] == ["(see the next message)", "r", "plain"]
    assert seen == {
        "role": "user",
        "content": [
            {"type": "text", "text": "Result of the tool call 1:"},
            image,
            {"type": "text", "text": "Result of the tool call 2:"},
            image,
        ],
    }
    for next_, count in (({"role": "user", "content": "w"}, 1), ({"role": "assistant", "content": "a"}, 2)):
        assert len(openai_chat.media_behind_results([*messages, next_])) == len(messages) + count
    assert openai_chat.media_behind_results(messages[:1]) == messages[:1]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {}),
        ({"chat_template_kwargs": None, "think": None, "reasoning_effort": 3}, {}),
        ({"chat_template_kwargs": {"enable_thinking": False}}, {"thinking": "off"}),
        ({"chat_template_kwargs": {"thinking": True}}, {"thinking": "on"}),
        ({"think": False}, {"thinking": "off"}),
        ({"think": "low"}, {"thinking": "on", "reasoning_effort": "low"}),
        ({"reasoning_effort": "none"}, {"thinking": "off"}),
        ({"reasoning_effort": "high"}, {"thinking": "on", "reasoning_effort": "high"}),
        ({"reasoning_effort": "high", "chat_template_kwargs": {"enable_thinking": False}}, {"thinking": "off"}),
    ],
)
def test_what_a_client_asks_of_thinking_is_read_by_each_name(asked, found):
    assert openai_chat.thinking_options(asked) == found
