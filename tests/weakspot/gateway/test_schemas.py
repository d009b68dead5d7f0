"""What a teacher can be asked from, and what is wrong with anything else."""

import contextlib
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weakspot.gateway import schemas
from weakspot.gateway.schemas import chat_of_messages, parse_json_body, require_chat
from weakspot.gateway.upstream import GatewayError

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "q"},
        {"role": "user", "content": [{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA"}}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None, "audio": {}},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": "r"},
        {"role": "developer", "content": "d", "name": "n"},
    ],
)
def test_what_clients_send_is_taken(message):
    require_chat({"model": "m", "messages": [message], "n": 3, "stream": True, "stream_options": None, "tools": []})


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "messages: field required"),
        ({"messages": [{"content": "q"}]}, "messages.0.role: field required"),
        ({"messages": [{"role": "user", "content": [{"text": "q"}]}]}, "messages.0.content.0.type: field required"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0: text is missing"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages.0.content.0: image_url is missing",
        ),
        (
            {"messages": [{"role": "a", "tool_calls": [{"id": "1"}]}]},
            "messages.0.tool_calls.0.function: field required",
        ),
        ({"messages": [{"role": "a", "tool_calls": "x"}]}, "messages.0.tool_calls: input should be a valid list"),
        ({"messages": [], "stream": "yes"}, "stream: input should be a valid boolean"),
        ({"messages": [], "tools": [{"type": "function", "function": {}}]}, "tools.0.function.name: field required"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(body, problem):
    with pytest.raises(GatewayError) as error:
        require_chat(body)
    assert (error.value.status, str(error.value)) == (400, problem)


def test_what_is_no_request_of_messages_is_an_error():
    with pytest.raises(GatewayError, match="'content' is missing"):
        chat_of_messages({"messages": [{"role": "user"}]})
    with pytest.raises(GatewayError, match="not a request of the Messages API"):
        chat_of_messages({"messages": 5})


@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": None, "function": {"name": "f"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "f"}}]}]},
        {"messages": [{"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}]},
        {"messages": [{"role": "function", "name": "f", "content": None}]},
        {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "function", "name": "f", "parameters": {}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": None}}]},
    ],
)
def test_what_can_be_mended_is_taken(more):
    require_chat({"messages": [], **more})


class Request:
    """A request with a body."""

    def __init__(self, data: bytes, **headers: str) -> None:
        self.headers, self._data = headers, data

    def __getitem__(self, _key) -> bytes:
        return self._data


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"\\ud83d", "\ufffd"),
        (b"\\uDE00 a", "\ufffd a"),
        (b"\\ud83d\\ude00", "\U0001f600"),
        (b"\\ud83d\\ud83d\\ude00", "\ufffd\U0001f600"),
        (b"\xed\xa0\xbd", "\ufffd"),
        (b"\\\\ud83d", "\\ud83d"),
    ],
)
async def test_half_a_character_is_replaced(written, text):
    data, body = await parse_json_body(Request(b'{"a": ["%b"], "%b": 1.50}' % (written, written)))
    assert body == {"a": [text], text: 1.5}
    assert json.loads(data) == body
    assert data.decode()


async def test_a_body_without_such_is_the_bytes_that_came():
    sent = b'{ "a":"\\ud83d\\ude00" }'
    assert (await parse_json_body(Request(sent)))[0] is sent


@pytest.mark.parametrize("sent", [b"{", b"[]", b"\xff{}"])
async def test_what_is_no_object_is_refused(sent):
    with pytest.raises(GatewayError):
        await parse_json_body(Request(sent))


WORDS = st.text(st.sampled_from('a"\\ é:,[]{}\n'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
)


@given(body=st.dictionaries(WORDS, VALUES), plain=st.booleans(), indent=st.sampled_from([None, 0, 7]))
@example(body={"a": 'b "cccccccc'}, plain=True, indent=None)
@example(body={"a": "b", "c": "d"}, plain=True, indent=40)
def test_long_strings_are_read_as_short_ones_are(body, plain, indent):
    data = json.dumps(body, ensure_ascii=not plain, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schemas, "_LONG_STRING_BYTES", 3)
        assert schemas._parse(data) == (data, body)


@given(st.binary(max_size=40).map(lambda data: b'{"a": "' + data + b'"}'))
@example(b'{"a": "\xed\xa0\x80"}')
def test_what_is_no_json_with_long_strings_is_an_error_as_well(data):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schemas, "_LONG_STRING_BYTES", 3)
        with contextlib.suppress(GatewayError):
            found = json.dumps(schemas._parse(data)[1], ensure_ascii=False)
            expected = json.dumps(json.loads(data, strict=False), ensure_ascii=False)
            assert found == re.sub("[\ud800-\udfff]", "\ufffd", expected)


@pytest.mark.parametrize("many", ["1,", '{"a":[]},', "[],"])
async def test_a_body_of_too_many_values_is_refused_before_it_is_parsed(many):
    body = b'{"messages": [%b 1]}' % (many.encode() * 2_000_001)
    with pytest.raises(GatewayError, match="more than 2000000 commas and brackets; send less") as refused:
        await parse_json_body(Request(body))
    assert refused.value.status == 413


@pytest.mark.parametrize("name", ["messages", "input", "tools"])
async def test_too_many_messages_or_tools_are_refused(name):
    def body(count: int) -> Request:
        return Request(json.dumps({name: [{}] * count}).encode())

    assert len((await parse_json_body(body(20_000)))[1][name]) == 20_000
    with pytest.raises(GatewayError, match=f"{name} has 20001 items, more than 20000; send less") as refused:
        await parse_json_body(body(20_001))
    assert refused.value.status == 413


async def test_a_picture_with_as_many_signs_is_none_of_them():
    picture = "," * 3_000_000
    sent = json.dumps({"messages": [{"role": "user", "content": picture}]}).encode()
    assert (await parse_json_body(Request(sent)))[1]["messages"][0]["content"] == picture
