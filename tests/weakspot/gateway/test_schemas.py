"""What a teacher can be asked from, and what is wrong with anything else."""

import pytest

from weakspot.gateway.schemas import chat_of_messages, require_chat
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
