"""Messages are read as Anthropic streams them, and written so that the official client reads them."""

import json

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers import Reply, message, message_events, sse
from tests.weakspot.protocols.drawn import answers

from weakspot.protocols import anthropic_messages
from weakspot.protocols.parts import Answer, Call, Finished, StreamError, Text, Thought, ThoughtsEnded

REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "refused": "refusal"}


def answer_to(data: bytes) -> Answer:
    reader = anthropic_messages.Reader()
    return Answer.of([*reader.feed(data), *reader.end()])


def written(parts) -> bytes:
    writer = anthropic_messages.Writer("m")
    return b"".join([writer.begin(), *map(writer.write, parts), writer.end()])


def client(data: bytes):
    """The official client, which gets this answer."""
    import anthropic

    headers = {"Content-Type": "text/event-stream" if data.startswith(b"event:") else "application/json"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=data, headers=headers))
    return anthropic.Anthropic(
        api_key="k", base_url="http://localhost", max_retries=0, http_client=httpx2.Client(transport=transport)
    )


def heard(message) -> tuple[str, str, list[tuple[str, str, dict]]]:
    """Return what the official client understood: text, thoughts and calls."""
    blocks = message.content
    return (
        "".join(one.text for one in blocks if one.type == "text"),
        "".join(one.thinking for one in blocks if one.type == "thinking"),
        sorted((one.id, one.name, one.input) for one in blocks if one.type == "tool_use"),
    )


def meant(answer: Answer) -> tuple[str, str, list[tuple[str, str, dict]]]:
    calls = ((one.id, one.name, json.loads(one.arguments)) for one in answer.calls.values())
    return answer.text, answer.thought, sorted(calls)


# reading


@pytest.mark.parametrize("pieces", [1, 3, 40])
def test_a_stream_is_read(pieces):
    reply = Reply("Grüße 😀", "hm", (("a", "look", '{"what": 1}'), ("b", "go", "{}")), pieces=pieces)
    found = answer_to(b"".join(message_events(reply)))
    assert meant(found) == ("Grüße 😀", "hm", [("a", "look", {"what": 1}), ("b", "go", {})])
    assert found.finished == Finished("tool_calls", "the-model", 12, 7)
    assert found.complete


@given(answers())
def test_what_is_written_is_read_again(parts):
    found, expected = answer_to(written(parts)), Answer.of(parts)
    assert meant(found) == meant(expected)
    assert found.finished.reason == expected.finished.reason


def test_cached_tokens_are_read_ones():
    usage = {"input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5, "output_tokens": 1}
    start = sse({"type": "message_start", "message": {"model": "m", "usage": usage}})
    end = sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 30}})
    assert answer_to(start + end).finished == Finished("stop", "m", 100, 30)


@pytest.mark.parametrize(
    ("reason", "complete"),
    [("end_turn", True), ("stop_sequence", True), ("max_tokens", False), ("refusal", False), ("pause_turn", False)],
)
def test_an_answer_is_complete_only_for_reasons_that_are_known_to_mean_so(reason, complete):
    assert answer_to(b"".join(message_events(Reply("a", reason=reason)))).complete is complete


@pytest.mark.parametrize("count", range(8))
def test_a_stream_that_is_cut_anywhere_has_no_end(count):
    events = message_events(Reply("abc", calls=(("a", "f", '{"n": 1}'),)))
    assert answer_to(b"".join(events[:count])).finished is None


def test_an_error_that_the_server_reports_is_one():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(StreamError, match="Overloaded"):
        answer_to(b"".join(message_events(Reply("abc"))[:4]) + sse(error))


KEYS = ["type", "message", "usage", "index", "content_block", "delta", "stop_reason", "text", "input", "id", "name"]
TYPES = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "text",
    "tool_use",
    "text_delta",
]


@given(
    st.recursive(
        st.none() | st.integers() | st.sampled_from(TYPES),
        lambda value: st.lists(value) | st.dictionaries(st.sampled_from(KEYS), value),
        max_leaves=20,
    )
)
def test_no_json_does_anything_but_be_read_or_be_an_error(value):
    try:
        answer = answer_to(sse(value))
    except StreamError:
        return
    assert isinstance(answer.message(), dict)


# writing


@pytest.mark.slow
@given(answers())
def test_the_official_client_reads_what_is_streamed(parts):
    expected = Answer.of(parts)
    with client(written(parts)).messages.stream(model="m", max_tokens=9, messages=[]) as events:
        found = events.get_final_message()
    assert heard(found) == meant(expected)
    assert found.stop_reason == REASONS[expected.finished.reason]
    assert (found.usage.input_tokens, found.usage.output_tokens) == (
        expected.finished.input_tokens,
        expected.finished.output_tokens,
    )


@pytest.mark.slow
@given(answers())
def test_the_official_client_reads_what_is_whole(parts):
    expected = Answer.of(parts)
    body = anthropic_messages.Writer("m").whole(expected)
    found = client(json.dumps(body).encode()).messages.create(model="m", max_tokens=9, messages=[])
    assert heard(found) == meant(expected)
    assert found.stop_reason == REASONS[expected.finished.reason]


def test_blocks_do_not_overlap_whatever_the_order_of_the_parts():
    parts = [
        Text("a"),
        Call(0, '{"n"', "x", "f"),
        Call(1, "", "y", "g"),
        Text("b"),
        Thought("t"),
        Call(0, ": 1}"),
        Call(1, "{}"),
        Finished("tool_calls"),
    ]
    open_block, order = None, []
    for line in written(parts).decode().splitlines():
        data = json.loads(line[6:]) if line.startswith("data: ") else {}
        match data.get("type"):
            case "content_block_start":
                assert open_block is None
                assert data["index"] == len(order)
                open_block = data["index"]
                order.append(data["content_block"]["type"])
            case "content_block_delta":
                assert data["index"] == open_block
            case "content_block_stop":
                assert data["index"] == open_block
                open_block = None
    assert (open_block, order) == (None, ["text", "tool_use", "thinking", "text", "tool_use"])


def test_a_call_that_was_cut_is_shown_as_what_it_is():
    answer = Answer.of([Call(0, '{"n": ', "x", "f"), Finished("length")])
    [block] = anthropic_messages.Writer("m").whole(answer)["content"]
    assert block == {"type": "tool_use", "id": "x", "name": "f", "input": {"unreadable": '{"n": '}}


@pytest.mark.slow
def test_an_error_in_the_middle_is_one_for_the_official_client():
    import anthropic

    writer = anthropic_messages.Writer("m")
    data = writer.begin() + writer.write(Text("a")) + writer.error_event(502, "it broke off")
    with (
        pytest.raises(anthropic.APIStatusError, match="it broke off"),
        client(data).messages.stream(model="m", max_tokens=9, messages=[]) as events,
    ):
        events.get_final_message()


def test_a_whole_message_is_read_in_place_of_a_stream():
    reply = Reply("a", "hm", (("1", "look", '{"what": 1}'),))
    found = answer_to(json.dumps(message(reply)).encode())
    assert meant(found) == ("a", "hm", [("1", "look", {"what": 1})])
    assert found.finished == Finished("tool_calls", "the-model", 12, 7)


def test_a_whole_error_is_one():
    with pytest.raises(StreamError, match=r"^Overloaded$"):
        answer_to(json.dumps({"type": "error", "error": {"message": "Overloaded"}}).encode())


def test_an_answer_ends_with_its_last_event():
    reader = anthropic_messages.Reader()
    list(reader.feed(b"".join(message_events(Reply("a"))[:-1])))
    assert (reader.finishing, reader.ended) == (True, False)
    assert list(reader.feed(message_events(Reply("a"))[-1])) == []
    assert reader.ended
    assert list(reader.feed(b"data: nonsense\n\n")) == []


def test_text_that_was_thoughts_is_nothing_to_write():
    assert b"ping" in anthropic_messages.Writer("m").write(ThoughtsEnded())
