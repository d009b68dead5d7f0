"""Requests of the Responses API become chats that say the same, and what is none is refused by its place."""

import contextlib
import copy
import functools
import itertools
import json
import operator

import pytest

from weakspot.protocols.responses_requests import (
    RequestError,
    ToolForm,
    chat_messages,
    chat_request,
    input_items,
    tools_of_request,
)

Q = {"role": "user", "content": "q"}
LOOK = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}, "strict": None}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
PATCH = {"type": "custom", "name": "apply_patch", "format": GRAMMAR}
PNG = "data:image/png;base64,iVBORw0KGgo="


def chat_of(**body):
    body = {"model": "m", "input": "q", **body}
    items = input_items(body)
    return chat_request(body, items, tools_of_request(body, items))


def said(text, role="assistant"):
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def thought(text, place="summary"):
    kind = "summary_text" if place == "summary" else "reasoning_text"
    return {"type": "reasoning", "id": "rs_1", "summary": [], place: [{"type": kind, "text": text}]}


def called(identity, name="look", arguments="{}"):
    return {"type": "function_call", "id": f"fc_{identity}", "call_id": identity, "name": name, "arguments": arguments}


def answered(identity, output="seen"):
    return {"type": "function_call_output", "call_id": identity, "output": output}


def call(identity, name="look", arguments="{}"):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(identity, content="seen"):
    return {"role": "tool", "tool_call_id": identity, "content": content}


def test_a_whole_request():
    schema = {"type": "object", "properties": {}}
    assert chat_of(
        instructions="Be brief.",
        input=[said("q", "user")],
        max_output_tokens=7,
        temperature=0.5,
        top_p=0.9,
        stream=True,
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}, "verbosity": "low"},
        tools=[LOOK],
        tool_choice={"type": "function", "name": "look"},
        parallel_tool_calls=False,
        store=False,
        metadata={"a": "b"},
        include=["reasoning.encrypted_content"],
        truncation="auto",
        stream_options={"include_obfuscation": False},
        service_tier="flex",
    ) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, Q],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "stream": True,
        "stream_options": {"include_usage": True},
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"type": "object"}}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
    }


def test_what_is_null_is_left_out():
    names = ("instructions", "max_output_tokens", "temperature", "stream", "reasoning", "text", "tools", "tool_choice")
    assert chat_of(**dict.fromkeys(names)) == {"model": "m", "messages": [Q]}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        # Servers refuse an assistant's calls in two messages, and results that do not follow them.
        (
            [
                *(said("Let me see."), called("1"), {"type": "reasoning", "summary": []}, called("2")),
                *(answered("1"), answered("2")),
            ],
            [
                {"role": "assistant", "content": "Let me see.", "tool_calls": [call("1"), call("2")]},
                *(result("1"), result("2")),
            ],
        ),
        (
            [called("1"), said("Well."), answered("1")],
            [{"role": "assistant", "content": "Well.", "tool_calls": [call("1")]}, result("1")],
        ),
        (
            [called("1"), called("2"), answered("1"), said("a note", "user"), answered("2"), said("a")],
            [
                {"role": "assistant", "content": None, "tool_calls": [call("1"), call("2")]},
                *(result("1"), result("2")),
                {"role": "user", "content": "a note"},
                {"role": "assistant", "content": "a"},
            ],
        ),
        ([answered("9")], [result("9")]),
        (
            [
                {"type": "custom_tool_call", "call_id": "1", "name": "apply_patch", "input": "*** Begin"},
                {"type": "custom_tool_call_output", "call_id": "1", "output": "Done."},
            ],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [call("1", "apply_patch", '{"input": "*** Begin"}')],
                },
                result("1", "Done."),
            ],
        ),
        (
            [
                {"type": "local_shell_call", "call_id": "1", "action": {"type": "exec", "command": ["ls"]}},
                {"type": "local_shell_call_output", "id": "1", "output": "a.py"},
            ],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [call("1", "local_shell", '{"type": "exec", "command": ["ls"]}')],
                },
                result("1", "a.py"),
            ],
        ),
        (
            [{**called("1", "spawn"), "namespace": "agents"}],
            [{"role": "assistant", "content": None, "tool_calls": [call("1", "agents__spawn")]}],
        ),
        # Thoughts go with what was said or called behind them: router-for-me/CLIProxyAPI#3710, BerriAI/litellm#36355.
        (
            [thought("Let me look."), called("1"), thought("And there.", "content"), called("2"), answered("1")],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [call("1"), call("2")],
                    "reasoning_content": "Let me look.\n\nAnd there.",
                },
                result("1"),
            ],
        ),
        (
            [answered("1"), thought("It is B."), thought(""), said("B."), thought("unsaid"), said("Why?", "user")],
            [
                result("1"),
                {"role": "assistant", "content": "B.", "reasoning_content": "It is B."},
                {"role": "user", "content": "Why?"},
            ],
        ),
        # What the provider's own tools did, and encrypted thoughts, are passed over.
        (
            [
                {"type": "reasoning", "encrypted_content": "x", "summary": []},
                {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
                {"type": "tool_search_call", "call_id": "t", "arguments": {}},
                {"type": "compaction", "encrypted_content": "x"},
                {"type": "of_the_future"},
            ],
            [],
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "see"},
                        {"type": "input_image", "image_url": PNG, "detail": "high"},
                        {"type": "input_image", "file_id": "file-1"},
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,JVBERi0=",
                        },
                        {"type": "input_file", "file_id": "file-1"},
                        {"type": "input_video"},
                    ],
                }
            ],
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "see"},
                        {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}},
                        {"type": "text", "text": "[image]"},
                        {
                            "type": "file",
                            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                        },
                        {"type": "text", "text": "[document]"},
                        {"type": "text", "text": "[input_video]"},
                    ],
                }
            ],
        ),
        (
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "I won't."}]}],
            [{"role": "assistant", "content": "I won't."}],
        ),
    ],
)
def test_items_are_messages(items, messages):
    assert chat_messages(items) == messages


SEEN = [{"type": "input_text", "text": "seen"}, {"type": "input_image", "image_url": PNG}]
SHOWN = [{"type": "text", "text": "seen"}, {"type": "image_url", "image_url": {"url": PNG}}]


@pytest.mark.parametrize(
    ("output", "content"),
    [
        ("seen", "seen"),
        (None, ""),
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], "a\nb"),
        (SEEN, SHOWN),
        # A picture that a client wrote as text would be a million tokens.
        (json.dumps(SEEN), SHOWN),
        ('[{"type": "input_image"', '[{"type": "input_image"'),
        ('[1, "input_image"]', '[1, "input_image"]'),
        ({"type": "computer_screenshot", "image_url": PNG}, SHOWN[1:]),
        ([{"stdout": "a"}], '[{"stdout": "a"}]'),
    ],
)
def test_the_result_of_a_tool_is_a_text_or_shows_its_pictures(output, content):
    assert chat_messages([called("1"), answered("1", output)])[-1] == result("1", content)


def test_tools_of_namespaces_are_functions_and_the_provider_s_own_are_left_out():
    spawn = {**LOOK, "name": "spawn"}
    namespace = {"type": "namespace", "name": "mcp__agents__", "tools": [spawn, PATCH]}
    later = {"type": "additional_tools", "role": "developer", "tools": [{**LOOK, "name": "later"}]}
    body = {"tools": [LOOK, {"type": "web_search"}, namespace, {"type": "namespace", "name": "empty"}, LOOK]}
    tools = tools_of_request(body, [later])
    assert tools.forms == {
        "look": ToolForm("look"),
        "mcp__agents__spawn": ToolForm("spawn", "mcp__agents__"),
        "mcp__agents__apply_patch": ToolForm("apply_patch", "mcp__agents__", is_custom=True),
        "later": ToolForm("later"),
    }
    assert [one["function"]["name"] for one in tools.functions] == list(tools.forms)
    assert tools.offered == [LOOK, namespace, later["tools"][0]]


def test_a_custom_tool_is_a_function_that_tells_its_grammar():
    [function] = tools_of_request({"tools": [PATCH]}, []).functions
    told = function["function"]["parameters"]["properties"]["input"]
    assert told == {"type": "string", "description": "Text of this lark grammar:\nstart: /x/"}


@pytest.mark.parametrize(
    ("choice", "names", "chosen"),
    [
        ("required", ["look", "apply_patch"], "required"),
        ({"type": "custom", "name": "apply_patch"}, ["look", "apply_patch"], "apply_patch"),
        ({"type": "function", "name": "other"}, ["look", "apply_patch"], None),
        ({"type": "web_search"}, ["look", "apply_patch"], None),
        ({"type": "allowed_tools", "mode": "required", "tools": [LOOK]}, ["look"], "required"),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}, ["look", "apply_patch"], "auto"),
    ],
)
def test_a_choice_of_tools(choice, names, chosen):
    chat = chat_of(tools=[LOOK, PATCH], tool_choice=choice)
    found = chat.get("tool_choice")
    assert (found["function"]["name"] if isinstance(found, dict) else found) == chosen
    assert [one["function"]["name"] for one in chat["tools"]] == names


SOUND = {
    "model": "m",
    "instructions": "i",
    "input": [
        {"role": "user", "content": [*SEEN, {"type": "input_file", "file_data": "JVBERi0="}, {"type": "refusal"}]},
        {**called("1"), "namespace": "agents"},
        answered("1", SEEN),
        {"type": "custom_tool_call", "call_id": "2", "name": "apply_patch", "input": "x"},
        answered("2", {"type": "computer_screenshot", "image_url": PNG}),
        {"type": "local_shell_call", "call_id": "3", "action": {"type": "exec"}},
        {"type": "additional_tools", "tools": [LOOK]},
    ],
    "tools": [
        {"type": "namespace", "name": "agents", "tools": [LOOK, PATCH]},
        {**PATCH, "format": {"grammar": GRAMMAR}},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [LOOK]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
    "reasoning": {"effort": "low"},
    "stream": True,
}
ODD = [None, 7, True, "x", "", [], {}, [7], ["x"], {"type": 7}, {"x": {}}, [[]], {"type": "grammar", "grammar": 7}]


def paths(value, path=()):
    """Yield the path of everything in a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from paths(one, (*path, key))


def test_whatever_is_odd_in_a_body_it_is_a_chat_or_refused():
    for path, odd in itertools.product(paths(SOUND), ODD):
        body = copy.deepcopy(SOUND)
        functools.reduce(operator.getitem, path[:-1], body)[path[-1]] = odd
        with contextlib.suppress(RequestError):
            for message in chat_of(**body)["messages"]:
                assert isinstance(message["role"], str)
                assert message["content"] is None or isinstance(message["content"], str | list)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"input": None}, "input is missing"),
        ({"input": 7}, "input is neither a text nor a list"),
        ({"input": ["q"]}, r"input\[0\] is not an object"),
        ({"input": [Q, {"content": "q"}]}, r"input\[1\]: neither type nor role is there"),
        ({"input": [{"type": 7}]}, "neither type nor role"),
        ({"input": [{"type": "message", "content": "q"}]}, "role is missing"),
        ({"input": [{"role": "user", "content": 7}]}, "content is neither a text nor a list"),
        ({"input": [{"role": "user", "content": ["q"]}]}, "a part of the content has no type"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]}, "text is not a text"),
        ({"input": [{"type": "function_call", "call_id": "1"}]}, "name is missing"),
        ({"instructions": ["a"]}, "instructions is not a text"),
        ({"text": "a"}, "text is not an object"),
        ({"text": {"format": "a"}}, "text.format is not an object"),
        ({"reasoning": "low"}, "reasoning is not an object"),
        ({"tools": {}}, None),
        ({"tools": {"a": 1}}, "tools is not a list of objects"),
        ({"tools": ["look"]}, "tools is not a list of objects"),
        ({"tools": [{"type": "function"}]}, "a function has no name"),
        ({"tools": [{**LOOK, "parameters": "x"}]}, "the parameters of look are not an object"),
        ({"background": True}, "background is not supported"),
        ({"conversation": "conv_1"}, "conversation is not supported"),
    ],
)
def test_what_is_no_request_is_refused_by_its_place(body, told):
    if told is None:
        chat_of(**body)
        return
    with pytest.raises(RequestError, match=told):
        chat_of(**body)


def test_a_notice_of_ours_is_gone_wherever_an_answer_stands_behind_a_call():
    call = {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"}
    said = [{"role": "assistant", "content": text} for text in ("B.\n\n[weakspot: not stored]", "Or A.")]
    (message,) = chat_messages([call, *said])
    assert message["content"] == "B.\nOr A."
