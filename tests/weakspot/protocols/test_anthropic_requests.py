"""Requests keep what they say on their way from one protocol to the other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.weakspot.protocols.drawn import ARGUMENTS, NAMES, WORDS

from weakspot.protocols.anthropic_requests import chat_request, request

TOOL = {"name": "look", "description": "Look it up.", "input_schema": {"type": "object", "properties": {}}}
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,10}", fullmatch=True)
SAID = WORDS.filter(str.strip)


def chat(*messages: dict, **more) -> dict:
    return chat_request({"model": "m", "max_tokens": 9, "messages": list(messages), **more})


@st.composite
def conversations(draw: st.DrawFn) -> dict:
    """Draw a request of messages: text, calls of tools and their results, as an agent sends them."""
    messages = [{"role": "user", "content": [{"type": "text", "text": draw(SAID)}]}]
    for number in range(draw(st.integers(0, 3))):
        blocks = [{"type": "text", "text": one} for one in draw(st.lists(SAID, max_size=1))]
        names = draw(st.lists(NAMES, max_size=3) if blocks else st.lists(NAMES, min_size=1, max_size=3))
        calls = [
            {"type": "tool_use", "id": f"{draw(IDS)}-{number}-{n}", "name": name, "input": draw(ARGUMENTS)}
            for n, name in enumerate(names)
        ]
        messages.append({"role": "assistant", "content": [*blocks, *calls]})
        results = [{"type": "tool_result", "tool_use_id": one["id"], "content": draw(SAID)} for one in calls]
        text = [{"type": "text", "text": one} for one in draw(st.lists(SAID, min_size=not results, max_size=1))]
        messages.append({"role": "user", "content": [*results, *text]})
    system = draw(st.none() | SAID)
    return {"messages": messages, **({"system": system} if system else {})}


@given(conversations())
def test_messages_that_became_a_chat_become_the_same_messages(body):
    assert request(chat_request(body)["messages"], []) == body


@given(st.lists(NAMES, unique=True, max_size=3))
def test_tools_that_became_functions_become_the_same_tools(names):
    tools = [{**TOOL, "name": name} for name in names]
    asked = chat(tools=tools)
    assert request(asked["messages"], asked.get("tools", [])).get("tools", []) == tools


def test_a_request_says_the_same_as_a_chat():
    asked = chat(
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "text", "text": "b"},
                {"type": "tool_use", "id": "1", "name": "look", "input": {"what": "ö"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "c"}]},
                {"type": "text", "text": "d"},
                {"type": "text", "text": "e"},
            ],
        },
        system=[{"type": "text", "text": "s1"}, {"type": "text", "text": "s2"}],
        stream=True,
        temperature=0.5,
        stop_sequences=["X"],
        metadata={"user_id": "u"},
        thinking={"type": "enabled", "budget_tokens": 5},
    )
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"what": "ö"}'}}
    assert asked == {
        "model": "m",
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "stop": ["X"],
        "messages": [
            {"role": "system", "content": "s1\ns2"},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "c"},
            {"role": "user", "content": "d\ne"},
        ],
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "look"}, {"tool_choice": {"type": "function", "function": {"name": "look"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
    ],
)
def test_a_choice_of_tools_is_kept(choice, expected):
    asked = chat(tools=[TOOL], tool_choice=choice)
    assert {key: asked[key] for key in asked if key in ("tool_choice", "parallel_tool_calls")} == expected


def test_a_form_of_the_answer_is_kept():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    asked = chat(output_config={"format": {"type": "json_schema", "schema": schema}, "effort": "low"})
    assert asked["response_format"]["json_schema"]["schema"] == schema
    assert "response_format" not in chat(output_config={"effort": "low"})


def test_the_provider_s_own_tools_are_left_out():
    assert "tools" not in chat(tools=[{"type": "web_search_20250305", "name": "web_search"}])


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "AAAA"}, "data:image/png;base64,AAAA"),
        ({"type": "url", "url": "https://example.com/a.png"}, "https://example.com/a.png"),
    ],
)
def test_an_image_is_one_in_both_protocols(source, url):
    content = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    [message] = chat({"role": "user", "content": content})["messages"]
    assert message["content"][1] == {"type": "image_url", "image_url": {"url": url}}
    assert request([message], [])["messages"][0]["content"] == content


def test_a_document_of_text_is_text():
    source = {"type": "text", "media_type": "text/plain", "data": "the page"}
    assert chat({"role": "user", "content": [{"type": "document", "source": source}]})["messages"] == [
        {"role": "user", "content": "the page"}
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": 5},
        {"messages": ["a"]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": [5]}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {"messages": [], "system": 5},
        {"messages": [], "tools": [5]},
        {"messages": [], "tools": [TOOL], "tool_choice": "auto"},
    ],
)
def test_what_is_no_request_of_messages_is_an_error(body):
    with pytest.raises((TypeError, KeyError, AttributeError)):
        chat_request(body)


def test_ids_are_made_such_as_anthropic_takes():
    call = {"id": "functions.look:0", "function": {"name": "look", "arguments": "{}"}}
    messages = request(
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": ""},
        ],
        [],
    )["messages"]
    assert messages[1]["content"][0]["id"] == messages[2]["content"][0]["tool_use_id"] == "functions_look_0"
    assert messages[2]["content"][0]["content"] == "(empty)"


def test_neighbours_of_one_role_are_one_message():
    found = request(
        [{"role": role, "content": role} for role in ("system", "user", "user", "developer", "assistant")], []
    )
    assert found["system"] == "system\n\ndeveloper"
    assert [(one["role"], len(one["content"])) for one in found["messages"]] == [("user", 2), ("assistant", 1)]


def test_arguments_that_cannot_be_read_are_shown():
    call = {"id": "1", "function": {"name": "f", "arguments": '{"a'}}
    _, message = request([{"role": "assistant", "tool_calls": [call]}], [])["messages"]
    assert message["content"][0]["input"] == {"unreadable": '{"a'}
    assert json.dumps(message)


def test_a_conversation_begins_with_the_user():
    greeting, question = {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "q"}
    assert [one["role"] for one in request([greeting, question], [])["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("role", ["system", "user"])
def test_lines_for_the_provider_are_taken_out_of_system_prompts_only(role):
    header = "x-anthropic-billing-header: cc_version=2.1; cch=0aaa9;"
    said = {"system": "You are."}.get(role, f"{header}\nYou are.")
    for content in (f"{header}\nYou are.", [{"type": "text", "text": f"{header}\nYou are."}]):
        assert chat({"role": role, "content": content})["messages"] == [{"role": role, "content": said}]


def test_whatever_is_no_part_of_a_chat_is_left_out_or_named():
    content = [
        {"type": "redacted_thinking", "data": "x"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "text", "text": "a"},
    ]
    assert chat({"role": "assistant", "content": content})["messages"] == [{"role": "assistant", "content": "a"}]
    parts = [{"type": "input_audio", "input_audio": {"data": "AA"}}, {"type": "thinking", "thinking": "hm"}]
    [message] = request([{"role": "user", "content": parts}], [])["messages"]
    assert message["content"] == [{"type": "text", "text": "[input_audio]"}]


@pytest.mark.parametrize("blank", ["", " ", "\n", [{"type": "text", "text": "\t"}]])
def test_a_blank_system_message_is_none(blank):
    messages = [{"role": "system", "content": blank}, {"role": "user", "content": "Which is newer?"}]
    assert "system" not in request(messages, [])
